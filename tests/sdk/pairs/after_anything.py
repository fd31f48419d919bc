from kfp import dsl


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='inner')
def inner():
    one = step()
    step(text='later').after(one)


@dsl.pipeline(name='after-anything')
def pipeline(word: str):
    nested = inner()
    imported = dsl.importer(artifact_uri='gs://x', artifact_class=dsl.Dataset).after(nested)
    step(text='a').after(nested, imported)
    with dsl.ParallelFor([1, 2]):
        looped = step(text='looped').after(imported)
        with dsl.ParallelFor([3]):
            step(text='deep').after(looped, nested)
    step(text='b').after(looped)
    inner().after(looped)
    dsl.importer(artifact_uri='gs://y', artifact_class=dsl.Dataset).after(looped)
    with dsl.If(word == 'a'):
        first = step(text='guarded').after(looped, nested)
        step(text='second').after(first)
        with dsl.If(word == 'b'):
            step(text='third').after(first)
