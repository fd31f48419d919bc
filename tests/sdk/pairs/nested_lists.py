from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def train(data: Input[Dataset], model: Output[Model], rate: float) -> float:
    return rate


@dsl.component
def best(models: Input[List[Model]], scores: List[float]) -> float:
    return max(scores)


@dsl.pipeline(name='search')
def search(data: Input[Dataset], rates: List[float]) -> NamedTuple('Outputs', models=List[Model], scores=List[float]):
    with dsl.ParallelFor(rates) as rate:
        trained = train(data=data, rate=rate)
    outputs = NamedTuple('Outputs', models=List[Model], scores=List[float])
    return outputs(dsl.Collected(trained.outputs['model']), dsl.Collected(trained.outputs['Output']))


@dsl.pipeline(name='choose')
def choose(models: Input[List[Model]], scores: List[float]) -> float:
    return best(models=models, scores=scores).output


@dsl.pipeline(name='nested-lists')
def pipeline(data: Input[Dataset], rates: List[float] = [0.1, 0.2]) -> List[Model]:
    found = search(data=data, rates=rates)
    choose(models=found.outputs['models'], scores=found.outputs['scores'])
    fixed = search(data=data, rates=[0.5])
    best(models=fixed.outputs['models'], scores=fixed.outputs['scores'])
    with dsl.ParallelFor(found.outputs['scores']) as score:
        train(data=data, rate=score)
    return found.outputs['models']
