from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(text: str, data: Output[Dataset]) -> str:
    return text


@dsl.component
def use(data: Input[Dataset], text: str = 'x') -> int:
    return 1


@dsl.pipeline(name='inner')
def inner(data: Input[Dataset], text: str = 'z') -> int:
    return use(data=data, text=text).output


@dsl.pipeline(name='guards')
def pipeline(text: str):
    made = make(text=text)
    with dsl.If(made.outputs['Output'] == 'a'):
        inner(data=made.outputs['data'], text=text)
    with dsl.If(text == 'b'):
        with dsl.ParallelFor(['x', 'y']) as item:
            use(data=made.outputs['data'], text=item)
            with dsl.If(item == 'x'):
                imported = dsl.importer(artifact_uri='gs://x', artifact_class=Dataset)
                use(data=imported.output, text=made.outputs['Output'])
    with dsl.If(text == 'c'):
        with dsl.If(made.outputs['Output'] == 'd'):
            one = use(data=made.outputs['data'])
            use(data=made.outputs['data']).after(one)
        with dsl.Else():
            inner(data=made.outputs['data'])
