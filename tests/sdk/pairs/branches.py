from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def flip() -> int:
    return 1


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.component
def use(data: Input[Dataset], text: str):
    pass


@dsl.component
def say(text: str) -> str:
    return text


@dsl.pipeline(name='inner')
def inner(side: int) -> str:
    with dsl.If(side == 1):
        one = say(text='one')
    with dsl.Else():
        two = say(text='two')
    return dsl.OneOf(one.output, two.output)


@dsl.pipeline(name='branches')
def pipeline(text: str) -> Dataset:
    side = flip()
    with dsl.If(side.output == 1):
        first = make(text='one')
    with dsl.Elif(side.output == 2):
        second = make(text=text)
    with dsl.Else():
        third = make(text='else')
    data = dsl.OneOf(first.outputs['data'], second.outputs['data'], third.outputs['data'])
    word = dsl.OneOf(first.outputs['Output'], second.outputs['Output'], third.outputs['Output'])
    use(data=data, text=word)
    with dsl.If(word == 'one'):
        use(data=data, text='again')
    with dsl.ParallelFor(['p', 'q']) as item:
        with dsl.If(item == 'p'):
            left = say(text='left')
        with dsl.Else():
            right = say(text=item)
        say(text=dsl.OneOf(left.output, right.output))
    with dsl.If(text == 'a'):
        with dsl.If(side.output == 3):
            three = say(text='three')
        with dsl.Else():
            four = inner(side=side.output)
        say(text=dsl.OneOf(three.output, four.output))
    with dsl.Elif(text == 'b'):
        say(text='b')
    return data
