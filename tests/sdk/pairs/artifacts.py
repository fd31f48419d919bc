from typing import List

from kfp import dsl
from kfp.dsl import (
    HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output, OutputPath,
    SlicedClassificationMetrics,
)


@dsl.component(base_image='python:3.12', packages_to_install=['pandas==2.2.0', 'numpy'])
def make(data: Output[Dataset], raw: Output[Artifact], seed: int = 1):
    open(data.path, 'w').write(str(seed))


@dsl.component(
    packages_to_install=['scikit-learn'],
    pip_index_urls=['https://one.example/simple', 'https://two.example/simple'],
)
def train(data: Input[Dataset], model: Output[Model], size: OutputPath(int)):
    open(size, 'w').write('1')


@dsl.component(pip_index_urls=['https://one.example/simple'])
def judge(
    model: Input[Model],
    data: Input[Dataset],
    metrics: Output[Metrics],
    classes: Output[ClassificationMetrics],
    slices: Output[SlicedClassificationMetrics],
    page: Output[HTML],
    note: Output[Markdown],
    extra: Input[Artifact] = None,
):
    metrics.log_metric('accuracy', 0.5)


@dsl.pipeline(name='artifacts', display_name='All the artifacts', pipeline_root='s3://bucket/root')
def pipeline(given: Input[Dataset], other: Input[List[Dataset]]) -> Model:
    made = make()
    trained = train(data=made.outputs['data'])
    judge(model=trained.outputs['model'], data=given, extra=made.outputs['raw'])
    judge(model=trained.outputs['model'], data=given)
    return trained.outputs['model']
