"""Inputs that may be left out: parameters, artifacts, those of a nested pipeline, and those of the run itself."""

from typing import Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(data: Output[Dataset]):
    open(data.path, 'w').write('data')


@dsl.component
def use(word: Optional[str] = None, number: Optional[int] = None, data: Optional[Input[Dataset]] = None) -> str:
    return f'{word} {number} {open(data.path).read() if data else data}'


@dsl.pipeline(name='inner')
def inner(word: Optional[str] = None, data: Optional[Input[Dataset]] = None) -> str:
    return use(word=word, data=data).output


@dsl.pipeline(name='optional-inputs')
def pipeline(word: Optional[str] = None, number: Optional[int] = 7):
    made = make()
    use()
    use(word=word, number=number, data=made.outputs['data'])
    inner()
    inner(word='given', data=made.outputs['data'])


ARGUMENTS = {}
TASKS = {'make': 'SUCCEEDED', 'use': 'SUCCEEDED', 'inner/use': 'SUCCEEDED'}
OUTPUTS = {
    'use.Output': 'None None None',
    'use-2.Output': 'None 7 data',
    'inner/use.Output': 'None None None',
    'inner-2/use.Output': 'given None data',
}
