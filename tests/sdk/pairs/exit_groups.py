from typing import List

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.component
def use(data: Input[Dataset]) -> str:
    return 'x'


@dsl.component
def total(texts: List[str]):
    pass


@dsl.pipeline(name='inner')
def inner(data: Input[Dataset]) -> str:
    return use(data=data).output


@dsl.pipeline(name='exit-groups')
def pipeline(words: List[str], given: Input[Dataset]):
    with dsl.ExitHandler(total(texts=words)):
        first = make(text='first')
        with dsl.ParallelFor(words, parallelism=1) as word:
            each = make(text=word)
            with dsl.If(word == 'a'):
                inner(data=each.outputs['data'])
        total(texts=dsl.Collected(each.outputs['Output']))
        with dsl.If(first.outputs['Output'] == 'b'):
            one = use(data=first.outputs['data'])
        with dsl.Else():
            two = inner(data=given)
        make(text=dsl.OneOf(one.output, two.output))
