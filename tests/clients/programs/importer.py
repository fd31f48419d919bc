"""An artifact that was there before, by an address that a parameter gives."""

from kfp import dsl
from kfp.dsl import Dataset, Input


@dsl.component
def weigh(data: Input[Dataset]) -> str:
    return f'{len(open(data.path).read())} {data.metadata["origin"]} {data.metadata["year"]}'


@dsl.pipeline(name='importer')
def pipeline(uri: str, year: int = 2026) -> str:
    imported = dsl.importer(
        artifact_uri=uri, artifact_class=Dataset, reimport=True, metadata={'origin': 'archive', 'year': year}
    )
    return weigh(data=imported.output).output


ARGUMENTS = {'uri': '{folder}/old.csv'}
BEFORE = {'old.csv': 'a,b,c\n'}
TASKS = {'importer': 'SUCCEEDED', 'weigh': 'SUCCEEDED'}
OUTPUTS = {'Output': '6 archive 2026'}
