from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.component
def tell(word: str, status: PipelineTaskFinalStatus):
    print(status)


@dsl.pipeline(name='exits')
def pipeline(word: str = 'over'):
    last = tell(word=word).set_caching_options(False)
    with dsl.ExitHandler(last):
        first = step(text=word)
        step(text=first.output)
        with dsl.If(first.output == 'a'):
            step(text=first.output)
