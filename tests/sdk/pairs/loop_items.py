from typing import Dict, List

from kfp import dsl


@dsl.component
def take(
    text: str = 'x', number: int = 1, share: float = 0.5, on: bool = True, items: list = [], table: dict = {},
):
    pass


@dsl.component
def rows() -> List[List[int]]:
    return [[1]]


@dsl.component
def flags() -> List[bool]:
    return [True]


@dsl.component
def shares() -> List[float]:
    return [0.5]


@dsl.pipeline(name='loop-items')
def pipeline(
    words: List[str], numbers: List[int], tables: List[Dict[str, str]], lists: List[List[str]], flagged: List[bool] = [True],
):
    with dsl.ParallelFor([1, 2, 3]) as number:
        take(number=number)
    with dsl.ParallelFor([0.5, 1.5]) as share:
        take(share=share)
    with dsl.ParallelFor(['a b', "it's", 'é', '']) as word:
        take(text=word)
    with dsl.ParallelFor([{'a': 'x', 'b': {'c': [1]}}, {'b': {}, 'a': 'y'}]) as table:
        take(text=table.a)
    with dsl.ParallelFor([{'n': 1.5}]) as table:
        take(share=table.n)
    with dsl.ParallelFor([{'a': 'x'}, {'a': 'y'}]) as table:
        take(table=table)
    with dsl.ParallelFor([[1, 2], [3]]) as items:
        take(items=items)
    with dsl.ParallelFor(words) as word:
        take(text=word)
    with dsl.ParallelFor(numbers) as number:
        take(number=number)
    with dsl.ParallelFor(flagged) as on:
        take(on=on)
    with dsl.ParallelFor(tables) as table:
        take(table=table)
        take(text=table.title)
    with dsl.ParallelFor(lists) as items:
        take(items=items)
    with dsl.ParallelFor(rows().output) as items:
        take(items=items)
    with dsl.ParallelFor(flags().output) as on:
        take(on=on)
    with dsl.ParallelFor(shares().output) as share:
        take(share=share)
