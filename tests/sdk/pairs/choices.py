from typing import List, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input


@dsl.container_component
def show(
    name: Optional[str] = None, number: Optional[int] = None, share: float = 0.5, on: bool = True, items: Optional[list] = None,
    data: Input[Dataset] = None,
):
    return dsl.ContainerSpec(
        image='busybox',
        command=['echo'],
        args=[
            dsl.IfPresentPlaceholder(input_name='name', then=[name], else_=['nobody']),
            dsl.IfPresentPlaceholder(input_name='name', then=['--name', name]),
            dsl.IfPresentPlaceholder(input_name='number', then=['--number', number, 'of'], else_=['--numberless', 'x']),
            dsl.IfPresentPlaceholder(input_name='share', then=['--share']),
            dsl.IfPresentPlaceholder(input_name='on', then=['--on'], else_=['--off']),
            dsl.IfPresentPlaceholder(input_name='items', then=['--items', items]),
        ],
    )


@dsl.pipeline(name='choices')
def pipeline(name: Optional[str] = None):
    show()
    show(name=name, number=3, items=[1, 2])
