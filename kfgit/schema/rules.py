"""Rules about values and keys that JSON Schema's own words say badly: each tells every mistake on its own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

from kfgit.schema.bundles import Schema

# A rule: the keyword's value, the instance and the schema to (code, path below the instance, payload).
Found: TypeAlias = Iterator[tuple[str, tuple[str | int, ...], Any]]
Rule: TypeAlias = Callable[[Any, Any, Schema], Found]


def unknown_keys(_value: Any, instance: Any, schema: Schema) -> Found:
    """Keys that neither have a meaning nor are refused with a reason."""
    if isinstance(instance, dict):
        known = {*schema.get("properties", ()), *schema.get("x-kfgit-refused", ())}
        yield from (("unknown-key", (), key) for key in instance if key not in known)


def _required(keys: list[str], instance: Any, _schema: Schema) -> Found:
    if isinstance(instance, dict):
        yield from (("missing-key", (), key) for key in keys if key not in instance)


def _needs(needs: dict[str, list[str]], instance: Any, _schema: Schema) -> Found:
    for key in needs if isinstance(instance, dict) else ():
        if key in instance:
            yield from (("missing-companion", (), other) for other in needs[key] if other not in instance)


def _choice(keys: list[str], instance: Any, _schema: Schema) -> Found:
    if isinstance(instance, dict):
        present = tuple(key for key in instance if key in keys)
        if len(present) != 1:
            yield ("exclusive-keys" if present else "missing-choice"), (), present or tuple(keys)


def _exclusive(pairs: list[list[str]], instance: Any, _schema: Schema) -> Found:
    if isinstance(instance, dict):
        clashes = ([key for key in instance if key in pair] for pair in pairs)
        clash = next((tuple(present) for present in clashes if len(present) > 1), None)
        if clash is not None:
            yield "exclusive-keys", (), clash


def _only_with(companions: dict[str, list[str]], instance: Any, _schema: Schema) -> Found:
    if isinstance(instance, dict):
        for key in instance:
            if key in companions and not any(companion in instance for companion in companions[key]):
                yield "misplaced-key", (), (key, tuple(companions[key]))


def _refused(reasons: dict[str, str], instance: Any, schema: Schema) -> Found:
    """Of keys that together are the wrong choice the first is told."""
    told: set[str] = set()
    for key in instance if isinstance(instance, dict) else ():
        if key in reasons and not ("x-kfgit-choice" in schema and reasons[key] in told):
            told.add(reasons[key])
            yield "refused-key", (), key


def _else_last(_value: Any, instance: Any, _schema: Schema) -> Found:
    if isinstance(instance, list):
        for index, branch in enumerate(instance):
            is_else = 0 < index == len(instance) - 1
            if isinstance(branch, dict) and "when" not in branch and not is_else:
                yield "missing-condition", (index,), "when"


def _reserved(names: list[str], instance: Any, _schema: Schema) -> Found:
    if instance in names:
        yield "reserved-name", (), instance


def _format(name: str, instance: Any, _schema: Schema) -> Found:
    if isinstance(instance, str) and not _FORMATS[name](instance):
        yield "pattern", (), instance


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_expression(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


_FORMATS: dict[str, Callable[[str], bool]] = {"date-time": _is_time, "regex": _is_expression}

RULES: dict[str, Rule] = {
    "required": _required,
    "format": _format,
    "x-kfgit-choice": _choice,
    "x-kfgit-exclusive": _exclusive,
    "x-kfgit-only-with": _only_with,
    "x-kfgit-needs": _needs,
    "x-kfgit-refused": _refused,
    "x-kfgit-else-last": _else_last,
    "x-kfgit-reserved": _reserved,
}
