"""CEL in the rules of a policy: over a document and its change, where KFP's conditions are over a task's parameters.

Whole numbers are ints here, as in Kubernetes' own CEL: nothing of a rule ever comes to KFP's driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfgit.cel.checker import type_among
from kfgit.cel.syntax import CelTypeError, Comprehension, Expr, Name, children
from kfgit.cel.types import BOOL, DYN, STRING, Type, list_of, map_of, message
from kfgit.cel.values import Message, Value, from_json

_ENVIRONMENT, _CHANGE = message("kfgit.Environment"), message("kfgit.Change")

VARIABLES: Mapping[str, Type] = {
    "resource": map_of(STRING, DYN),
    "environment": _ENVIRONMENT,
    "change": _CHANGE,
}

FIELDS: Mapping[str, Mapping[str, Type]] = {
    _ENVIRONMENT.name: {"name": STRING, "mode": STRING, "labels": map_of(STRING, STRING)},
    _CHANGE.name: {
        "action": STRING,
        "cause": STRING,
        "kind": STRING,
        "name": STRING,
        "diff": list_of(map_of(STRING, DYN)),
        "before": map_of(STRING, DYN),
    },
}

_EMPTY: Mapping[str, Mapping[str, Any]] = {
    _ENVIRONMENT.name: {"name": "", "mode": "production", "labels": {}},
    _CHANGE.name: {"action": "", "cause": "source", "kind": "", "name": "", "diff": [], "before": {}},
}


def check_rule(expr: Expr) -> None:
    """Raises CelTypeError if the rule can never be true or false."""
    found = type_among(expr, VARIABLES, FIELDS)
    if found not in (BOOL, DYN) and found.kind != "var":
        raise CelTypeError(f"a rule must be true or false, and this is a value of type {found}", 0)


def names(expr: Expr) -> frozenset[str]:
    """The variables that an expression is about, without those that macros bind."""
    match expr:
        case Name(name=name):
            return frozenset({name})
        case Comprehension(domain=domain, variable=variable):
            inner = frozenset[str]().union(*(names(part) for part in children(expr) if part is not domain))
            return names(domain) | (inner - {variable})
        case _:
            return frozenset[str]().union(*map(names, children(expr)))


def document(value: Any) -> Value:
    """A document as rules see it. Raises CelEvaluationError if it nests absurdly."""
    return from_json(value, whole=True)


def environment(value: Mapping[str, Any]) -> Value:
    """An environment as rules see it; what is not given is empty."""
    return _message(_ENVIRONMENT.name, value)


def change(value: Mapping[str, Any]) -> Value:
    """A change as rules see it; what is not given is empty."""
    return _message(_CHANGE.name, value)


def _message(name: str, value: Mapping[str, Any]) -> Value:
    known = {**_EMPTY[name], **{key: item for key, item in value.items() if key in FIELDS[name]}}
    return Message(name, {key: from_json(item, whole=True) for key, item in known.items()})
