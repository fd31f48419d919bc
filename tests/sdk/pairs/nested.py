from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def load(name: str, data: Output[Dataset]):
    pass


@dsl.component
def train(data: Input[Dataset], model: Output[Model], rate: float = 0.1) -> float:
    return rate


@dsl.pipeline(name='fit')
def fit(data: Input[Dataset], rate: float = 0.1) -> NamedTuple('Outputs', model=Model, score=float):
    trained = train(data=data, rate=rate)
    outputs = NamedTuple('Outputs', model=Model, score=float)
    return outputs(trained.outputs['model'], trained.outputs['Output'])


@dsl.pipeline(name='twice')
def twice(name: str) -> float:
    loaded = load(name=name)
    fit(data=loaded.output)
    return fit(data=loaded.output, rate=0.5).outputs['score']


@dsl.component
def tell(score: float, other: float):
    pass


@dsl.pipeline(name='nested')
def pipeline(name: str = 'iris') -> Model:
    one = twice(name=name)
    one.set_display_name('First of all')
    two = twice(name='wine').set_retry(2)
    loaded = load(name=name)
    final = fit(data=loaded.output)
    tell(score=one.output, other=two.output)
    return final.outputs['model']
