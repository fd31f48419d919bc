"""Whether a `when` makes sense for the declared types of what it refers to.

Stricter than CEL, where every parameter is `dyn` and a string compared with an int is simply never equal. A reference
of unknown type (None) fits everywhere: what is wrong with it was told already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kfgit.cel.syntax import Binary, Expr, ListLiteral, Literal, MapLiteral, Reference, Unary

TypeOf: TypeAlias = Callable[[Reference], str | None]

_NUMBERS = frozenset({"int", "float"})
_ORDERED = frozenset({"int", "float", "string", "bool"})
_KEYS = frozenset({"int", "string", "bool"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a `when`, and where; `help` is the way out, if it is known."""

    message: str
    offset: int
    help: str | None = None


def check_when(expr: Expr, type_of: TypeOf) -> tuple[Problem, ...]:
    """Everything wrong with the types of a parsed `when`, in the order of the text.

    `type_of` says string, int, float, bool, list or dict, `list<int>` and its like where the items are known, or None
    where it does not know.
    """
    return tuple(sorted(_needs_bool(expr, type_of, "the condition"), key=lambda problem: problem.offset))


def when_type(expr: Expr, type_of: TypeOf) -> str | None:
    """The type of a part of a `when`, if its references are what they are declared to be."""
    match expr:
        case Reference():
            return (type_of(expr) or "").partition("<")[0] or None
        case Literal(value=value):
            return {bool: "bool", int: "int", float: "float", str: "string"}.get(type(value))
        case ListLiteral():
            return "list"
        case MapLiteral():
            return "dict"
        case _:
            return "bool"


def _needs_bool(expr: Expr, type_of: TypeOf, what: str) -> list[Problem]:
    found = when_type(expr, type_of)
    if found in ("bool", None):
        return _inside(expr, type_of)
    return [
        Problem(
            f"{what} must be a bool, found {_article(found)}",
            _begin(expr),
            help="compare it with something, as in `== 1`",
        )
    ]


def _inside(expr: Expr, type_of: TypeOf) -> list[Problem]:
    match expr:
        case Unary(operand=operand):
            return _needs_bool(operand, type_of, "what `!` negates")
        case Binary(operator="&&" | "||" as operator, left=left, right=right):
            side = f"each side of `{operator}`"
            return [*_needs_bool(left, type_of, side), *_needs_bool(right, type_of, side)]
        case Binary(operator="in"):
            return [*_inside(expr.left, type_of), *_membership(expr, type_of)]
        case Binary(left=left, right=right):
            inner = [*_inside(left, type_of), *_inside(right, type_of)]
            return inner or _comparison(expr, type_of)
        case _:
            return []


def _comparison(expr: Binary, type_of: TypeOf) -> list[Problem]:
    left, right = when_type(expr.left, type_of), when_type(expr.right, type_of)
    if not _comparable(left, right):
        return [
            Problem(
                f"{_article(left)} cannot be compared with {_article(right)}",
                expr.offset,
                help=_quotes(expr, left, right),
            )
        ]
    unordered = next((t for t in (left, right) if t is not None and t not in _ORDERED), None)
    if expr.operator not in ("==", "!=") and unordered is not None:
        return [Problem(f"`{expr.operator}` needs an order, and {_article(unordered)} has none", expr.offset)]
    return []


def _comparable(left: str | None, right: str | None) -> bool:
    return left is None or right is None or left == right or {left, right} == _NUMBERS


def _quotes(expr: Binary, left: str | None, right: str | None) -> str | None:
    """The usual mistake is a pair of quotes too much or too few."""
    for side, mine, other in ((expr.right, right, left), (expr.left, left, right)):
        if not isinstance(side, Literal):
            continue
        if mine == "string" and other in ("int", "float", "bool"):
            return "leave the quotes out"
        if other == "string":
            return f"write it in quotes, as in '{str(side.value).lower()}'"
    return None


def _membership(expr: Binary, type_of: TypeOf) -> list[Problem]:
    left = when_type(expr.left, type_of)
    match expr.right:
        case ListLiteral(items=items):
            return [problem for item in items for problem in _fits(left, item, type_of)]
        case MapLiteral(entries=entries):
            keys = [key for key, _ in entries]
            return [
                problem for key in keys for problem in (_is_key(key, type_of) or _fits(left, key, type_of))
            ]
        case right:
            held = _items_of(right, type_of)
            if held is not None and not _comparable(left, held):
                return [_never(_article(left), _article(held), _begin(expr.left))]
            return _in_reference(left, expr, when_type(right, type_of))


def _fits(left: str | None, item: Expr, type_of: TypeOf) -> list[Problem]:
    found = when_type(item, type_of)
    if _comparable(left, found):
        return []
    return [_never(_article(found), _article(left), _begin(item))]


def _items_of(right: Expr, type_of: TypeOf) -> str | None:
    """The type of the items of a `list<…>`."""
    declared = type_of(right) if isinstance(right, Reference) else None
    return declared.removeprefix("list<").removesuffix(">") if declared and "<" in declared else None


def _never(one: str, other: str, offset: int) -> Problem:
    return Problem(f"{one} is never equal to {other}", offset, help="compare values of one type")


def _is_key(key: Expr, type_of: TypeOf) -> list[Problem]:
    found = when_type(key, type_of)
    if found is None or found in _KEYS:
        return []
    return [Problem(f"{_article(found)} cannot be the key of a map", _begin(key))]


def _in_reference(left: str | None, expr: Binary, right: str | None) -> list[Problem]:
    if right not in ("list", "dict", None):
        remedy = "write the list out, as in `in ['a', 'b']`" if right == "string" else None
        return [
            Problem(f"`in` needs a list or a dict, found {_article(right)}", _begin(expr.right), help=remedy)
        ]
    if right == "dict" and left not in ("string", None):
        return [Problem(f"the keys of a dict are strings, found {_article(left)}", _begin(expr.left))]
    return []


def _begin(expr: Expr) -> int:
    """Where the text of an expression begins."""
    return _begin(expr.left) if isinstance(expr, Binary) else expr.offset


def _article(name: str | None) -> str:
    return f"an {name}" if name == "int" else f"a {name}"
