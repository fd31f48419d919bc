from typing import List

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output


@dsl.component
def make(data: Output[Dataset], anything: Output[Artifact]):
    pass


@dsl.component
def use(data: Input[Dataset] = None, anything: Input[Artifact] = None, model: Input[Model] = None, many: Input[List[Artifact]] = None):
    pass


@dsl.pipeline(name='inner')
def inner(anything: Input[Artifact]) -> Artifact:
    use(model=anything)
    return make().outputs['data']


@dsl.pipeline(name='artifact-fits')
def pipeline(given: Input[Artifact]):
    made = make()
    use(anything=made.outputs['data'])
    use(data=made.outputs['anything'], model=given)
    passed = inner(anything=made.outputs['data'])
    use(data=passed.output)
    with dsl.ParallelFor([1]):
        each = make()
    use(many=dsl.Collected(each.outputs['data']))
