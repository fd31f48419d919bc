from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def make(text: str, data: Output[Dataset], model: Output[Model]) -> NamedTuple('Outputs', said=str, number=int, share=float, on=bool, items=list, table=dict):
    return text, 1, 0.5, True, [], {}


@dsl.component
def use(data: Input[Dataset], model: Input[Model], said: str, number: int, share: float, on: bool, items: list, table: dict):
    pass


@dsl.component
def say(text: str) -> str:
    return text


@dsl.pipeline(name='one-of')
def pipeline(word: str) -> NamedTuple('Outputs', data=Dataset, said=str, deep=str):
    with dsl.If(word == 'a'):
        one = make(text='one')
    with dsl.Else():
        two = make(text='two')
    both = {name: dsl.OneOf(one.outputs[name], two.outputs[name])
            for name in ('data', 'model', 'said', 'number', 'share', 'on', 'items', 'table')}
    use(**both)
    with dsl.If(both['number'] > 1):
        say(text=both['said'])
    with dsl.If(word == 'x'):
        with dsl.If(word == 'y'):
            three = say(text='three')
        with dsl.Else():
            four = say(text='four')
        inner = dsl.OneOf(three.output, four.output)
        five = say(text=inner)
    with dsl.Elif(word == 'z'):
        six = say(text='six')
    with dsl.Else():
        seven = say(text='seven')
    deep = dsl.OneOf(five.output, six.output, seven.output)
    with dsl.ParallelFor([1, 2]):
        say(text=deep)
    outputs = NamedTuple('Outputs', data=Dataset, said=str, deep=str)
    return outputs(both['data'], both['said'], deep)
