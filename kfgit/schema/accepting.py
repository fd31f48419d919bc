"""A fast yes or no: a strict schema as a tree of closures.

Most documents are right, and jsonschema takes a millisecond to say so. What is refused here jsonschema is asked about,
and it alone decides what to tell; a test holds the two to the same answer. `compiled` gives None for a schema with
words that it does not know.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from kfgit.schema.bundles import Schema
from kfgit.schema.rules import RULES

Accepts: TypeAlias = Callable[[Any], bool]

_NOTES = frozenset(
    "$schema $defs title description examples default then else"
    " x-kfgit-form x-kfgit-help x-kfgit-aliases x-kfgit-hints x-kfgit-fix x-kfgit-what".split()
)
_TYPES: Mapping[str, Accepts] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)))
    ),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


class _Unknown(Exception):
    """A word that is not compiled; never leaves this module."""


def compiled(schema: Schema) -> Accepts | None:
    """Whether a JSON value is valid, as a function."""
    try:
        return _Compiler(schema.get("$defs", {})).schema(schema)
    except _Unknown:
        return None


class _Compiler:
    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions
        self._made: dict[str, Accepts] = {}

    def schema(self, schema: Schema | Literal[True, False]) -> Accepts:
        """One schema: every word of it agrees."""
        if schema is True or schema is False:
            return lambda _value: schema
        checks = [self._word(word, value, schema) for word, value in schema.items() if word not in _NOTES]
        found = tuple(check for check in checks if check is not None)
        return found[0] if len(found) == 1 else _all(found)

    def _word(self, word: str, value: Any, schema: Schema) -> Accepts | None:
        match word:
            case "$ref":
                return self._reference(value.removeprefix("#/$defs/"))
            case "type":
                return _types([value] if isinstance(value, str) else value)
            case "enum" | "const":
                return _one_of(value if word == "enum" else [value])
            case "if":
                return self._choice(schema)
            case "properties" | "additionalProperties":
                both = "properties" in schema and "additionalProperties" in schema
                return None if both and word == "properties" else self._properties(schema)
            case "propertyNames" | "items":
                return self._each(word, self.schema(value))
            case _ if word in RULES:
                rule = RULES[word]
                return lambda instance: next(rule(value, instance, schema), None) is None
            case _:
                return _bound(word, value)

    def _reference(self, name: str) -> Accepts:
        def later(value: Any) -> bool:
            if name not in self._made:
                self._made[name] = self.schema(self._definitions[name])
            return self._made[name](value)

        _known_words(self._definitions[name])
        return later

    def _choice(self, schema: Schema) -> Accepts:
        condition = self.schema(schema["if"])
        then, otherwise = self.schema(schema.get("then", True)), self.schema(schema.get("else", True))
        return lambda value: then(value) if condition(value) else otherwise(value)

    def _properties(self, schema: Schema) -> Accepts:
        known = {key: self.schema(value) for key, value in schema.get("properties", {}).items()}
        others = self.schema(schema.get("additionalProperties", True))
        refused = frozenset(schema.get("x-kfgit-refused", ()))

        def accepts(value: Any) -> bool:
            if isinstance(value, dict):
                for key, item in value.items():
                    check = known.get(key)
                    if not (check(item) if check is not None else key in refused or others(item)):
                        return False
            return True

        return accepts

    def _each(self, word: str, inner: Accepts) -> Accepts:
        container = list if word == "items" else dict

        def accepts(value: Any) -> bool:
            if isinstance(value, container):
                for item in value:  # of a map its keys
                    if not inner(item):
                        return False
            return True

        return accepts


# Loops, here and above: `all` with a generator takes twice as long, and every value of a repository comes by.
def _all(checks: tuple[Accepts, ...]) -> Accepts:
    if len(checks) == 2:
        first, second = checks
        return lambda value: first(value) and second(value)

    def accepts(value: Any) -> bool:
        for check in checks:  # noqa: SIM110 - see above
            if not check(value):
                return False
        return True

    return accepts


def _known_words(schema: Schema) -> None:
    """A recurring schema is compiled when it is first used; its words must be known before."""
    unknown = set(schema) - _NOTES - set(RULES) - _WORDS
    if unknown:
        raise _Unknown


_WORDS = frozenset(
    "$ref type enum const if properties additionalProperties propertyNames items pattern minLength minItems"
    " minProperties minimum maximum".split()
)


def _types(names: list[str]) -> Accepts:
    found = tuple(_TYPES[name] for name in names)
    return found[0] if len(found) == 1 else lambda value: any(check(value) for check in found)


def _one_of(values: list[Any]) -> Accepts:
    if not all(isinstance(value, str) for value in values):
        raise _Unknown
    allowed = frozenset(values)
    return lambda value: isinstance(value, str) and value in allowed


def _bound(word: str, limit: Any) -> Accepts:
    match word:
        case "pattern":
            search = re.compile(limit).search
            return lambda value: not isinstance(value, str) or search(value) is not None
        case "minLength":
            return lambda value: not isinstance(value, str) or len(value) >= limit
        case "minItems":
            return lambda value: not isinstance(value, list) or len(value) >= limit
        case "minProperties":
            return lambda value: not isinstance(value, dict) or len(value) >= limit
        case "minimum":
            return lambda value: not _TYPES["number"](value) or value >= limit
        case "maximum":
            return lambda value: not _TYPES["number"](value) or value <= limit
        case _:
            raise _Unknown
