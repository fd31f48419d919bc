from kfp import dsl, kubernetes


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.container_component
def shell(text: str = 'x'):
    return dsl.ContainerSpec(image='busybox', command=['echo'], args=[text])


@dsl.pipeline(name='settings')
def pipeline(text: str = 'y'):
    step().set_caching_options(False)
    step(text='keyed').set_caching_options(True, cache_key='v1')
    step(text='again').set_retry(3)
    step(text='later').set_retry(2, backoff_duration='30s', backoff_factor=1.5, backoff_max_duration='1h')
    timed = step(text='timed')
    kubernetes.set_timeout(timed, 600)
    kubernetes.set_timeout(step(text='day'), 90)
    small = step(text='small').set_cpu_request('500m').set_cpu_limit('1').set_memory_request('512Mi').set_memory_limit('1Gi')
    small.set_env_variable('A', '1').set_env_variable('B', 'two')
    step(text='gpu').set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(2)
    step(text='mixed').set_cpu_limit('1.5').set_memory_limit('1G').set_accelerator_type('amd.com/gpu').set_accelerator_limit(1)
    shell(text=text).set_display_name('A shell').set_caching_options(False).set_env_variable('C', 'c')
    first = step(text='first')
    second = step(text='second')
    step(text='anyway').after(first, second).ignore_upstream_failure()
