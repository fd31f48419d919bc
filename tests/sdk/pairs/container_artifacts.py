from typing import List

from kfp import dsl
from kfp.dsl import (
    HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output, OutputPath,
    SlicedClassificationMetrics,
)


@dsl.container_component
def make(
    artifact: Output[Artifact], dataset: Output[Dataset], model: Output[Model], metrics: Output[Metrics],
    classes: Output[ClassificationMetrics], slices: Output[SlicedClassificationMetrics], page: Output[HTML],
    note: Output[Markdown], text: OutputPath(str), flag: OutputPath(bool), table: OutputPath(dict), items: OutputPath(list),
):
    return dsl.ContainerSpec(
        image='maker', command=['make'],
        args=[artifact.path, dataset.uri, model.path, metrics.path, classes.path, slices.path, page.path, note.path,
              text, flag, table, items],
    )


@dsl.container_component
def take(
    models: Input[List[Model]], artifact: Input[Artifact], metrics: Input[Metrics], classes: Input[ClassificationMetrics],
    slices: Input[SlicedClassificationMetrics], page: Input[HTML], note: Input[Markdown], text: str, flag: bool, table: dict,
    items: list,
):
    return dsl.ContainerSpec(
        image='taker', command=['take', text, flag, table, items], args=[models, f'{artifact.path}:{page.uri}', note.path],
    )


@dsl.pipeline(name='container-artifacts')
def pipeline(models: Input[List[Model]]):
    made = make().outputs
    take(models=models, artifact=made['artifact'], metrics=made['metrics'], classes=made['classes'], slices=made['slices'],
         page=made['page'], note=made['note'], text=made['text'], flag=made['flag'], table=made['table'], items=made['items'])
    take(models=models, artifact=made['model'], metrics=made['metrics'], classes=made['classes'], slices=made['slices'],
         page=made['page'], note=made['note'], text='x', flag=False, table={'a': 1}, items=[2])
