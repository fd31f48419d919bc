from typing import NamedTuple

from kfp import dsl


@dsl.component
def halve(number: int, by: float = 2.0) -> NamedTuple('Outputs', half=float, text=str):
    import math

    def inner(x):  # a function in a function
        return x / by

    text = '''
    {{ not a template }} é
    '''
    return math.floor(inner(number)), text


@dsl.pipeline(name='inline-source')
def pipeline():
    halve(number=3)
