from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def train(rate: float, model: Output[Model]) -> float:
    return rate


@dsl.component
def best(models: Input[List[Model]], scores: List[float]) -> float:
    return max(scores)


@dsl.component
def split(data: Output[Dataset]) -> list:
    return []


@dsl.component
def total(scores: List[float], extra: List[list] = []) -> float:
    return 1.0


@dsl.pipeline(name='inner')
def inner(rate: float) -> List[float]:
    with dsl.ParallelFor([1, 2]) as number:
        trained = train(rate=rate)
    return dsl.Collected(trained.outputs['Output'])


@dsl.pipeline(name='collected')
def pipeline(rates: List[float]) -> NamedTuple('Outputs', models=List[Model], scores=List[float]):
    with dsl.ParallelFor(rates) as rate:
        one = train(rate=rate)
    best(models=dsl.Collected(one.outputs['model']), scores=dsl.Collected(one.outputs['Output']))
    with dsl.ParallelFor(rates) as rate:
        with dsl.ParallelFor([0.1, 0.2]) as other:
            deep = train(rate=other)
            cut = split()
        total(scores=dsl.Collected(deep.outputs['Output']))
    best(models=dsl.Collected(deep.outputs['model']), scores=dsl.Collected(deep.outputs['Output']))
    total(scores=dsl.Collected(deep.outputs['Output']), extra=dsl.Collected(cut.outputs['Output']))
    with dsl.ParallelFor(rates) as rate:
        nested = inner(rate=rate)
        total(scores=nested.output)
    outputs = NamedTuple('Outputs', models=List[Model], scores=List[float])
    return outputs(dsl.Collected(one.outputs['model']), dsl.Collected(deep.outputs['Output']))
