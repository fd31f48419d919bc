"""`when` → the CEL text of `triggerPolicy.condition`, in the forms KFP's SDK makes.

Source: kfp 2.17.0 `compiler/pipeline_spec_builder.py` (`_single_binary_operation_to_cel_condition`): a parameter is
`inputs.parameter_values['NAME']`, in `int(…)` if it is an int, and where an int meets a float the int stands in
`double(…)`. Different on purpose: quotes and backslashes in strings are escaped, and so is what kubelet and Argo
would expand on the way to the driver (`$$`, `$(`, `{{`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kfgit.cel.parser import parse
from kfgit.cel.syntax import (
    Binary,
    CelSyntaxError,
    Constant,
    Expr,
    ListLiteral,
    Literal,
    MapLiteral,
    Reference,
    Ternary,
    Unary,
)
from kfgit.cel.when_types import TypeOf, when_type

NameOf = Callable[[Reference], str]

_OR, _AND, _RELATION, _UNARY = 1, 2, 3, 4


def to_cel(expr: Expr, name_of: NameOf, type_of: TypeOf) -> str:
    """The condition for KFP's driver. `name_of` gives the input parameter that holds a reference's value.

    The expression must have passed `check_when` with the same `type_of`; then the text compiles in cel-go.
    Raises ValueError for an expression that `parse_when` cannot give.
    """
    return _Printer(name_of, type_of).printed(expr, _OR)


def negate_and_join(previous: Sequence[str], own: str | None) -> str:
    """The condition of a branch: none of the previous ones, and its own; an else has none of its own.

    `!(c1) && !(c2) && c3`, as the SDK chains elif. Raises ValueError for an else without a branch before it.
    """
    if own is None and not previous:
        raise ValueError("an else needs a branch before it")
    negated = [f"!({condition})" for condition in previous]
    if own is None:
        return " && ".join(negated)
    return " && ".join([*negated, f"({own})" if previous and _loose(own) else own])


def _loose(condition: str) -> bool:
    """Whether a condition would fall apart beside `&&`."""
    try:
        expr = parse(condition)
    except CelSyntaxError:
        return True
    return isinstance(expr, Ternary) or (isinstance(expr, Binary) and expr.operator == "||")


class _Printer:
    def __init__(self, name_of: NameOf, type_of: TypeOf) -> None:
        self._name_of = name_of
        self._type_of = type_of

    def printed(self, expr: Expr, around: int) -> str:
        """The text, in parentheses if it binds less tightly than what stands around it."""
        match expr:
            case Literal() | Reference():
                return self._operand(expr, as_double=False)
            case Unary(operand=operand):
                text = self.printed(operand, _OR)
                return f"!{text}" if isinstance(operand, Literal | Reference) else f"!({text})"
            case Binary(operator="||", left=left, right=right):
                return _closed(f"{self.printed(left, _OR)} || {self.printed(right, _OR)}", _OR, around)
            case Binary(operator="&&", left=left, right=right):
                return _closed(f"{self.printed(left, _AND)} && {self.printed(right, _AND)}", _AND, around)
            case Binary():
                return _closed(self._relation(expr), _RELATION, around)
            case _:
                raise ValueError(f"`when` has no {type(expr).__name__}")

    def _relation(self, expr: Binary) -> str:
        """Everything in one comparison is a double if any of it is a float, else cel-go may refuse to compile it."""
        operands = _operands(expr)
        as_double = {"int", "float"} <= {when_type(operand, self._type_of) for operand in operands}
        left = self._side(expr.left, as_double=as_double)
        match expr.right:
            case ListLiteral(items=items):
                right = ", ".join(self._operand(item, as_double=as_double) for item in items)
                return f"{left} in [{right}]"
            case MapLiteral(entries=entries):
                right = ", ".join(
                    f"{self._operand(k, as_double=False)}: {self._operand(v, as_double=False)}"
                    for k, v in entries
                )
                return f"{self._key(expr.left)} in {{{right}}}"
            case _:
                return f"{left} {expr.operator} {self._side(expr.right, as_double=as_double)}"

    def _side(self, expr: Expr, *, as_double: bool) -> str:
        if isinstance(expr, Literal | Reference):
            return self._operand(expr, as_double=as_double)
        return self.printed(expr, _UNARY)

    def _key(self, expr: Expr) -> str:
        """What is looked up in a map literal. Its keys may be ints, and cel-go looks for a double only in a `dyn`."""
        text = self._side(expr, as_double=False)
        return f"dyn({text})" if isinstance(expr, Literal) and isinstance(expr.value, float) else text

    def _operand(self, expr: Expr, *, as_double: bool) -> str:
        match expr:
            case Literal(value=value):
                text = _literal(value)
            case Reference():
                text = f"inputs.parameter_values[{_quoted(self._name_of(expr))}]"
                if self._type_of(expr) == "int":
                    text = f"int({text})"
            case _:
                raise ValueError(f"`when` has no {type(expr).__name__} here")
        return f"double({text})" if as_double and when_type(expr, self._type_of) == "int" else text


def _closed(text: str, binding: int, around: int) -> str:
    return f"({text})" if binding < around else text


def _operands(expr: Binary) -> tuple[Expr, ...]:
    match expr.right:
        case ListLiteral(items=items):
            return (expr.left, *items)
        case MapLiteral():
            return (expr.left,)
        case right:
            return (expr.left, right)


def _literal(value: Constant) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return _quoted(value)
        case _:
            raise ValueError(f"`when` has no literal such as {value!r}")


_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"}


def _quoted(text: str) -> str:
    """A CEL string in single quotes, as plain as it can be."""
    pieces = []
    for at, char in enumerate(text):
        hidden = (char < " " and char != "\t") or char == "\x7f" or text[at : at + 2] in ("$$", "$(", "{{")
        pieces.append(_ESCAPES.get(char) or (f"\\x{ord(char):02x}" if hidden else char))
    return f"'{''.join(pieces)}'"
