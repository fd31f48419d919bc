from kfp import dsl


@dsl.component
def step(text: str):
    pass


@dsl.container_component
def shell():
    return dsl.ContainerSpec(image='busybox')


@dsl.pipeline(name='amounts')
def pipeline():
    for cpu in ('1', '2.5', '.5', '100m', '1500m'):
        step(text=cpu).set_cpu_request(cpu).set_cpu_limit(cpu)
    for memory in ('1E', '1Ei', '1P', '1Pi', '1T', '1Ti', '1G', '1Gi', '3M', '3Mi', '5Ki', '1048576'):
        step(text=memory).set_memory_request(memory).set_memory_limit(memory)
    step(text='request').set_cpu_request('1')
    step(text='limit').set_memory_limit('1G')
    shell().set_cpu_limit('1').set_memory_request('2G')
    with dsl.ParallelFor(['a', 'b']) as item:
        step(text=item).set_cpu_request('250m').set_memory_limit('64Mi')
