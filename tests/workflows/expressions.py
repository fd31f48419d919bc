"""GitHub's expressions, as far as kfgit's workflows use them. What is not known here is an error, never empty.

See docs.github.com/actions/reference/workflows-and-actions/expressions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*)|(?P<mark>&&|\|\||==|!=|[!().,]))"
)
_INSERTED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
# Contexts whose keys may be missing, which are empty then. A missing key of others is a mistake of the workflow.
_OPEN = {"vars", "secrets", "inputs", "event", "matrix", "outputs"}

Functions = Mapping[str, Callable[..., Any]]


class Unknown(Exception):
    """An expression that this does not understand, or that names what is not there."""


def expand(text: Any, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """A value of a workflow with its `${{ … }}`; one that is nothing else keeps its type."""
    if not isinstance(text, str):
        return text
    whole = re.fullmatch(r"\s*\$\{\{(.*?)\}\}\s*", text, re.DOTALL)
    if whole is not None and "${{" not in whole[1]:
        return evaluate(whole[1], contexts, functions)
    return _INSERTED.sub(lambda found: shown(evaluate(found[1], contexts, functions)), text)


def evaluate(text: str, contexts: Mapping[str, Any], functions: Functions) -> Any:
    """The value of one expression."""
    reader = _Reader(list(_tokens(text)), contexts, functions)
    value = reader.either()
    if reader.rest:
        raise Unknown(f"`{text.strip()}` goes on with {reader.rest[0][1]!r}")
    return value


def shown(value: Any) -> str:
    """A value inside a text."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return value
        case int() | float():
            return f"{value:.15g}"
        case _:
            raise Unknown(f"{value!r} cannot stand in a text")


def truth(value: Any) -> bool:
    """Whether a value counts as true: all but false, 0, the empty text and null."""
    return value not in (False, 0, "", None)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise Unknown(f"`{text[at:].strip()}` cannot be read")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


class _Reader:
    """One function for each level of precedence; both sides are evaluated, for nothing here has effects."""

    def __init__(
        self, tokens: list[tuple[str, str]], contexts: Mapping[str, Any], functions: Functions
    ) -> None:
        self.rest = tokens
        self._contexts, self._functions = contexts, functions

    def either(self) -> Any:
        value = self._both()
        while self._takes("||"):
            other = self._both()
            value = value if truth(value) else other
        return value

    def _both(self) -> Any:
        value = self._equal()
        while self._takes("&&"):
            other = self._equal()
            value = other if truth(value) else value
        return value

    def _equal(self) -> Any:
        value = self._one()
        while self.rest and self.rest[0][1] in {"==", "!="}:
            _, mark = self.rest.pop(0)
            value = _same(value, self._one()) == (mark == "==")
        return value

    def _one(self) -> Any:
        if self._takes("!"):
            return not truth(self._one())
        if self._takes("("):
            value = self.either()
            self._wants(")")
            return value
        if not self.rest:
            raise Unknown("an expression ends too early")
        kind, text = self.rest.pop(0)
        match kind:
            case "text":
                return text[1:-1].replace("''", "'")
            case "number":
                return float(text) if "." in text else int(text)
            case "name":
                return self._named(text)
            case _:
                raise Unknown(f"{text!r} stands where a value should")

    def _named(self, name: str) -> Any:
        if name in {"true", "false", "null"}:
            return json.loads(name)
        if self._takes("("):
            return self._called(name)
        if name not in self._contexts:
            raise Unknown(f"there is no context `{name}` here")
        value, above = self._contexts[name], name
        while self._takes("."):
            _, key = self.rest.pop(0)
            value, above = _key(value, key, above), key
        return value

    def _called(self, name: str) -> Any:
        if name not in self._functions:
            raise Unknown(f"there is no function `{name}` here")
        arguments = []
        while not self._takes(")"):
            arguments.append(self.either())
            self._takes(",")
        return self._functions[name](*arguments)

    def _takes(self, mark: str) -> bool:
        if self.rest and self.rest[0] == ("mark", mark):
            self.rest.pop(0)
            return True
        return False

    def _wants(self, mark: str) -> None:
        if not self._takes(mark):
            raise Unknown(f"{mark!r} is missing")


def _key(value: Any, key: str, above: str) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Unknown(f"`{above}` has no key `{key}`: it is {value!r}")
    if key not in value and above not in _OPEN:
        raise Unknown(f"`{above}` has no key `{key}`")
    return value.get(key)


def _same(left: Any, right: Any) -> bool:
    """Texts are equal whatever their case; null is equal to the empty text, as both are the number 0."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if left is None or right is None:
        return not truth(left) and not truth(right)
    if type(left) is not type(right):
        raise Unknown(f"{left!r} and {right!r} are not compared here")
    return bool(left == right)
