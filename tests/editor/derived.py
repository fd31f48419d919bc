"""What the schemas say to editors, made from kfgit's own notes in them.

A rule about keys is a note for `validate` (`x-kfgit-choice` and its like), and `if` and `then` for editors. Both stand
in the files, and the second follows from the first: `pytest tests/editor --accept` writes it anew. Its form is one that
editors answer with one plain message for one mistake; to `oneOf` and `anyOf` they say "matches multiple schemas" or "is
not valid under any of them". `errorMessage` and `defaultSnippets` are words of VS Code's language servers, for
messages and for values to offer; to others they are notes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kfgit.schema.words import joined

Schema = dict[str, Any]
_RULES = ("choice", "exclusive", "only-with", "needs", "reserved")
_TEMPLATE = "#/$defs/template"
_WIDTH = 110


def derived(part: Any) -> Any:
    """The schema with all that follows from its notes."""
    if isinstance(part, list):
        return [derived(item) for item in part]
    if not isinstance(part, dict):
        return part
    result = {key: value if key in {"examples", "default"} else derived(value) for key, value in part.items()}
    if any(f"x-kfgit-{rule}" in part for rule in _RULES):
        for word in ("oneOf", "dependentSchemas", "not"):
            result.pop(word, None)
        result["allOf"] = [
            *_choice(part),
            *_exclusive(part),
            *_only_with(part),
            *_needs(part),
            *_reserved(part),
        ]
    if isinstance(part.get("x-kfgit-form"), str) and not {"properties", "enum"} & part.keys():
        result["errorMessage"] = f"Expected {part['x-kfgit-form']}."
    snippets = _values(part)
    if snippets:
        result["defaultSnippets"] = [
            {"label": body if isinstance(body, str) else json.dumps(body), "body": body} for body in snippets
        ]
    return result


def text(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON as the files are written: what fits stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or indent + before + len(line) <= _WIDTH:
        return line
    inner, (first, last) = " " * (indent + 2), "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        keys = {f"{json.dumps(key, ensure_ascii=False)}: ": item for key, item in value.items()}
        lines = [f"{inner}{key}{text(item, indent + 2, len(key))}" for key, item in keys.items()]
    else:
        lines = [f"{inner}{text(item, indent + 2)}" for item in value]
    return "\n".join([first, ",\n".join(lines), " " * indent + last])


def _values(part: Schema) -> list[Any]:
    """The values of a field that may also be a template."""
    condition = part.get("if")
    if not (isinstance(condition, dict) and str(condition.get("$ref")).endswith(_TEMPLATE)):
        return []
    otherwise = part["else"]
    return [True, False] if otherwise.get("type") == "boolean" else otherwise.get("enum", [])


def _choice(part: Schema) -> Iterator[Schema]:
    keys = part.get("x-kfgit-choice", [])
    if keys:
        yield _one_of(keys, part, keys)


def _one_of(keys: list[str], part: Schema, left: list[str]) -> Schema:
    """Of the keys that are left one stands there, and it is the only one."""
    what, (first, *rest) = part["x-kfgit-what"], left
    if rest:
        alone = f"{what[0].upper()}{what[1:]} has exactly one of {joined(keys, 'and')}."
        return {
            "if": {"required": [first]},
            "then": {"properties": dict.fromkeys(rest, False), "errorMessage": alone},
            "else": _one_of(keys, part, rest),
        }
    # A key that is misspelt or refused is told by itself: it was meant as one of these.
    needed = f"{what[0].upper()}{what[1:]} needs exactly one of {joined(keys, 'and')}."
    return {
        "if": {"propertyNames": {"enum": [*part["properties"]]}},
        "then": {"required": [first], "errorMessage": needed},
    }


def _exclusive(part: Schema) -> Iterator[Schema]:
    for first, second in part.get("x-kfgit-exclusive", []):
        what = part["x-kfgit-what"]
        both = f"{what[0].upper()}{what[1:]} cannot have both {joined([first, second], 'and')}."
        yield {
            "if": {"required": [first]},
            "then": {"properties": {second: False}, "errorMessage": both},
        }


def _only_with(part: Schema) -> Iterator[Schema]:
    """Where another choice was made. A choice that is missing or made twice is told by itself."""
    beside: dict[tuple[str, ...], list[Schema]] = {}
    for key, companions in part.get("x-kfgit-only-with", {}).items():
        message = f"`{key}` is allowed only beside {joined(companions, 'or')}."
        beside.setdefault(tuple(companions), []).append({"properties": {key: False}, "errorMessage": message})
    for companions, refusals in beside.items():
        other = [key for key in part["x-kfgit-choice"] if key not in companions]
        yield {
            "if": {"anyOf": _present(other), "not": {"anyOf": _present(companions)}},
            "then": {"allOf": refusals},
        }


def _present(keys: Any) -> list[Schema]:
    return [{"required": [key]} for key in keys]


def _needs(part: Schema) -> Iterator[Schema]:
    """What a choice needs, where it is the only one."""
    for key, others in part.get("x-kfgit-needs", {}).items():
        other = [choice for choice in part["x-kfgit-choice"] if choice != key]
        yield {"if": {"required": [key], "not": {"anyOf": _present(other)}}, "then": {"required": others}}


def _reserved(part: Schema) -> Iterator[Schema]:
    for name in part.get("x-kfgit-reserved", []):
        yield {"pattern": f"^(?!{name}$)", "errorMessage": f"The name `{name}` is reserved."}
