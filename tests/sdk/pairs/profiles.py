from kfp import dsl, kubernetes


@dsl.component
def step(text: str):
    pass


def small(task):
    return task.set_cpu_request('500m').set_memory_request('512Mi').set_cpu_limit('1').set_memory_limit('1Gi')


def big(task):
    small(task).set_memory_limit('24Gi').set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(2)
    kubernetes.add_node_selector(task, 'disk', 'fast')
    kubernetes.add_node_selector(task, 'zone', 'a')
    kubernetes.add_node_affinity(
        task, match_expressions=[{'key': 'gpu', 'operator': 'In', 'values': ['l4', 'h100']}, {'key': 'old', 'operator': 'DoesNotExist'}],
    )
    kubernetes.add_node_affinity(task, match_fields=[{'key': 'metadata.name', 'operator': 'NotIn', 'values': ['node-1']}], weight=5)
    kubernetes.add_toleration(task, key='gpu', operator='Equal', value='yes', effect='NoExecute', toleration_seconds=60)
    kubernetes.add_toleration(task, key='spot', operator='Exists')
    kubernetes.add_pod_label(task, 'kueue.x-k8s.io/queue-name', 'team')
    kubernetes.add_pod_label(task, 'kueue.x-k8s.io/priority-class', 'high')
    kubernetes.empty_dir_mount(task, volume_name='shared-memory', mount_path='/dev/shm', medium='Memory', size_limit='8Gi')
    return task


@dsl.pipeline(name='profiles')
def pipeline():
    last = small(step(text='last'))
    with dsl.ExitHandler(last):
        small(step(text='small'))
        small(step(text='own')).set_cpu_limit('3')
        big(step(text='big'))
        with dsl.ParallelFor(['a', 'b']) as item:
            big(step(text=item))
