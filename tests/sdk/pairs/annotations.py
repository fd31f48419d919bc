import typing
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import kfp
from kfp import dsl


@dsl.component
def take(
    a: List[Dict[str, int]], b: dict[str, int], c: list[str], d: Optional[List[str]], e: typing.List[typing.Dict], f: List,
    g: Dict, h: Union[str, None], i: int, j: typing.Optional[float] = 0.5, *, k: typing.Dict[str, typing.List[int]] = {},
    l: kfp.dsl.Input[kfp.dsl.Dataset] = None,
) -> NamedTuple('Outputs', [('one', str), ('two', typing.List[int]), ('three', kfp.dsl.Model), ('four', dict)]):
    return 'a', [1], None, {}


@dsl.component
def nothing() -> None:
    pass


@dsl.component
def listed() -> List[Dict[str, str]]:
    return []


@dsl.pipeline(name='annotations')
def pipeline():
    listed()
    nothing()
    take(a=[{'x': 1}], b={'y': 2}, c=['z'], d=[], e=[{}], f=[1, 'a'], g={}, h='h', i=1)
