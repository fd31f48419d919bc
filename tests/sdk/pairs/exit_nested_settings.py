from kfp import dsl, kubernetes
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.container_component
def tell(word: str, number: int, status: PipelineTaskFinalStatus):
    return dsl.ContainerSpec(image='busybox', command=['tell', word, status], args=[number])


@dsl.pipeline(name='told')
def told(word: str, number: int = 3):
    last = tell(word=f'{word} and out', number=number).set_retry(2)
    last.set_caching_options(True, cache_key='k').set_cpu_limit('1').set_env_variable('A', 'b')
    last.set_display_name('Bye')
    kubernetes.set_timeout(last, 60)
    kubernetes.use_secret_as_volume(last, secret_name=word, mount_path='/secret')
    with dsl.ExitHandler(last):
        step(text=word)


@dsl.pipeline(name='exit-nested-settings')
def pipeline(word: str = 'over'):
    first = told(word=word).set_display_name('First').set_retry(3, backoff_duration='5s')
    with dsl.ParallelFor(['a', 'b'], parallelism=1) as item:
        told(word=item, number=1).after(first)
    step(text='after').after(first).ignore_upstream_failure()
