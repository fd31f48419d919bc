"""Documents as YAML, plain or with the origin of every value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping as MappingOf, Sequence as SequenceOf
from typing import Any, NamedTuple

from kfgit.document import Mapping, Node, Scalar, Sequence, at, core_value
from kfgit.overlay import Removal
from kfgit.render.style import Style, clean
from kfgit.source import Span

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@$()-]*\Z")
_SURPRISES = {"yes", "no", "on", "off", "y", "n", "null", "true", "false", "~"}
_SIMPLE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")

Path = tuple[str | int, ...]


class Note(NamedTuple):
    """A comment of its own line, and where what it says comes from."""

    text: str
    where: str = ""


def yaml(
    root: Node,
    style: Style,
    *,
    explain: bool = False,
    removed: SequenceOf[Removal] = (),
    notes: MappingOf[Path, SequenceOf[Note]] | None = None,
) -> str:
    """Block YAML in the order of the source.

    With `explain` a comment says where each value comes from, what `removed` is of it stands where it was, and `notes`
    below the value, or at the end of the map or list, that they are about.
    """
    below = _below_values(root, removed, notes or {}) if explain else {}
    lines = list(_Writer(below, explain=explain).lines(root, "", ()))
    width = min(max((len(text) for text, where in lines if where), default=0), style.width - 30, 70)
    shown = (
        f"{clean(text):<{width}}  {style.dim('# ' + clean(_flat(where)))}" if where else clean(text)
        for text, where in lines
    )
    return "".join(f"{line.rstrip()}\n" for line in shown)


def _still_gone(root: Node, removed: SequenceOf[Removal]) -> dict[Path, list[Removal]]:
    """What was removed and not put back, by the map or list that had it; of two removals of one place the last."""
    last = {one.path: one for one in removed}
    gone: dict[Path, list[Removal]] = {}
    for one in last.values():
        above = at(root, one.path[:-1])
        if isinstance(above, Sequence) or (isinstance(above, Mapping) and one.path[-1] not in above.entries):
            gone.setdefault(one.path[:-1], []).append(one)
    return gone


def _below_values(
    root: Node, removed: SequenceOf[Removal], notes: MappingOf[Path, SequenceOf[Note]]
) -> dict[Path, list[Note]]:
    found = {
        path: [
            Note(f"# {_key(str(one.path[-1]))}: removed", f"{place(one.span)}, was {place(one.was)}")
            for one in gone
        ]
        for path, gone in _still_gone(root, removed).items()
    }
    for path, more in notes.items():
        found.setdefault(path, []).extend(more)
    return found


class _Writer:
    def __init__(self, notes: dict[Path, list[Note]], *, explain: bool) -> None:
        self._notes, self._explain = notes, explain

    def lines(self, node: Node, indent: str, path: Path, lead: str = "") -> Iterator[tuple[str, str]]:
        """Each line, and where what it says comes from."""
        match node:
            case Mapping(entries=entries) if entries:
                first = lead
                for key, entry in entries.items():
                    head = f"{first or indent}{_key(key)}:"
                    yield from self._entry(head, entry.node, indent, (*path, key))
                    first = ""
            case Sequence(items=items) if items:
                first = lead
                for index, item in enumerate(items):
                    yield from self.lines(item, f"{indent}  ", (*path, index), f"{first or indent}- ")
                    first = ""
            case Scalar(value=str() as text) if "\n" in text and _can_be_block(text):
                yield from self._block(lead, node, text, indent)
            case _:
                yield f"{lead or indent}{_leaf(node)}", self._origin(node)
        yield from self._told(indent, path)

    def _entry(self, head: str, node: Node, indent: str, path: Path) -> Iterator[tuple[str, str]]:
        match node:
            case Mapping(entries=below) | Sequence(items=below) if below:
                yield head, ""
                yield from self.lines(node, f"{indent}  ", path)
            case Scalar(value=str() as text) if "\n" in text and _can_be_block(text):
                yield from self._block(f"{head} ", node, text, f"{indent}  ")
            case _:
                yield f"{head} {_leaf(node)}", self._origin(node)
                yield from self._told(f"{indent}  ", path)

    def _block(self, head: str, node: Node, text: str, indent: str) -> Iterator[tuple[str, str]]:
        yield f"{head}|{'' if text.endswith(chr(10)) else '-'}", self._origin(node)
        for line in text.removesuffix("\n").split("\n"):
            yield (f"{indent}{line}" if line else ""), ""

    def _told(self, indent: str, path: Path) -> Iterator[tuple[str, str]]:
        for text, where in self._notes.get(path, ()):
            yield f"{indent}{text}", where

    def _origin(self, node: Node) -> str:
        if not self._explain:
            return ""
        origins = node.origins if isinstance(node, Scalar) else ()
        return " ← ".join([place(node.span), *(f"{o.what} {place(o.span)}".rstrip() for o in origins)])


def _can_be_block(text: str) -> bool:
    lines = text.removesuffix("\n").split("\n")
    return (
        not text.startswith((" ", "\n"))
        and not text.endswith("\n\n")
        and all(line == line.rstrip() and line.isprintable() for line in lines)
    )


def _key(key: str) -> str:
    return key if _is_plain(key) else json.dumps(key, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.match(text)) and text.lower() not in _SURPRISES and isinstance(core_value(text), str)


def _leaf(node: Node) -> str:
    match node:
        case Mapping():
            return "{}"
        case Sequence():
            return "[]"
        case Scalar(value=None):
            return "null"
        case Scalar(value=str() as text):
            return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)
        case Scalar(value=float() as number):
            return _float(number)
        case Scalar(value=value):
            return json.dumps(value)


def _float(number: float) -> str:
    """As readers of YAML 1.1 and 1.2 take it for a number: with a point, and infinity by YAML's name."""
    if math.isinf(number) or math.isnan(number):
        return ".nan" if math.isnan(number) else ".inf" if number > 0 else "-.inf"
    digits, e, power = repr(number).partition("e")
    return f"{digits if '.' in digits else f'{digits}.0'}{e}{power}"


