from kfp import dsl, kubernetes


@dsl.component
def step(text: str = 'x') -> str:
    return text


def usual(task):
    kubernetes.use_secret_as_env(task, 'database', {'password': 'PASSWORD'})
    kubernetes.add_pod_label(task, 'team', 'growth')
    return task


@dsl.pipeline(name='default-settings')
def pipeline():
    last = step(text='last')
    with dsl.ExitHandler(last):
        first = usual(step())
        second = usual(step(text=first.output)).ignore_upstream_failure()
        usual(step(text='third')).after(second).ignore_upstream_failure()
        own = step(text='own').after(first).ignore_upstream_failure()
        kubernetes.add_node_selector(own, 'disk', 'fast')
