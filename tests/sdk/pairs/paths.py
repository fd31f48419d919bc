from typing import Dict, List

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, InputPath, Model, Output, OutputPath


@dsl.component
def write(
    text: OutputPath(str), number: OutputPath(int), share: OutputPath(float), flag: OutputPath(bool), items: OutputPath(list),
    table: OutputPath(dict), names: OutputPath(List[str]), sizes: OutputPath(Dict[str, int]), word: OutputPath('String'),
    data: OutputPath('Dataset'), model: OutputPath(Model), anything: OutputPath(),
):
    pass


@dsl.component
def read(data: InputPath('Dataset'), model: InputPath(Model), text: InputPath(str), number: InputPath('Integer') = 1):
    pass


@dsl.component
def look(data: Input[Dataset], anything: Input[Artifact], text: str, number: int, share: float, flag: bool, items: list,
         table: dict, names: List[str], sizes: dict, word: str):
    pass


@dsl.pipeline(name='paths')
def pipeline():
    made = write()
    out = made.outputs
    read(data=out['data'], model=out['model'], text=out['text'])
    look(data=out['data'], anything=out['anything'], text=out['text'], number=out['number'], share=out['share'], flag=out['flag'],
         items=out['items'], table=out['table'], names=out['names'], sizes=out['sizes'], word=out['word'])
