from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.container_component
def train(data: Input[Dataset], model: Output[Model], rate: float = 0.1):
    """Fits a model.

    Args:
        data: The rows.
        rate: How fast.

    Returns:
        model: What was learnt.
    """
    return dsl.ContainerSpec(image='trainer', command=['train', data.path, model.path, rate])


@dsl.pipeline(name='inner', description='Not told in the IR.')
def inner(data: Input[Dataset], rate: float = 0.2) -> NamedTuple('Outputs', model=Model):
    """Fits.

    Args:
        data: Rows of the inner pipeline.
        rate: Its speed.

    Returns:
        model: What came out.
    """
    trained = train(data=data, rate=rate)
    outputs = NamedTuple('Outputs', model=Model)
    return outputs(trained.outputs['model'])


@dsl.pipeline(name='descriptions', display_name='What it is', description='Trains on one table.\nAnd tells.')
def pipeline(data: Input[Dataset], rate: float = 0.1) -> NamedTuple('Outputs', model=Model, other=Model):
    """Trains.

    Args:
        data: One table.
        rate: The speed of learning.

    Returns:
        model: The model.
    """
    one = train(data=data, rate=rate)
    two = inner(data=data)
    outputs = NamedTuple('Outputs', model=Model, other=Model)
    return outputs(one.outputs['model'], two.outputs['model'])
