from kfp import dsl, kubernetes


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='inner')
def inner():
    step(text='inner')


def usual(task):
    task.set_caching_options(True, cache_key='k').set_retry(2, '5s')
    return usual_but_cache_and_retry(task)


def usual_but_cache_and_retry(task):
    task.set_cpu_limit('1').set_memory_request('1Gi').set_env_variable('STAGE', 'test')
    kubernetes.set_timeout(task, 600)
    return task


@dsl.pipeline(name='task-defaults')
def pipeline():
    last = step(text='last')
    with dsl.ExitHandler(last):
        usual(step())
        usual_but_cache_and_retry(step(text='own')).set_retry(1).set_caching_options(False)
        with dsl.ParallelFor([1, 2]):
            with dsl.If(usual(step(text='deep')).output == 'a'):
                usual(step(text='deeper'))
        inner()
        dsl.importer(artifact_uri='gs://x', artifact_class=dsl.Dataset)
        other = step(text='env').set_caching_options(True, cache_key='k').set_retry(2, '5s').set_env_variable('OWN', '1')
        other.set_cpu_request('2')
        kubernetes.set_timeout(other, 60)
