"""Documents as YAML in kfgit's own stable form, with what cannot be said as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kfgit import formatting
from kfgit.formatting import Reformed, Shapes
from kfgit.importers.live import Draft
from kfgit.source import SourceFile

_API_VERSION = "kfgit.dev/v1"
# What a template would be, but for KFP's own placeholders.
_TEMPLATE = re.compile(r"\{\{(?!\$)|\{%|\{#")
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def files(found: Iterable[Draft], shapes: Shapes) -> dict[str, str]:
    """The texts of all files by their paths."""
    written: dict[str, str] = {}
    for draft in found:
        written[draft.path] = _text(draft, shapes)
        if draft.package is not None and draft.why is None:
            written[draft.package_path] = draft.package.to_yaml()
    return written


def _text(draft: Draft, shapes: Shapes) -> str:
    live = draft.live
    head = [f"{live.kind} {_line(live.name)} ({live.id}) as it was found on the server."]
    if draft.why is not None:
        head += [f"It cannot be a document: {_line(draft.why)}."]
    else:
        head += [f"Beware: {_line(remark)}." for remark in draft.remarks]
    body = _formed(draft.path, "\n".join(_block(_document(draft))) + "\n", shapes)
    comment = "".join(f"# {line}\n" for line in head)
    if draft.why is None:
        return _formed(draft.path, comment + body, shapes)
    return comment + "#\n" + "".join(f"# {line}\n" for line in body.splitlines())


def _line(text: str) -> str:
    """A text within one line of a comment."""
    whole = "".join(each if each.isprintable() else " " for each in text).rstrip(".")
    return " ".join(whole.split())


def _formed(path: str, text: str, shapes: Shapes) -> str:
    match formatting.form(SourceFile(path, text.encode()), shapes):
        case Reformed(content):
            return content.decode()
        case _:
            return text


def _document(draft: Draft) -> dict[str, Any]:
    metadata = {"name": draft.name}
    if draft.description:
        metadata["description"] = _escaped(draft.description)
    document: dict[str, Any] = {
        "apiVersion": _API_VERSION,
        "kind": draft.live.kind,
        "metadata": metadata,
    }
    spec = {key: _escaped(value) for key, value in draft.spec.items()}
    return {**document, "spec": spec} if spec else document


def _escaped(value: Any) -> Any:
    """A value in which nothing is a template or a reference."""
    match value:
        case str():
            literal = value.replace("$(", "$$(")
            return _TEMPLATE.sub(lambda opens: "{{ '" + opens[0] + "' }}", literal)
        case Mapping():
            return {str(key): _escaped(item) for key, item in value.items()}
        case list():
            return [_escaped(item) for item in value]
        case _:
            return value


def _block(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield f"{indent}{_leaf(key)}:"
            yield from _block(item, indent + "  ")
        else:
            yield f"{indent}{_leaf(key)}: {_leaf(item)}"


def _leaf(value: Any) -> str:
    """JSON, with numbers that no reader of YAML takes for texts."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{_leaf(str(key))}: {_leaf(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_leaf, value)) + "]"
        case float():
            digits, e, power = repr(value).partition("e")
            return f"{digits if '.' in digits else digits + '.0'}{e}{power}"
        case str():
            return _quoted(value)
        case _:
            return json.dumps(value)


def _quoted(text: str) -> str:
    """What YAML allows in no file is escaped (YAML 1.2, 5.1), and what some readers take for the end of a line."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
