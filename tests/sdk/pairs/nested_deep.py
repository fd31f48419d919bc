from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def train(data: Input[Dataset], model: Output[Model], rate: float = 0.1) -> float:
    return rate


@dsl.component
def judge(model: Input[Model], word: str) -> str:
    return word


@dsl.pipeline(name='three')
def three(data: Input[Dataset], word: str = 'deep') -> NamedTuple('Outputs', model=Model, said=str):
    trained = train(data=data)
    said = judge(model=trained.outputs['model'], word=word)
    outputs = NamedTuple('Outputs', model=Model, said=str)
    return outputs(trained.outputs['model'], said.output)


@dsl.pipeline(name='two')
def two(data: Input[Dataset], word: str) -> NamedTuple('Outputs', model=Model, said=str):
    inner = three(data=data, word=word)
    again = three(data=data)
    judge(model=again.outputs['model'], word=inner.outputs['said'])
    outputs = NamedTuple('Outputs', model=Model, said=str)
    return outputs(inner.outputs['model'], again.outputs['said'])


@dsl.pipeline(name='one')
def one(data: Input[Dataset]) -> Model:
    with dsl.ParallelFor(['a', 'b']) as word:
        two(data=data, word=word)
    with dsl.If(two(data=data, word='if').outputs['said'] == 'x'):
        two(data=data, word='then')
    return two(data=data, word='last').outputs['model']


@dsl.pipeline(name='nested-deep')
def pipeline(data: Input[Dataset]) -> NamedTuple('Outputs', model=Model, other=Model):
    made = one(data=data)
    imported = dsl.importer(artifact_uri='gs://x', artifact_class=Dataset)
    other = one(data=imported.output)
    judge(model=other.output, word='top')
    outputs = NamedTuple('Outputs', model=Model, other=Model)
    return outputs(made.output, other.output)
