"""The schema files put together: in one piece for editors, and strict for what has been rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping as MappingOf
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
COMBINED = "kfgit"


def bundle(files: MappingOf[str, Schema], kind: str | None = None) -> Schema:
    """The schema of a kind, or the combined one, in one piece: what other files define stands in `$defs`."""
    root = f"{(kind or COMBINED).lower()}.schema.json"
    definitions: Schema = {}
    pending = [root]
    while pending:
        target = pending.pop()
        if target not in definitions:
            definitions[target] = _moved(_lookup(files, target), target.partition("#")[0], pending)
    top = definitions.pop(root)
    return {**top, "$defs": {_label(target): definitions[target] for target in sorted(definitions)}}


def _lookup(files: MappingOf[str, Schema], target: str) -> Schema:
    file, _, pointer = target.partition("#/$defs/")
    schema = files[file]
    found: Schema = schema["$defs"][pointer] if pointer else {k: v for k, v in schema.items() if k != "$defs"}
    return found


def _moved(part: Any, file: str, pending: list[str]) -> Any:
    """The part with references that hold inside the bundle; `pending` gets what they lead to."""
    if isinstance(part, list):
        return [_moved(item, file, pending) for item in part]
    if not isinstance(part, dict):
        return part
    moved = {key: _moved(value, file, pending) for key, value in part.items()}
    if isinstance(part.get("$ref"), str):
        target = part["$ref"] if not part["$ref"].startswith("#") else file + part["$ref"]
        pending.append(target)
        moved["$ref"] = f"#/$defs/{_label(target)}"
    return moved


def _label(target: str) -> str:
    file, _, pointer = target.partition("#/$defs/")
    stem = file.removesuffix(".schema.json")
    return f"{stem}.{pointer}" if pointer else stem


_TEMPLATE = {"$ref": "#/$defs/common.template"}
_FOR_EDITORS = frozenset({"allOf", "errorMessage", "defaultSnippets"})


def tighten(files: MappingOf[str, Schema], kind: str) -> Schema:
    """The schema of a kind for rendered documents: real types only, references inlined unless they recur."""
    whole = bundle(files, kind)
    definitions: Schema = whole.pop("$defs")
    top: Schema = _tightened(whole, definitions, frozenset())
    recurring: Schema = {}
    pending = list(_references(top))
    while pending:
        name = pending.pop()
        if name not in recurring:
            recurring[name] = _tightened(definitions[name], definitions, frozenset({name}))
            pending.extend(_references(recurring[name]))
    return {**top, "$defs": recurring}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"].removeprefix("#/$defs/")
    if isinstance(part, (dict, list)):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _references(item)


def _tightened(part: Any, definitions: Schema, inside: frozenset[str]) -> Any:
    if isinstance(part, list):
        return [_tightened(item, definitions, inside) for item in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    if name and name not in inside:
        beside = {key: value for key, value in part.items() if key != "$ref"}
        return _tightened({**definitions[name], **beside}, definitions, inside | {name})
    if part.get("if") == _TEMPLATE:
        beside = {key: value for key, value in part.items() if key not in {"if", "else"}}
        return _tightened({**part["else"], **beside}, definitions, inside)
    result = {k: _tightened(v, definitions, inside) for k, v in part.items() if k not in _FOR_EDITORS}
    if isinstance(result.get("pattern"), str):
        # Python's `$` also matches before a last newline; JSON Schema's does not.
        result["pattern"] = re.sub(r"\$$", r"\\Z", result["pattern"])
    return result
