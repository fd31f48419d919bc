from typing import Dict, List

from kfp import dsl


@dsl.component
def take(
    text: str = '', word: str = 'é "quoted" \\ line\nnext', low: int = -7, zero: int = 0, small: float = 1e-4,
    whole: float = 2.0, off: bool = False, nothing: list = [], empty: dict = {}, rows: List[Dict[str, float]] = [{'a': 0.5}],
):
    pass


@dsl.pipeline(name='defaults')
def pipeline(
    text: str = '', word: str = 'é "quoted" \\ line\nnext', low: int = -7, zero: int = 0, small: float = 1e-4,
    whole: float = 2.0, off: bool = False, nothing: list = [], empty: dict = {},
    rows: List[dict] = [{'a': [0.5, True, 'x'], 'b': {}}], on: bool = True,
):
    take()
    take(text=text, word=word, low=low, zero=zero, small=small, whole=whole, off=off, nothing=nothing, empty=empty, rows=rows)
    take(text='', low=-1, zero=0, small=-0.5, whole=3.0, off=False, nothing=[], empty={}, rows=[{'a': 1.0}, {}])
