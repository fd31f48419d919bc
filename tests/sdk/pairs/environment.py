from kfp import dsl, kubernetes


@dsl.component
def step(text: str = 'x') -> str:
    return text


@dsl.component
def other():
    pass


@dsl.component
def third():
    pass


@dsl.pipeline(name='sub')
def sub():
    one = other()
    kubernetes.use_config_map_as_env(one, 'limits', {'rows': 'ROWS'}, optional=True)
    two = third()
    kubernetes.set_timeout(two, 5)


@dsl.pipeline(name='environment')
def pipeline():
    one = step().set_env_variable('PLAIN', 'text')
    kubernetes.use_secret_as_env(one, 'database', {'password': 'PASSWORD', 'user': 'USER'})
    kubernetes.use_secret_as_env(one, 'token', {'token': 'TOKEN'}, optional=True)
    kubernetes.use_config_map_as_env(one, 'limits', {'rows': 'ROWS'})
    kubernetes.use_field_path_as_env(one, 'POD', 'metadata.name')
    sub()
