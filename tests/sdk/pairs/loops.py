from typing import List

from kfp import dsl


@dsl.component
def names() -> List[str]:
    return ['a']


@dsl.component
def tables() -> List[dict]:
    return [{'a': 'b'}]


@dsl.component
def take(text: str, number: int = 1, share: float = 0.5):
    pass


@dsl.pipeline(name='loops')
def pipeline(words: List[str], rows: List[dict], untyped: list = ['p', 'q'], deep: List[List[int]] = [[1]]):
    with dsl.ParallelFor(['x', 'y'], parallelism=2) as letter:
        take(text=letter)
    with dsl.ParallelFor([1.5, 2.5]) as share:
        take(text='s', share=share)
    with dsl.ParallelFor([{'a': 'w', 'b': 'x'}, {'a': 'v', 'b': 'y'}]) as item:
        take(text=item.b)
    with dsl.ParallelFor([{'a': 1, 'b': 2}]) as item:
        take(text='s', number=item.b)
    with dsl.ParallelFor(words, parallelism=1) as word:
        take(text=word)
    with dsl.ParallelFor(untyped) as one:
        take(text=one)
    made = names()
    with dsl.ParallelFor(made.output) as name:
        take(text=name)
        with dsl.ParallelFor([1, 2]) as number:
            take(text=name, number=number)
            with dsl.ParallelFor(words) as word:
                take(text=word, number=number)
    lines = tables()
    with dsl.ParallelFor(lines.output) as line:
        take(text=line.key)
    with dsl.ParallelFor(rows) as row:
        with dsl.ParallelFor(row.parts) as part:
            take(text=part)
            take(text=row.title)
