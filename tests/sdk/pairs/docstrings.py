from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def train(data: Input[Dataset], table: Output[Dataset], rate: float = 0.1) -> NamedTuple('Outputs', score=float, rows=int):
    """Fits a model.

    It takes a while.

    Args:
        data: The rows,
            two lines of them.
        table (Dataset): What came out.
        rate: How fast: a share. Defaults to 0.1.

    Returns:
        score: How good.
        rows: How many.
    """
    return (0.5, 1)


@dsl.component
def short(text: str) -> str:
    """One line only."""
    return text


@dsl.pipeline(name='docstrings')
def pipeline(data: Input[Dataset]):
    train(data=data)
    short(text='x')
