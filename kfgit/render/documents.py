"""Documents as YAML, plain or with the origin of every value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from kfgit.document import Mapping, Node, Scalar, Sequence, core_value
from kfgit.render.style import Style, clean
from kfgit.source import Span

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@$()-]*\Z")
_SURPRISES = {"yes", "no", "on", "off", "y", "n", "null", "true", "false", "~"}


def yaml(root: Node, style: Style, *, explain: bool = False) -> str:
    """Block YAML in the order of the source; with `explain` a comment says where each value comes from."""
    lines = list(_lines(root, "", explain=explain))
    width = min(max((len(text) for text, where in lines if where), default=0), style.width - 30, 70)
    shown = (
        f"{clean(text):<{width}}  {style.dim('# ' + clean(where))}" if where else clean(text)
        for text, where in lines
    )
    return "".join(f"{line.rstrip()}\n" for line in shown)


def _lines(node: Node, indent: str, *, explain: bool, lead: str = "") -> Iterator[tuple[str, str]]:
    match node:
        case Mapping(entries=entries) if entries:
            first = lead
            for key, entry in entries.items():
                yield from _entry(f"{first or indent}{_key(key)}:", entry.node, indent, explain=explain)
                first = ""
        case Sequence(items=items) if items:
            first = lead
            for item in items:
                yield from _item(first or indent, item, indent, explain=explain)
                first = ""
        case _:
            yield f"{lead or indent}{_leaf(node)}", _origin(node, explain=explain)


def _entry(head: str, node: Node, indent: str, *, explain: bool) -> Iterator[tuple[str, str]]:
    match node:
        case Mapping(entries=entries) if entries:
            yield head, ""
            yield from _lines(node, f"{indent}  ", explain=explain)
        case Sequence(items=items) if items:
            yield head, ""
            yield from _lines(node, f"{indent}  ", explain=explain)
        case Scalar(value=str() as text) if "\n" in text and _can_be_block(text):
            yield f"{head} |{'' if text.endswith(chr(10)) else '-'}", _origin(node, explain=explain)
            for line in text.removesuffix("\n").split("\n"):
                yield (f"{indent}  {line}" if line else ""), ""
        case _:
            yield f"{head} {_leaf(node)}", _origin(node, explain=explain)


def _item(lead: str, node: Node, indent: str, *, explain: bool) -> Iterator[tuple[str, str]]:
    yield from _lines(node, f"{indent}  ", explain=explain, lead=f"{lead}- ")


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
        case Scalar(value=value):
            return json.dumps(value)


def _origin(node: Node, *, explain: bool) -> str:
    if not explain:
        return ""
    origins = node.origins if isinstance(node, Scalar) else ()
    return " ← ".join([_place(node.span), *(f"{o.what} {_place(o.span)}".rstrip() for o in origins)])


def _place(span: Span | None) -> str:
    return f"{span.file}:{span.line}" if span is not None else ""


def _place_of(span: Span | None) -> dict[str, str | int | None]:
    return {"file": span.file if span else None, "line": span.line if span else None}


def origins(node: Node, path: str = "") -> Iterator[dict[str, object]]:
    """Every leaf with its path and where it comes from, for machines."""
    match node:
        case Mapping(entries=entries) if entries:
            for key, entry in entries.items():
                yield from origins(entry.node, f"{path}.{key}" if path else key)
        case Sequence(items=items) if items:
            for index, item in enumerate(items):
                yield from origins(item, f"{path}[{index}]")
        case _:
            via = node.origins if isinstance(node, Scalar) else ()
            yield {
                "path": path,
                **_place_of(node.span),
                "via": [{"what": o.what, **_place_of(o.span)} for o in via],
            }
