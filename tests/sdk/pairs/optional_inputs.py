from typing import Dict, List, Optional

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model


@dsl.component
def take(
    must: Optional[str], text: Optional[str] = None, number: int = None, share: Optional[float] = None, flag: bool = None,
    items: Optional[List[str]] = None, table: Dict[str, int] = None, data: Optional[Input[Dataset]] = None,
    models: Input[List[Model]] = None,
):
    pass


@dsl.container_component
def show(text: Optional[str] = None, number: int = 3, data: Input[Artifact] = None):
    return dsl.ContainerSpec(image='busybox', command=['true'])


@dsl.pipeline(name='inner')
def inner(text: Optional[str] = None, data: Optional[Input[Dataset]] = None, number: int = 5):
    take(must='x', text=text, data=data, number=number)


@dsl.pipeline(name='optional-inputs')
def pipeline(
    must: str, text: Optional[str] = None, number: Optional[int] = None, items: Optional[List[str]] = None,
    data: Optional[Input[Dataset]] = None, models: Input[List[Model]] = None,
):
    take(must=must)
    take(must='a', text=text, number=number, items=items, data=data, models=models)
    show()
    show(text=text, number=4, data=data)
    inner()
    inner(text=text, data=data)
