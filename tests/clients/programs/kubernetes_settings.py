"""A platform spec beside the pipeline spec: secrets as variables, and settings that nothing here can follow."""

from kfp import dsl, kubernetes


@dsl.component
def reveal() -> str:
    import os

    return f'{len(os.environ["TOKEN"])} {os.environ["REGION"]}'


@dsl.pipeline(name='kubernetes-settings')
def pipeline():
    task = reveal().set_caching_options(False)
    kubernetes.use_secret_as_env(task, secret_name='store', secret_key_to_env={'token': 'TOKEN'})
    kubernetes.use_config_map_as_env(task, config_map_name='settings', config_map_key_to_env={'region': 'REGION'})
    kubernetes.add_node_selector(task, label_key='disk', label_value='fast')
    kubernetes.set_image_pull_policy(task, 'Always')


ARGUMENTS = {}
TASKS = {'reveal': 'SUCCEEDED'}
OUTPUTS = {'reveal.Output': '12 north'}
