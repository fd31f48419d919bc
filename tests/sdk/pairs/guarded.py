from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.component
def use(data: Input[Dataset], text: str = 'x') -> str:
    return text


@dsl.pipeline(name='inner')
def inner(data: Input[Dataset]) -> str:
    return use(data=data).output


@dsl.pipeline(name='guarded')
def pipeline(word: str):
    made = make(text=word)
    with dsl.If(word == 'import'):
        dsl.importer(artifact_uri=word, artifact_class=Dataset, metadata={'from': made.outputs['Output']})
    with dsl.If(made.outputs['Output'] != 'pipeline'):
        inner(data=made.outputs['data'])
    with dsl.If(word == 'loop'):
        with dsl.ParallelFor(['a']) as item:
            with dsl.If(item == word):
                use(data=made.outputs['data'], text=item)
    with dsl.If(word == 'switch'):
        with dsl.If(made.outputs['Output'] == 'a'):
            use(data=made.outputs['data'])
        with dsl.Else():
            use(data=made.outputs['data'], text='else')
    with dsl.If(word == 'after'):
        use(data=made.outputs['data'], text='after').after(made).set_display_name('Guarded').set_retry(1)
