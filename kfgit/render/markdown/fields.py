"""Values before and after as a coloured block: `@@ path @@`, then what goes in red and what comes in green.

A text of several lines, such as a script or a function, is compared line by line.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kfgit.plan import Difference
from kfgit.render.graph.plain import plain
from kfgit.render.markdown.blocks import fenced
from kfgit.render.markdown.fitting import Detail
from kfgit.render.markdown.inline import code
from kfgit.render.style import clean

# Beyond it lines are not compared, which takes time that grows faster than they do.
_COMPARED: Final = 600
_AROUND: Final = 2
_GAP: Final = "  ⋮"
_LISTED: Final = 20_000
_SHORT: Final = 48
# No reviewer reads a longer text here, and taking it apart takes time.
_LONGEST: Final = 200_000
_NAMED: Final = 3

Named = tuple[str, Difference]


def changes(fields: Sequence[Named], detail: Detail) -> str:
    """The fields, each under the path it has in its document, as many of them as `detail` allows."""
    lines = [line for path, field in fields[: detail.fields] for line in _field(path, field, detail)]
    more = len(fields) - detail.fields
    if more > 0:
        lines.append(f"@@ {counted(more).replace(' ', ' more ')}, not shown here @@")
    return fenced(lines, "diff")


def few(fields: Sequence[Difference], most: int) -> list[str] | None:
    """The fields as lines of a row, if these are no more than so many and all are short."""
    told = [inline(field) for field in fields[: most + 1]]
    short = [text for text in told if text is not None]
    return short if len(short) == len(fields) <= most else None


def named(fields: Sequence[Difference]) -> list[str]:
    """Which fields differ, or how many where that is too long for a row."""
    if len(fields) > _NAMED:
        return [counted(len(fields))]
    return [", ".join(code(field.path, 60) for field in fields)] if fields else []


def counted(count: int) -> str:
    """`1 field`, `2 fields`."""
    return f"{count} {'field' if count == 1 else 'fields'}"


def inline(field: Difference) -> str | None:
    """A field whose values are short, within a line."""
    sides = _sides(field)
    if any(len(side) > 1 for side in sides) or sum(len(line) for side in sides for line in side) > _SHORT:
        return None
    return f"{code(field.path)}: {' → '.join(code(side[0]) if side else 'none' for side in sides)}"


def _field(path: str, field: Difference, detail: Detail) -> Iterator[str]:
    yield f"@@ {plain(path, 200)} @@"
    lines = list(_changed(*_sides(field)))
    # A line that did not change begins with blanks, behind which a workflow's log would look for commands.
    yield from (clean(plain(line, detail.width)) for line in lines[: detail.lines])
    if len(lines) > detail.lines:
        yield f"  … {len(lines) - detail.lines} more lines"


def _sides(field: Difference) -> tuple[list[str], list[str]]:
    """Both values as lines; values that only look alike (`1` and `"1"`) as JSON."""
    before, after = _lines(field.before), _lines(field.after)
    if before != after or field.before == field.after:
        return before, after
    return [json.dumps(field.before, ensure_ascii=False)], [json.dumps(field.after, ensure_ascii=False)]


def _changed(before: Sequence[str], after: Sequence[str]) -> Iterable[str]:
    if len(before) < 2 or len(after) < 2:
        return _replaced(before, after)
    first = _same(before, after)
    last = _same(before[:first:-1], after[:first:-1])
    start, end = max(first - _AROUND, 0), max(last - _AROUND, 0)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    told = _compared(old, new) if len(old) + len(new) <= _COMPARED else _replaced(old, new)
    return [*([_GAP] if start else []), *told, *([_GAP] if end else [])]


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines are the same at the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _replaced(before: Iterable[str], after: Iterable[str]) -> Iterable[str]:
    return [*(f"- {line}" for line in before), *(f"+ {line}" for line in after)]


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """What differs with some lines around; a gap is a line of its own."""
    found = difflib.unified_diff(before, after, n=_AROUND, lineterm="")
    for index, line in enumerate(found):
        if line.startswith("@@"):
            if index > 2:
                yield _GAP
        elif index > 1:
            yield f"{line[0]} {line[1:]}"


def _lines(value: Any) -> list[str]:
    """A value as lines; nothing is none at all."""
    match value:
        case None:
            return []
        case str() if len(value) > _LONGEST:
            return [value[:_SHORT], f"… {len(value)} characters"]
        case str():
            return value.removesuffix("\n").split("\n") if value else ['""']
        case Mapping() | list():
            flat = json.dumps(value, ensure_ascii=False)
            return flat.split("\n") if len(flat) <= 60 or len(flat) > _LISTED else _outlined(value)
        case _:
            return [json.dumps(value)]


def _outlined(value: Any) -> list[str]:
    """Nested values as YAML would have them; what stands in them as JSON."""
    return list(_outline(value, ""))


def _outline(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        entries = [(f"{key}:", item) for key, item in value.items()]
    else:
        entries = [("-", item) for item in value]
    for head, item in entries:
        if item and isinstance(item, Mapping | list):
            yield f"{indent}{head}"
            yield from _outline(item, f"{indent}  ")
        elif isinstance(item, str) and "\n" in item:
            yield f"{indent}{head} |"
            yield from (f"{indent}  {line}" for line in item.rstrip("\n").split("\n"))
        else:
            told = item if isinstance(item, str) and item else json.dumps(item, ensure_ascii=False)
            yield f"{indent}{head} {told}"