def _flat(where: str) -> str:
    """A comment ends with its line, and a file may have any name."""
    return where.replace("\n", "\\n")


def inline(value: Any) -> str:
    """A value on one line, as YAML reads it."""
    plain_ = isinstance(value, str) and _is_plain(value)
    return value if plain_ else json.dumps(value, ensure_ascii=False, default=str)


def pointer(path: Path) -> str:
    """A path as people write it, such as `spec.tasks.train` or `node.selector["a.b/c"]`."""
    text = ""
    for step in path:
        text = _below(text, step)
    return text


def place(span: Span | None) -> str:
    """A file and line."""
    return f"{span.file}:{span.line}" if span is not None else ""


def place_of(span: Span | None) -> dict[str, str | int | None]:
    """The same for machines."""
    return {"file": span.file if span else None, "line": span.line if span else None}


def origins(node: Node, path: str = "") -> Iterator[dict[str, object]]:
    """Every leaf with its path and where it comes from, for machines."""
    match node:
        case Mapping(entries=entries) if entries:
            for key, entry in entries.items():
                yield from origins(entry.node, _below(path, key))
        case Sequence(items=items) if items:
            for index, item in enumerate(items):
                yield from origins(item, _below(path, index))
        case _:
            via = node.origins if isinstance(node, Scalar) else ()
            yield {
                "path": path,
                **place_of(node.span),
                "via": [{"what": o.what, **place_of(o.span)} for o in via],
            }


def losses(root: Node, removed: SequenceOf[Removal]) -> Iterator[dict[str, object]]:
    """What was removed, by what, and where it had been written, for machines."""
    for gone in _still_gone(root, removed).values():
        for one in gone:
            yield {"path": pointer(one.path), **place_of(one.span), "was": place_of(one.was)}


def _below(path: str, step: str | int) -> str:
    """`spec.inputs.x[0]`; a key that a point would tear apart stands in brackets, as in `labels["a.b/c"]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if not _SIMPLE_KEY.match(step):
        return f"{path}[{json.dumps(step, ensure_ascii=False)}]"
    return f"{path}.{step}" if path else step
