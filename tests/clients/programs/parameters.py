"""Every type of parameter, with defaults that the run leaves or replaces, and all of them as outputs again."""

from typing import Any, Dict, List, NamedTuple

from kfp import dsl


@dsl.component
def turn(text: str, count: int, rate: float, flag: bool, names: List[str], settings: Dict[str, Any]) -> NamedTuple(
    'Turned', [('text', str), ('count', int), ('rate', float), ('flag', bool), ('names', List[str]), ('settings', dict)]
):
    from collections import namedtuple

    turned = namedtuple('Turned', 'text count rate flag names settings')
    settings['seen'] = True
    return turned(text[::-1], -count, rate * 2, not flag, names[::-1], settings)


@dsl.component
def describe(text: str, count: int, rate: float, flag: bool, names: list, settings: dict) -> str:
    import json

    return json.dumps([text, count, rate, flag, names, settings], sort_keys=True)


@dsl.pipeline(name='parameters')
def pipeline(
    text: str = 'grün',
    count: int = 3,
    rate: float = 0.25,
    flag: bool = False,
    names: List[str] = ['a', 'b'],
    settings: Dict[str, Any] = {'deep': {'list': [1, 2.5, 'x']}},
) -> str:
    turned = turn(text=text, count=count, rate=rate, flag=flag, names=names, settings=settings)
    out = turned.outputs
    return describe(
        text=out['text'],
        count=out['count'],
        rate=out['rate'],
        flag=out['flag'],
        names=out['names'],
        settings=out['settings'],
    ).output


ARGUMENTS = {
    'text': 'grün "und" $HOME\nblau',
    'count': 40,
    'names': ['x', 'y', 'z'],
    'settings': {'a': {'b': [True, None, 'ü']}},
}
TASKS = {'turn': 'SUCCEEDED', 'describe': 'SUCCEEDED'}
OUTPUTS = {
    'turn.text': 'ualb\nEMOH$ "dnu" nürg',
    'turn.count': -40,
    'turn.rate': 0.5,
    'turn.flag': True,
    'turn.names': ['z', 'y', 'x'],
    'turn.settings': {'a': {'b': [True, None, 'ü']}, 'seen': True},
    'Output': '["ualb\\nEMOH$ \\"dnu\\" n\\u00fcrg", -40, 0.5, true, ["z", "y", "x"], '
    '{"a": {"b": [true, null, "\\u00fc"]}, "seen": true}]',
}
