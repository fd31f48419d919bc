from kfp import dsl


@dsl.component
def say(text: str, words: list = [], table: dict = {}) -> str:
    return text


@dsl.component
def count() -> int:
    return 1


@dsl.pipeline(name='interpolation')
def pipeline(who: str, times: int):
    counted = count()
    first = say(text=f'hello {who}, {times} times')
    say(text=f'{first.output} and {counted.output}/{who}', words=['a', who, f'<{times}>'], table={'k': who, 'n': [counted.output]})
    with dsl.ParallelFor(['x', 'y'], name='All letters') as letter:
        say(text=f'{letter} of {who}')
    say(text=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    say(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)
