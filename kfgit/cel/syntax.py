"""The syntax tree of conditions, and what can be wrong with their text.

CEL and kfgit's own `when` share one tree: `when` is the smaller language, and adds one leaf, `Reference`.
Offsets count characters from 0. Values of literals are Python's own, except `Uint`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

MAX_TEXT = 100_000
"""Characters in one condition, as in cel-go."""

MAX_NESTING = 32
"""Brackets open at once while parsing, which takes about a dozen of Python's frames for each."""

MAX_DEPTH = 64
"""Levels of a tree: every walk over one is recursive, and hostile text must not exhaust Python's stack."""


class CelSyntaxError(ValueError):
    """The text is not an expression. `offset` is where; `help` is the way out, if there is an obvious one."""

    def __init__(self, message: str, offset: int, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.help = help


class CelTypeError(ValueError):
    """The expression cannot have a value, whatever the parameters are: KFP's driver refuses to compile it."""

    def __init__(self, message: str, offset: int, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.help = help


class CelEvaluationError(ValueError):
    """The expression has no value for these parameters; on a cluster the task's driver fails."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Uint:
    """An unsigned 64-bit integer, which CEL keeps apart from `int`."""

    value: int


Constant: TypeAlias = bool | int | float | str | bytes | Uint | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the text."""

    value: Constant
    offset: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or the name of a type."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What stands between `$(` and `)`; only in `when`, never in CEL."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`."""

    operand: Expr
    field: str
    offset: int


@dataclass(frozen=True, slots=True)
class Has:
    """`has(operand.field)`."""

    operand: Expr
    field: str
    offset: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`!operand` or `-operand`."""

    operator: str
    operand: Expr
    offset: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`, `in` among them. The offset is the operator's."""

    operator: str
    left: Expr
    right: Expr
    offset: int


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? then : otherwise`."""

    condition: Expr
    then: Expr
    otherwise: Expr
    offset: int


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[key]`."""

    operand: Expr
    key: Expr
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`, or `target.function(arguments)`."""

    function: str
    target: Expr | None
    arguments: tuple[Expr, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[items]`."""

    items: tuple[Expr, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{key: value}`."""

    entries: tuple[tuple[Expr, Expr], ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Comprehension:
    """The macros that bind a variable: `all`, `exists`, `exists_one`, `map` and `filter`.

    `body` is the predicate, for `map` the result; `guard` is the predicate of `map` with three arguments.
    """

    macro: str
    domain: Expr
    variable: str
    guard: Expr | None
    body: Expr
    offset: int


Expr: TypeAlias = (
    Literal
    | Name
    | Reference
    | Select
    | Has
    | Unary
    | Binary
    | Ternary
    | Index
    | Call
    | ListLiteral
    | MapLiteral
    | Comprehension
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly below this one, in the order of the text."""
    match expr:
        case Literal() | Name() | Reference():
            return ()
        case Select(operand=operand) | Has(operand=operand) | Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Ternary(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case Index(operand=operand, key=key):
            return (operand, key)
        case Call(target=target, arguments=arguments):
            return arguments if target is None else (target, *arguments)
        case ListLiteral(items=items):
            return items
        case MapLiteral(entries=entries):
            return tuple(part for entry in entries for part in entry)
        case Comprehension(domain=domain, guard=guard, body=body):
            return (domain, body) if guard is None else (domain, guard, body)


def references(expr: Expr) -> tuple[Reference, ...]:
    """Every `$(…)` of a `when`, in the order of the text; one that stands twice is there twice."""
    if isinstance(expr, Reference):
        return (expr,)
    return tuple(found for child in children(expr) for found in references(child))


def bounded(root: Expr) -> Expr:
    """The tree itself, if it is shallow enough to be walked recursively.

    Raises CelSyntaxError otherwise. A chain like `1 + 1 + …` is deep although no parenthesis is open.
    """
    level: list[Expr] = [root]
    for _ in range(MAX_DEPTH):
        below = [child for expr in level for child in children(expr)]
        if not below:
            return root
        level = below
    raise CelSyntaxError("the expression is nested too deeply", level[0].offset)
