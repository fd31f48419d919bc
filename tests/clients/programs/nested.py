"""Pipelines as components of pipelines, with parameters and artifacts in both directions."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def make(text: str, data: Output[Dataset]) -> int:
    open(data.path, 'w').write(text)
    return len(text)


@dsl.component
def shout(data: Input[Dataset], model: Output[Model]) -> str:
    loud = open(data.path).read().upper()
    open(model.path, 'w').write(loud)
    return loud


@dsl.component
def look(model: Input[Model], length: int) -> str:
    return f'{open(model.path).read()} {length}'


@dsl.pipeline(name='innermost')
def innermost(data: Input[Dataset]) -> NamedTuple('Made', [('model', Model), ('loud', str)]):
    from collections import namedtuple

    shouted = shout(data=data)
    return namedtuple('Made', 'model loud')(shouted.outputs['model'], shouted.outputs['Output'])


@dsl.pipeline(name='middle')
def middle(text: str, mark: str = '?') -> NamedTuple('Made', [('model', Model), ('length', int)]):
    from collections import namedtuple

    made = make(text=text)
    inner = innermost(data=made.outputs['data'])
    return namedtuple('Made', 'model length')(inner.outputs['model'], made.outputs['Output'])


@dsl.pipeline(name='nested')
def pipeline(text: str = 'hello') -> str:
    one = middle(text=text)
    two = middle(text='second', mark='!').after(one)
    look(model=two.outputs['model'], length=two.outputs['length'])
    return look(model=one.outputs['model'], length=one.outputs['length']).output


ARGUMENTS = {}
TASKS = {
    'middle/make': 'SUCCEEDED',
    'middle/innermost/shout': 'SUCCEEDED',
    'middle-2/innermost/shout': 'SUCCEEDED',
    'look': 'SUCCEEDED',
    'look-2': 'SUCCEEDED',
}
OUTPUTS = {'look.Output': 'SECOND 6', 'Output': 'HELLO 5', 'middle/innermost/shout.Output': 'HELLO'}
