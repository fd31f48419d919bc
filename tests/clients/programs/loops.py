"""Loops over a constant, over what a task made, within each other, and what they collect."""

from typing import List

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def letters(count: int) -> List[str]:
    return [chr(97 + number) for number in range(count)]


@dsl.component
def join(first: str, second: str) -> str:
    return first + second


@dsl.component
def write(text: str, data: Output[Dataset]):
    open(data.path, 'w').write(text)


@dsl.component
def add(numbers: List[int]) -> int:
    return sum(numbers)


@dsl.component
def read(files: Input[List[Dataset]], words: List[str], pairs: List[str]) -> str:
    return ' '.join([open(file.path).read() for file in files] + words + pairs)


@dsl.component
def square(number: int, more: int) -> int:
    return number * number + more


@dsl.pipeline(name='loops')
def pipeline(count: int = 2) -> str:
    with dsl.ParallelFor([{'n': 1, 'more': 0}, {'n': 2, 'more': 10}], parallelism=1) as item:
        squared = square(number=item.n, more=item.more)
    add(numbers=dsl.Collected(squared.output))
    with dsl.ParallelFor(letters(count=count).output) as letter:
        joined = join(first=letter, second='!')
        written = write(text=joined.output)
        with dsl.ParallelFor(['x', 'y']) as other:
            both = join(first=letter, second=other)
    return read(
        files=dsl.Collected(written.outputs['data']),
        words=dsl.Collected(joined.output),
        pairs=dsl.Collected(both.output),
    ).output


ARGUMENTS = {'count': 3}
TASKS = {
    'for-loop-2/0/square': 'SUCCEEDED',
    'for-loop-2/1/square': 'SUCCEEDED',
    'add': 'SUCCEEDED',
    'letters': 'SUCCEEDED',
    'for-loop-3/2/for-loop-5/1/join-2': 'SUCCEEDED',
    'for-loop-3/0/write': 'SUCCEEDED',
    'read': 'SUCCEEDED',
}
OUTPUTS = {'add.Output': 15, 'Output': 'a! b! c! a! b! c! ax ay bx by cx cy'}
