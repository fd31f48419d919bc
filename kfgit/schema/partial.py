"""The combined schema for overlays, whose documents leave out what their base says (RFC 7386).

Nothing is required but a kind and a name, `null` deletes what may stand there, and rules that compare keys wait for the
merged document. Lists replace, so their items are whole. An Environment or Project is never an overlay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping as MappingOf
from typing import Any

from kfgit.schema.bundles import Schema, bundle

_WHOLE = {"Environment", "Project"}
_LEFT_OUT = {"required", "minProperties"}
_AS_IT_IS = {"items", "if", "propertyNames", "examples", "default", "defaultSnippets"}
_RULES = {"x-kfgit-choice", "x-kfgit-exclusive", "x-kfgit-only-with", "x-kfgit-needs"}
_SUFFIX = ".partial"


def partial(files: MappingOf[str, Schema]) -> Schema:
    """What editors are told of documents below `environments/`."""
    whole = bundle(files)
    definitions: Schema = whole.pop("$defs")
    kinds = [kind for kind in whole["properties"]["kind"]["enum"] if kind not in _WHOLE]
    named = {"required": ["metadata"], "properties": {"metadata": {"required": ["name"]}}}
    branches = [_branch(branch) for branch in whole["allOf"]]
    of_overlay = {"properties": {"kind": {"enum": kinds}}, "required": ["kind"]}
    top: Schema = {**whole, "title": "kfgit overlay", "allOf": [*branches, {"if": of_overlay, "then": named}]}
    found: Schema = {}
    pending = list(_references(top))
    while pending:
        name = pending.pop()
        if name not in found:
            base = name.removesuffix(_SUFFIX)
            found[name] = definitions[base] if base == name else _partial(definitions[base])
            pending += _references(found[name])
    return {**top, "$defs": dict(sorted(found.items()))}


def _branch(branch: Schema) -> Schema:
    """What holds for documents of one kind."""
    kind = branch["if"].get("properties", {}).get("kind", {}).get("const")
    return branch if kind is None or kind in _WHOLE else {**branch, "then": _partial(branch["then"])}


def _partial(part: Any) -> Any:
    if isinstance(part, list):
        return [_partial(item) for item in part]
    if not isinstance(part, dict):
        return part
    rules = {"allOf"} if _RULES & part.keys() else set()
    return {key: _word(key, value) for key, value in part.items() if key not in _LEFT_OUT | rules}


def _word(key: str, value: Any) -> Any:
    match key:
        case "$ref":
            return f"{value}{_SUFFIX}"
        case "type" if isinstance(value, (str, list)):
            return [*([value] if isinstance(value, str) else value), "null"]
        case "enum" if isinstance(value, list):
            return [*value, None]
        case "properties":  # names, which may be words of the schema
            return {name: _partial(field) for name, field in value.items()}
        case _ if key in _AS_IT_IS:
            return value
        case _:
            return _partial(value)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"].removeprefix("#/$defs/")
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _references(item)
