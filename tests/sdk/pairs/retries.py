from kfp import dsl


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='inner')
def inner():
    step()
    step(text='own').set_retry(5)


@dsl.pipeline(name='retries')
def pipeline():
    step(text='most').set_retry(1)
    step(text='seconds').set_retry(2, backoff_duration='90s')
    step(text='minutes').set_retry(2, backoff_duration='30m', backoff_factor=3)
    step(text='hours').set_retry(2, backoff_duration='1 hour', backoff_max_duration='1d')
    step(text='factor').set_retry(10, backoff_factor=1.0, backoff_max_duration='5400s')
    inner().set_retry(3, '10s', 2, '2h')
    with dsl.ParallelFor([1, 2]):
        step(text='loop').set_retry(4)
    dsl.importer(artifact_uri='gs://x', artifact_class=dsl.Dataset).set_retry(2)
