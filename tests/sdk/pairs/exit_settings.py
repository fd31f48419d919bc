from kfp import dsl, kubernetes
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.container_component
def tell(word: str, number: int, status: PipelineTaskFinalStatus):
    return dsl.ContainerSpec(image='busybox', command=['tell', word, status], args=[number])


@dsl.pipeline(name='exit-settings', description='d')
def pipeline(word: str = 'over', number: int = 3):
    last = tell(word=f'{word} and out', number=number).set_caching_options(True, cache_key='k').set_retry(2)
    last.set_cpu_limit('1').set_env_variable('A', 'b').set_display_name('Bye')
    kubernetes.set_timeout(last, 60)
    with dsl.ExitHandler(last):
        step(text=word)
