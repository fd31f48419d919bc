from typing import Dict, List, NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output


@dsl.component
def make(text: str, data: Output[Dataset], model: Output[Model], page: Output[HTML], metrics: Output[Metrics]) -> NamedTuple(
    'Outputs', said=str, number=int, share=float, on=bool, items=List[str], table=Dict[str, int],
):
    return text, 1, 0.5, True, [], {}


@dsl.pipeline(name='outputs')
def pipeline(text: str) -> NamedTuple(
    'Outputs', said=str, number=int, share=float, on=bool, items=List[str], table=Dict[str, int], data=Dataset, model=Model,
    page=HTML, metrics=Metrics, imported=Artifact, each=List[Dataset], texts=List[str], again=str,
):
    made = make(text=text)
    imported = dsl.importer(artifact_uri='gs://x', artifact_class=Artifact)
    with dsl.ParallelFor(['a', 'b']) as item:
        inner = make(text=item)
    out = made.outputs
    outputs = NamedTuple(
        'Outputs', said=str, number=int, share=float, on=bool, items=List[str], table=Dict[str, int], data=Dataset, model=Model,
        page=HTML, metrics=Metrics, imported=Artifact, each=List[Dataset], texts=List[str], again=str,
    )
    return outputs(
        out['said'], out['number'], out['share'], out['on'], out['items'], out['table'], out['data'], out['model'], out['page'],
        out['metrics'], imported.output, dsl.Collected(inner.outputs['data']), dsl.Collected(inner.outputs['said']), out['said'],
    )
