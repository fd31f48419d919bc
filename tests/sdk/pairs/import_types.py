from kfp import dsl
from kfp.dsl import (
    HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, SlicedClassificationMetrics,
)


@dsl.component
def use(anything: Input[Artifact]):
    pass


@dsl.pipeline(name='import-types')
def pipeline(uri: str = 'gs://default'):
    for number, kind in enumerate((HTML, Artifact, ClassificationMetrics, Dataset, Markdown, Metrics, Model, SlicedClassificationMetrics)):
        use(anything=dsl.importer(artifact_uri=f'gs://bucket/{number}', artifact_class=kind).output)
    use(anything=dsl.importer(artifact_uri=uri, artifact_class=Model, reimport=False).output)
    dsl.importer(artifact_uri='oci://registry/model:1', artifact_class=Model, reimport=True, metadata={'a': 1, 'b': True, 'c': 0.5, 'd': [], 'e': {}})
