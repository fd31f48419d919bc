from kfp import dsl, kubernetes


@dsl.container_component
def upload():
    return dsl.ContainerSpec(image='busybox', command=['upload'])


@dsl.component
def step():
    pass


@dsl.pipeline(name='environment-of-components')
def pipeline():
    one = upload().set_env_variable('REGION', 'eu').set_env_variable('EMPTY', '')
    kubernetes.use_secret_as_env(one, 'store', {'token': 'TOKEN'})
    two = upload().set_env_variable('REGION', 'us').set_env_variable('EMPTY', '').set_env_variable('TOKEN', 'none')
    three = step().set_env_variable('MODE', 'fast')
    kubernetes.use_field_path_as_env(three, 'NODE', 'spec.nodeName')
    four = step().set_env_variable('MODE', 'slow').set_debug_pause(before=True, after=False)
    kubernetes.use_field_path_as_env(four, 'NODE', 'spec.nodeName')
    upload().set_env_variable('REGION', 'eu').set_env_variable('EMPTY', '').set_env_variable('TOKEN', '').set_debug_pause(on_error=True)
