from typing import List

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.component
def count(data: Input[Dataset]) -> int:
    return 1


@dsl.component
def flag(text: str) -> bool:
    return True


@dsl.component
def table(text: str) -> dict:
    return {}


@dsl.component
def join(texts: List[str] = [], data: Input[List[Dataset]] = None, counts: List[int] = [], flags: List[bool] = [],
         tables: List[dict] = []) -> str:
    return ''


@dsl.pipeline(name='collected-deep')
def pipeline(words: List[str]) -> List[Dataset]:
    with dsl.ParallelFor(words) as word:
        with dsl.ParallelFor(['a', 'b']) as letter:
            with dsl.ParallelFor([1, 2, 3]):
                made = make(text=letter)
                counted = count(data=made.outputs['data'])
            join(texts=dsl.Collected(made.outputs['Output']))
            join(data=dsl.Collected(made.outputs['data']))
        inner = join(texts=dsl.Collected(made.outputs['Output']), counts=dsl.Collected(counted.output))
        flagged = flag(text=word)
        tabled = table(text=inner.output)
    join(texts=dsl.Collected(inner.output), data=dsl.Collected(made.outputs['data']), counts=dsl.Collected(counted.output),
         flags=dsl.Collected(flagged.output), tables=dsl.Collected(tabled.output))
    with dsl.ParallelFor([1]):
        join(counts=dsl.Collected(counted.output))
    return dsl.Collected(made.outputs['data'])
