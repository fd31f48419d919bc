from typing import Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output, OutputPath


@dsl.container_component
def download(url: str, data: Output[Dataset], size: OutputPath(int), retries: int = 3):
    return dsl.ContainerSpec(
        image='curlimages/curl:8',
        command=['sh', '-c', 'curl --retry "$1" "$0" > "$2"'],
        args=[url, retries, data.path, '--size', size],
    )


@dsl.container_component
def train(
    data: Input[Dataset],
    model: Output[Model],
    log: Output[Artifact],
    rate: float,
    name: Optional[str] = None,
    note: str = 'none',
):
    return dsl.ContainerSpec(
        image='trainer:1',
        command=['train'],
        args=[
            '--data', data.path, '--data-uri', data.uri, f'--rate={rate}',
            dsl.IfPresentPlaceholder(input_name='name', then=['--name', name], else_=['--nameless']),
            dsl.IfPresentPlaceholder(input_name='note', then=['--note', note]),
            '--model', model.path, '--model-uri', model.uri, f'--log={log.path}',
        ],
    )


@dsl.container_component
def bare():
    return dsl.ContainerSpec(image='busybox')


@dsl.pipeline(name='containers')
def pipeline(url: str, name: Optional[str] = None):
    got = download(url=url)
    train(data=got.outputs['data'], rate=0.5, name=name)
    bare().after(got)
