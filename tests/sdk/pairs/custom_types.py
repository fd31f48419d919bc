from typing import List

from kfp import dsl
from kfp.dsl import Artifact, Input, Output


class Index(Artifact):
    schema_title = 'google.Index'
    schema_version = '1.2.0'


class Page(Artifact):
    schema_title = 'google.Page'
    schema_version = '0.0.1'


@dsl.container_component
def build(pages: Input[List[Page]], seed: Input[Index], index: Output[Index], page: Output[Page]):
    return dsl.ContainerSpec(image='indexer', command=['build'], args=[seed.path, index.path, page.uri])


@dsl.container_component
def ask(index: Input[Index], anything: Input[Artifact]):
    return dsl.ContainerSpec(image='indexer', command=['ask', index.path, anything.path])


@dsl.pipeline(name='custom-types')
def pipeline(pages: Input[List[Page]], old: Input[Index]) -> Index:
    seed = dsl.importer(artifact_uri='s3://bucket/index', artifact_class=Index)
    built = build(pages=pages, seed=seed.output)
    ask(index=built.outputs['index'], anything=built.outputs['page'])
    ask(index=old, anything=seed.output)
    with dsl.ParallelFor([1, 2]):
        again = build(pages=pages, seed=old)
    build(pages=dsl.Collected(again.outputs['page']), seed=old)
    return built.outputs['index']
