from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.pipeline(name='work')
def work(text: str, data: Input[Dataset] = None) -> str:
    return make(text=text).outputs['Output']


@dsl.pipeline(name='goodbye')
def goodbye(word: str):
    with dsl.ParallelFor(['x', 'y']) as item:
        with dsl.If(item == 'x'):
            work(text=word)


@dsl.pipeline(name='nested-everywhere')
def pipeline(word: str):
    last = goodbye(word=word)
    with dsl.ExitHandler(last):
        made = make(text='made')
        one = work(text=word, data=made.outputs['data'])
        with dsl.ParallelFor(['a', 'b']) as outer:
            two = work(text=outer)
            with dsl.ParallelFor([1, 2]):
                three = work(text=two.output, data=made.outputs['data'])
                with dsl.If(outer == three.output):
                    four = work(text=one.output)
                with dsl.Else():
                    five = work(text=outer, data=made.outputs['data'])
                work(text=dsl.OneOf(four.output, five.output))
        with dsl.If(one.output == 'x'):
            work(text=one.output)
