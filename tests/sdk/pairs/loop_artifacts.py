from typing import List

from kfp import dsl
from kfp.dsl import Input, Model, Output


@dsl.component
def train(rate: float, model: Output[Model]):
    pass


@dsl.component
def judge(model: Input[Model]) -> float:
    return 1.0


@dsl.component
def total(scores: List[float]):
    pass


@dsl.pipeline(name='search')
def search() -> List[Model]:
    with dsl.ParallelFor([0.1, 0.2]) as rate:
        trained = train(rate=rate)
    return dsl.Collected(trained.outputs['model'])


@dsl.pipeline(name='loop-artifacts')
def pipeline(given: Input[List[Model]]):
    found = search()
    with dsl.ParallelFor(found.output) as model:
        score = judge(model=model)
    total(scores=dsl.Collected(score.output))
    with dsl.ParallelFor(given) as model:
        judge(model=model)
