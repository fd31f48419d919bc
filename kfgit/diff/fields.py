"""Which fields of two documents differ, by the paths that `render --explain` and JSON use.

Told apart is what YAML tells apart: `1`, `1.0` and `true`, and null from what is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from kfgit import plan
from kfgit.plan import Difference

_SIMPLE = re.compile(r"[A-Za-z0-9_-]+\Z")
_NULL = "null"
# Lists of that many scalars are told whole.
_SHORT = 12
# Lists in more lists are told whole: in each of them all that is below is compared anew.
_DEEPEST = 6


class _Absent:
    """Stands for a field that is not there."""


_ABSENT = _Absent()


def fields(before: Any, after: Any, path: str = "", name: str = "", lists: int = 0) -> Iterator[Difference]:
    """The fields that differ between two plain values; what is a secret stays untold.

    `name` is the key that a value stands under, which says whether it is a secret; `lists` are those around it.
    """
    match before, after:
        case Mapping(), Mapping() if len(path) <= plan.LONGEST_PATH:
            for key in sorted({*before, *after}, key=str):
                one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
                inner = plan.named(str(key), name, before, after)
                yield from fields(one, other, below(path, key), inner, lists)
        case list(), list() if lists < _DEEPEST and not (_is_short(before) and _is_short(after)):
            yield from _items(before, after, path, name, lists + 1)
        case _ if not same(before, after):
            yield _leaf(before, after, path, name)
        case _:
            pass


def same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same thing as YAML reads it; NaN is itself."""
    return one is other or (
        not isinstance(one, _Absent) and not isinstance(other, _Absent) and text(one) == text(other)
    )


def text(value: Any) -> str:
    """A plain value as text that only the same value has."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def below(path: str, key: object) -> str:
    """The path of a field: `spec.inputs.x`; a key that a point would tear apart stands in brackets."""
    if not _SIMPLE.match(str(key)):
        return f"{path}[{json.dumps(str(key), ensure_ascii=False)}]"
    return f"{path}.{key}" if path else str(key)


def _is_short(found: Sequence[Any]) -> bool:
    return len(found) <= _SHORT and not any(isinstance(each, Mapping | list) for each in found)


def _items(before: list[Any], after: list[Any], path: str, name: str, lists: int) -> Iterator[Difference]:
    """Lists item by item; where both begin and end alike, only what is between."""
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    middle = (before[start : len(before) - end], after[start : len(after) - end])
    for index, (one, other) in enumerate(zip_longest(*middle, fillvalue=_ABSENT), start):
        yield from fields(one, other, f"{path}[{index}]", name, lists)


def _alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    most = min(len(one), len(other))
    return next((n for n, (mine, theirs) in enumerate(pairs) if not same(mine, theirs)), most)


def _leaf(before: Any, after: Any, path: str, name: str) -> Difference:
    """One field as it may be shown. Null beside what is not there is said in a word: None stands for both."""
    if before is _ABSENT or after is _ABSENT:
        before, after = (
            None if value is _ABSENT else _NULL if value is None else value for value in (before, after)
        )
    return Difference(path, plan.shown(name, before), plan.shown(name, after))
