from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output, PipelineTaskFinalStatus


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.component
def use(data: Input[Dataset]) -> str:
    return 'x'


@dsl.component
def tell(word: str, status: PipelineTaskFinalStatus):
    print(status)


@dsl.component
def total(texts: List[str]):
    pass


@dsl.pipeline(name='guarded')
def guarded(word: str, data: Input[Dataset], share: float = 0.5):
    with dsl.ExitHandler(tell(word=f'{word} is over').set_caching_options(False)):
        first = make(text=word)
        with dsl.ParallelFor(['a', 'b'], parallelism=1) as item:
            each = make(text=item)
        total(texts=dsl.Collected(each.outputs['Output']))
        with dsl.If(share > 0.1):
            use(data=first.outputs['data'])
        use(data=data)


@dsl.pipeline(name='quiet')
def quiet(words: List[str]):
    with dsl.ExitHandler(total(texts=words)):
        make(text='quiet')


@dsl.pipeline(name='deep')
def deep(word: str, data: Input[Dataset]):
    with dsl.ExitHandler(tell(word=word)):
        guarded(word=word, data=data)
        with dsl.If(word == 'again'):
            guarded(word='again', data=data, share=0.9)


@dsl.pipeline(name='exit-nested')
def pipeline(word: str, words: List[str]):
    with dsl.ExitHandler(quiet(words=words)):
        made = make(text=word)
        one = deep(word=word, data=made.outputs['data']).set_retry(2)
        two = guarded(word=made.outputs['Output'], data=made.outputs['data']).after(one)
        two.set_display_name('Two')
        with dsl.ParallelFor(words) as item:
            guarded(word=item, data=made.outputs['data'])
            quiet(words=words)
        with dsl.If(word != 'x'):
            guarded(word='guarded', data=made.outputs['data'])
        with dsl.If(made.outputs['Output'] == 'a'):
            deep(word='a', data=made.outputs['data'])
        with dsl.Elif(made.outputs['Output'] == 'b'):
            quiet(words=['b'])
        with dsl.Else():
            make(text='else')
        make(text='last').after(two)
