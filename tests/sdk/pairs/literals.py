from typing import Dict, List

from kfp import dsl


@dsl.component
def make() -> str:
    return 'a'


@dsl.component
def number() -> int:
    return 1


@dsl.component
def take(words: List[str] = [], numbers: List[int] = [], table: Dict[str, str] = {}, deep: dict = {}, mixed: list = []):
    pass


@dsl.pipeline(name='literals')
def pipeline(word: str, size: int, share: float, on: bool, names: List[str], options: dict):
    a, n = make().output, number().output
    take(words=['a', 'b'], numbers=[1, -2], table={'a': 'b'}, deep={'a': {'b': [1, 'x', {'c': True}]}}, mixed=[[], {}, 1.5, False, ''])
    take(words=[a, word, 'c'], numbers=[n, size, 3], table={'a': a, 'b': word}, deep={'a': {'b': [a, n, {'c': on}]}}, mixed=[a, n, share, on])
    take(words=[f'{a}-{word}', f'x {n}'], table={'k': f'{word}/{size}'}, deep={'list': [f'{a}{share}', [word]]})
    take(words=names, deep=options)
    with dsl.ParallelFor([1, 2]) as item:
        take(words=[word], numbers=[item, n], deep={'i': [item], 'w': word})
