"""CEL text → tree, as cel-go parses it.

The grammar is cel-go's `parser/gen/CEL.g4` with the standard macros. Left out, as KFP's driver does not turn
them on or cannot use them: optional fields (`?.`), quoted field names, and message literals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from kfgit.cel.lexer import Token, bytes_value, lex, string_value
from kfgit.cel.syntax import (
    MAX_NESTING,
    Binary,
    Call,
    CelSyntaxError,
    Comprehension,
    Expr,
    Has,
    Index,
    ListLiteral,
    Literal,
    MapLiteral,
    Name,
    Select,
    Ternary,
    Uint,
    Unary,
    bounded,
)

Item = TypeVar("Item")

RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
PRECEDENCE = {"||": 1, "&&": 2, **dict.fromkeys(sorted(RELATIONS), 3), "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_NUMBERS = frozenset({"int", "float"})
_KEYWORDS = frozenset({"in", "true", "false", "null"})
_RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while".split()
)
_PREDICATES = frozenset({"all", "exists", "exists_one", "filter"})


def parse(text: str) -> Expr:
    """The expression that the text is. Raises CelSyntaxError, for any text whatever, and nothing else."""
    return bounded(_Parser(text).whole())


class Cursor:
    """A place in a list of tokens, and how deep the parser is there."""

    def __init__(self, tokens: list[Token], nesting: int = MAX_NESTING) -> None:
        self._tokens = tokens
        self._at = 0
        self._levels_left = nesting

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    def peek(self) -> Token:
        """The token after it; past the end, the end."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Take the next token."""
        token = self.token
        self._at += token.kind != "end"
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next token is one of these operators or words."""
        return self.token.kind in ("operator", "name") and self.token.text in texts

    def accept(self, text: str) -> Token | None:
        """Take the next token if it is this one."""
        return self.advance() if self.sees(text) else None

    def expect(self, text: str) -> Token:
        """Take the next token, which must be this one. Raises CelSyntaxError."""
        if not self.sees(text):
            raise CelSyntaxError(f"expected `{text}`, found {shown(self.token)}", self.token.offset)
        return self.advance()

    def deeper(self, rule: Callable[[], Expr]) -> Expr:
        """Apply a rule one level down. Raises CelSyntaxError where that is too deep."""
        if self._levels_left == 0:
            raise CelSyntaxError("the expression is nested too deeply", self.token.offset)
        self._levels_left -= 1
        expr = rule()
        self._levels_left += 1
        return expr


def shown(token: Token) -> str:
    """A token as messages name it."""
    return "the end of the text" if token.kind == "end" else f"`{token.text}`"


def integer(token: Token, *, negative: bool = False) -> int:
    """The value of an int token. Raises CelSyntaxError if it does not fit 64 bits."""
    value = _magnitude(token)
    value = -value if negative else value
    if not -(2**63) <= value < 2**63:
        raise CelSyntaxError(f"the integer {token.text[:40]} does not fit 64 bits", token.offset)
    return value


def floating(token: Token, *, negative: bool = False) -> float:
    """The value of a float token. Raises CelSyntaxError if it is too large for a double."""
    value = float(token.text)
    if value == float("inf"):
        raise CelSyntaxError(f"the number {token.text[:40]} is too large", token.offset)
    return -value if negative else value


def _magnitude(token: Token) -> int:
    digits = token.text.rstrip("uU")
    base = 16 if digits.startswith("0x") else 10
    significant = (digits[2:] if base == 16 else digits).lstrip("0") or "0"
    # Python refuses to read very long decimals; anything above 20 digits is out of range anyway.
    return int(significant, base) if len(significant) <= 20 else 2**64


def balanced(operator: str, terms: Sequence[Expr], offsets: Sequence[int]) -> Expr:
    """A chain of `&&` or `||` as a shallow tree: both are associative, errors included, and cel-go does so too."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    left = balanced(operator, terms[:middle], offsets[: middle - 1])
    right = balanced(operator, terms[middle:], offsets[middle:])
    return Binary(operator, left, right, offsets[middle - 1])


