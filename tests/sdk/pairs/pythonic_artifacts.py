from typing import List, NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Model


@dsl.component
def make(rows: int) -> Dataset:
    return Dataset(uri=dsl.get_uri(), metadata={'rows': rows})


@dsl.component
def train(data: Dataset, extra: Optional[Artifact] = None) -> NamedTuple('Outputs', model=Model, score=float):
    outputs = NamedTuple('Outputs', model=Model, score=float)
    return outputs(Model(uri=dsl.get_uri('model')), 0.5)


@dsl.component
def pick(models: List[Model], scores: List[float]) -> Model:
    return models[0]


@dsl.pipeline(name='pythonic-artifacts')
def pipeline(given: Dataset, more: List[Model]) -> Model:
    made = make(rows=3)
    train(data=made.output)
    with dsl.ParallelFor([1, 2]):
        trained = train(data=given, extra=made.output)
    pick(models=more, scores=[0.5])
    return pick(models=dsl.Collected(trained.outputs['model']), scores=dsl.Collected(trained.outputs['score'])).output
