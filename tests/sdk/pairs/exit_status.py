from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.component
def state(status: dict) -> str:
    return status['state']


@dsl.pipeline(name='farewell')
def farewell(status: PipelineTaskFinalStatus, word: str):
    seen = state(status=status)
    with dsl.If(seen.output == 'FAILED'):
        step(text=word)


@dsl.pipeline(name='exit-status')
def pipeline(word: str = 'over'):
    with dsl.ExitHandler(farewell(word=word)):
        step()
