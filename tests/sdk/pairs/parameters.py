from typing import Dict, List, NamedTuple, Optional

from kfp import dsl


@dsl.component
def consume(
    text: str,
    number: int,
    share: float,
    flag: bool,
    items: list,
    table: dict,
    word: str = 'none',
    many: int = 3,
    part: float = 0.5,
    on: bool = True,
    names: List[str] = ['a', 'b'],
    sizes: Dict[str, int] = {'a': 1},
    maybe: Optional[str] = None,
) -> NamedTuple('Outputs', a=str, b=int, c=float, d=bool, e=list, f=dict):
    # A comment that travels.
    return text, number, share, flag, items, table


@dsl.component
def double(number: int) -> int:
    return number * 2


@dsl.pipeline(name='parameters', description='Every type of parameter.')
def pipeline(
    text: str,
    number: int = 7,
    share: float = 1.0,
    flag: bool = False,
    items: list = [1, 'b', {'c': 'd'}],
    table: dict = {'k': [1, 2]},
    maybe: Optional[str] = None,
) -> NamedTuple('Outputs', doubled=int, share=float):
    first = consume(text=text, number=number, share=share, flag=flag, items=items, table=table, maybe=maybe)
    consume(
        text='plain', number=1, share=2.0, flag=True, items=[1, 2.5, 'x'], table={'a': {'b': True}}, word='other',
    )
    twice = double(number=first.outputs['b'])
    outputs = NamedTuple('Outputs', doubled=int, share=float)
    return outputs(twice.output, first.outputs['c'])
