"""Types for what a condition compares, where the source does not say them.

A field of an item has no declared type, and a DAG's inputs must have one: KFP makes a text of whatever goes into an
input of type STRING, and a text is never more than a number. So a field takes the type of what it is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kfgit.cel.syntax import Binary, Expr, ListLiteral, Literal, MapLiteral, Reference, Unary
from kfgit.model import ParameterName

_LITERALS: Mapping[type, ParameterName] = {bool: "bool", int: "float", float: "float", str: "string"}


def types_from_use(expr: Expr, known: Mapping[str, ParameterName | None]) -> dict[str, ParameterName]:
    """The types of references that `known` has none for, by the text of the reference."""
    return {name: type_ for name, type_ in _uses(expr, known) if known.get(name) is None}


def _uses(expr: Expr, known: Mapping[str, ParameterName | None]) -> Iterator[tuple[str, ParameterName]]:
    match expr:
        case Reference(text=text):
            yield text, "bool"  # it stands where a condition stands
        case Unary(operand=operand):
            yield from _uses(operand, known)
        case Binary(operator="&&" | "||", left=left, right=right):
            yield from _uses(left, known)
            yield from _uses(right, known)
        case Binary(left=left, right=right):
            for side, other in ((left, right), (right, left)):
                type_ = _type(other, known)
                if isinstance(side, Reference) and type_ is not None:
                    yield side.text, type_
        case _:
            pass


def _type(expr: Expr, known: Mapping[str, ParameterName | None]) -> ParameterName | None:
    match expr:
        case Literal(value=value):
            return _LITERALS.get(type(value))
        case Reference(text=text):
            found = known.get(text)
            return "float" if found == "int" else found
        case ListLiteral(items=(first, *_)):
            return _type(first, known)
        case MapLiteral(entries=((first, _), *_)):
            return _type(first, known)
        case _:
            return "bool" if isinstance(expr, Binary | Unary) else None
