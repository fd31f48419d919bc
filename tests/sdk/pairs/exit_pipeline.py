from kfp import dsl


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='farewell')
def farewell(word: str):
    step(text=step(text=word).output)


@dsl.pipeline(name='exit-pipeline')
def pipeline(word: str = 'over'):
    with dsl.ExitHandler(farewell(word=word)):
        step(text=word)
        with dsl.ParallelFor([1, 2]):
            step()
