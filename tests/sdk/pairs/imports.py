from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model


@dsl.component
def use(data: Input[Dataset]) -> str:
    return ''


@dsl.pipeline(name='imports')
def pipeline(uri: str, owner: str, rows: int = 5):
    constant = dsl.importer(artifact_uri='gs://bucket/data.csv', artifact_class=Dataset)
    said = use(data=constant.output)
    dsl.importer(artifact_uri=uri, artifact_class=Model, reimport=True)
    dsl.importer(
        artifact_uri='s3://bucket/x',
        artifact_class=Artifact,
        metadata={'team': 'data', 'owner': owner, 'deep': {'rows': rows, 'both': f'{owner}/{rows}', 'list': [owner, 1]}},
    ).set_caching_options(False)
    with dsl.ParallelFor(['gs://a', 'gs://b']) as item:
        use(data=dsl.importer(artifact_uri=item, artifact_class=Dataset, metadata={'from': said.output}).output)
