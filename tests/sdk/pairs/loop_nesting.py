from typing import List

from kfp import dsl


@dsl.component
def names(word: str = 'x') -> List[str]:
    return [word]


@dsl.component
def say(text: str, other: str = '', number: int = 0) -> str:
    return text


@dsl.pipeline(name='loop-nesting')
def pipeline(words: List[str], letters: List[str], rows: List[dict]):
    first = say(text='first')
    with dsl.ParallelFor(words, parallelism=3) as outer:
        made = names(word=outer)
        with dsl.ParallelFor(made.output, parallelism=2) as middle:
            spoken = say(text=middle, other=outer)
            with dsl.ParallelFor([1, 2]) as inner:
                with dsl.If(first.output == 'first'):
                    with dsl.ParallelFor(letters) as deep:
                        say(text=deep, other=spoken.output, number=inner)
                        with dsl.If(deep == outer):
                            say(text=first.output, other=middle, number=inner)
    with dsl.ParallelFor(rows) as row:
        with dsl.ParallelFor(row.parts) as part:
            say(text=part, other=row.title)
        with dsl.ParallelFor(row.others) as other:
            say(text=other)
    with dsl.If(first.output == 'x'):
        with dsl.ParallelFor(words) as word:
            with dsl.ParallelFor(['p', 'q']) as letter:
                say(text=word, other=letter)
