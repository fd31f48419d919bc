from kfp import dsl


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='inner')
def inner():
    step().set_caching_options(False)
    step(text='keyed').set_caching_options(True, cache_key='inner')


@dsl.pipeline(name='caching')
def pipeline():
    step(text='plain')
    step(text='on').set_caching_options(True)
    step(text='off').set_caching_options(False)
    step(text='keyed').set_caching_options(enable_caching=True, cache_key='v1: é')
    dsl.importer(artifact_uri='gs://x', artifact_class=dsl.Model)
    dsl.importer(artifact_uri='gs://y', artifact_class=dsl.Model).set_caching_options(False)
    inner()
    inner().set_caching_options(False)
    with dsl.If(step(text='c').output == 'a'):
        step(text='branch').set_caching_options(False)
