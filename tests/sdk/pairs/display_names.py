from kfp import dsl


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='inner', display_name='Not shown')
def inner():
    step().set_display_name('Deep')


@dsl.pipeline(name='display-names', display_name='Names: é "quoted"')
def pipeline(word: str):
    last = step(text='last').set_display_name('The last word')
    with dsl.ExitHandler(last):
        step().set_display_name('One & only')
        inner().set_display_name('A pipeline')
        dsl.importer(artifact_uri='gs://x', artifact_class=dsl.Dataset).set_display_name('An import')
        with dsl.ParallelFor([1, 2], name='All items'):
            with dsl.ParallelFor(['a'], name='Inner items'):
                step().set_display_name('Each')
        with dsl.If(word == 'a', name='Only a'):
            step(text='a')
            step(text='b')