class _Parser(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(lex(text))

    def whole(self) -> Expr:
        expr = self._expression()
        if self.token.kind != "end":
            raise CelSyntaxError(
                f"expected the end of the text, found {shown(self.token)}", self.token.offset
            )
        return expr

    def _expression(self) -> Expr:
        return self.deeper(self._ternary)

    def _ternary(self) -> Expr:
        condition = self._climb(1)
        question = self.accept("?")
        if question is None:
            return condition
        then = self._climb(1)
        self.expect(":")
        return Ternary(condition, then, self._expression(), question.offset)

    def _climb(self, minimum: int) -> Expr:
        """Everything that binds at least as tightly as `minimum`; precedence climbing keeps Python's stack flat."""
        left = self._unary()
        while self.sees(*PRECEDENCE) and (binding := PRECEDENCE[self.token.text]) >= minimum:
            operator = self.token.text
            terms, offsets = [left], list[int]()
            while self.sees(operator) and (not offsets or operator in ("&&", "||")):
                offsets.append(self.advance().offset)
                terms.append(self._climb(binding + 1))
            left = balanced(operator, terms, offsets)
        return left

    def _unary(self) -> Expr:
        # The grammar has `!!a` and `--a` but no `!-a`, and cel-go drops a doubled sign.
        if not self.sees("!", "-"):
            return self._member(self._primary())
        first = self.advance()
        count = 1
        while self.accept(first.text) is not None:
            count += 1
        if first.text == "-" and self.token.kind in _NUMBERS:
            operand = self._member(self._number(negative=True))
            count -= 1
        elif self.sees("-") and self.peek().kind in _NUMBERS:
            self.advance()
            operand = self._member(self._number(negative=True))
        else:
            operand = self._member(self._primary())
        return Unary(first.text, operand, first.offset) if count % 2 else operand

    def _number(self, *, negative: bool = False) -> Expr:
        token = self.advance()
        if token.kind == "float":
            return Literal(floating(token, negative=negative), token.offset)
        return Literal(integer(token, negative=negative), token.offset)

    def _member(self, operand: Expr) -> Expr:
        while True:
            if (dot := self.accept(".")) is not None:
                field = self._field()
                opened = self.accept("(")
                if opened is None:
                    operand = Select(operand, field.text, dot.offset)
                else:
                    operand = _received(operand, field, self._arguments(), opened)
            elif (bracket := self.accept("[")) is not None:
                operand = Index(operand, self._expression(), bracket.offset)
                self.expect("]")
            else:
                return operand

    def _field(self) -> Token:
        token = self.advance()
        if token.kind != "name" or token.text in _KEYWORDS:
            raise CelSyntaxError(f"expected a field's name, found {shown(token)}", token.offset)
        return token

    def _arguments(self) -> tuple[Expr, ...]:
        if self.accept(")") is not None:
            return ()
        arguments = [self._expression()]
        while self.accept(",") is not None:
            arguments.append(self._expression())
        self.expect(")")
        return tuple(arguments)

    def _primary(self) -> Expr:
        token = self.token
        match token.kind:
            case "int" | "float":
                return self._number()
            case "uint":
                return self._unsigned(self.advance())
            case "string":
                return Literal(string_value(self.advance()), token.offset)
            case "bytes":
                return Literal(bytes_value(self.advance()), token.offset)
            case "name":
                return self._named()
            case _:
                return self._bracketed()

    def _unsigned(self, token: Token) -> Expr:
        value = _magnitude(token)
        if value >= 2**64:
            raise CelSyntaxError(f"the integer {token.text[:40]} does not fit 64 bits", token.offset)
        return Literal(Uint(value), token.offset)

    def _named(self) -> Expr:
        token = self.advance()
        constants: dict[str, bool | None] = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return Literal(constants[token.text], token.offset)
        if token.text in _KEYWORDS:
            raise CelSyntaxError(f"expected an expression, found {shown(token)}", token.offset)
        if token.text in _RESERVED:
            raise CelSyntaxError(f"`{token.text}` is a reserved word", token.offset)
        if self.sees("{"):
            raise CelSyntaxError("message literals are not supported", token.offset)
        if self.accept("(") is None:
            return Name(token.text, token.offset)
        return _called(token, self._arguments())

    def _bracketed(self) -> Expr:
        token = self.advance()
        if token.kind == "operator":
            match token.text:
                case "(":
                    expr = self._expression()
                    self.expect(")")
                    return expr
                case "[":
                    return ListLiteral(self._items(self._expression, "]"), token.offset)
                case "{":
                    return MapLiteral(self._items(self._entry, "}"), token.offset)
                case "." if self.token.kind == "name":
                    return self._named()
        raise CelSyntaxError(f"expected an expression, found {shown(token)}", token.offset)

    def _items(self, rule: Callable[[], Item], closing: str) -> tuple[Item, ...]:
        items: list[Item] = []
        while not self.sees(closing, ","):
            items.append(rule())
            if self.accept(",") is None:
                break
        if not items:
            self.accept(",")
        self.expect(closing)
        return tuple(items)

    def _entry(self) -> tuple[Expr, Expr]:
        key = self._expression()
        self.expect(":")
        return key, self._expression()


def _called(function: Token, arguments: tuple[Expr, ...]) -> Expr:
    if function.text != "has" or len(arguments) != 1:
        return Call(function.text, None, arguments, function.offset)
    selected = arguments[0]
    if not isinstance(selected, Select):
        raise CelSyntaxError("`has` needs a field, as in `has(a.b)`", selected.offset)
    return Has(selected.operand, selected.field, function.offset)


def _received(target: Expr, function: Token, arguments: tuple[Expr, ...], opened: Token) -> Expr:
    name = function.text
    is_macro = (name in _PREDICATES and len(arguments) == 2) or (name == "map" and len(arguments) in (2, 3))
    if not is_macro:
        return Call(name, target, arguments, opened.offset)
    variable = arguments[0]
    if not isinstance(variable, Name):
        raise CelSyntaxError(f"the first argument of `{name}` is a variable's name", variable.offset)
    guard = arguments[1] if len(arguments) == 3 else None
    return Comprehension(name, target, variable.name, guard, arguments[-1], opened.offset)
