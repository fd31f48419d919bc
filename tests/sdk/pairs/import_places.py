from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def find(name: str) -> str:
    return 'gs://x'


@dsl.component
def use(data: Input[Dataset]) -> str:
    return ''


@dsl.pipeline(name='bring')
def bring(uri: str, owner: str = 'me') -> Dataset:
    return dsl.importer(artifact_uri=uri, artifact_class=Dataset, metadata={'owner': owner}).output


@dsl.pipeline(name='import-places')
def pipeline(name: str) -> Dataset:
    found = find(name=name)
    got = dsl.importer(artifact_uri=found.output, artifact_class=Dataset, metadata={'of': name, 'from': found.output})
    use(data=got.output)
    use(data=bring(uri=found.output).output)
    with dsl.If(name == 'a'):
        inner = dsl.importer(artifact_uri='gs://a', artifact_class=Dataset)
        use(data=inner.output)
    with dsl.ParallelFor(['a', 'b'], parallelism=1) as item:
        uri = find(name=item)
        use(data=dsl.importer(artifact_uri=uri.output, artifact_class=Dataset, reimport=True).output)
        use(data=got.output)
    return got.output
