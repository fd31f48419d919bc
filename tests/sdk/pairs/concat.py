from typing import Optional

from kfp import dsl
from kfp.dsl import Dataset, Model, Input, Output


@dsl.container_component
def show(data: Input[Dataset], model: Output[Model], rate: float, name: Optional[str] = None):
    return dsl.ContainerSpec(
        image='busybox',
        command=['echo', dsl.ConcatPlaceholder(['--rate=', rate])],
        args=[
            dsl.ConcatPlaceholder(['file:', data.path, ',', data.uri]),
            dsl.ConcatPlaceholder(['--', dsl.ConcatPlaceholder(['inner-', rate, '-x']), '=', model.path]),
            dsl.ConcatPlaceholder(['--name=', dsl.IfPresentPlaceholder(input_name='name', then=name, else_='none'), '!']),
            dsl.ConcatPlaceholder(['--maybe=', dsl.IfPresentPlaceholder(input_name='name', then='yes')]),
        ],
    )


@dsl.pipeline(name='concat')
def pipeline(data: Input[Dataset]):
    show(data=data, rate=0.5)
