from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def make(data: Output[Dataset]) -> str:
    return 'x'


@dsl.component
def clean(text: str = 'none', number: int = 1):
    pass


@dsl.component
def look(data: Input[Dataset] = None):
    pass


@dsl.pipeline(name='inner')
def inner(text: str = 'inner'):
    clean(text=text)


@dsl.pipeline(name='ignored-failures')
def pipeline(word: str = 'w'):
    made = make()
    clean(text=made.outputs['Output'], number=1).ignore_upstream_failure()
    clean(text=word, number=2).after(made).ignore_upstream_failure()
    look(data=made.outputs['data']).ignore_upstream_failure()
    inner(text=made.outputs['Output']).ignore_upstream_failure()
    with dsl.ParallelFor([1, 2]) as item:
        one = make()
        clean(text=one.outputs['Output'], number=item).ignore_upstream_failure()
