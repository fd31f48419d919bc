"""`when`, as people write it: comparisons, `&& || !` or `and or not`, `in`, literals and references `$(…)`.

It is CEL cut down to what can be checked against declared types and printed in the forms of KFP's SDK; arithmetic
and functions are refused by name. Two choices beyond LANGUAGE.md, both as Python has them, since KFP's users write
Python: the word `not` binds less than a comparison (`not a == b` is `!(a == b)`), and `not in` is one operator.
In a string `$$(` stands for `$(`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from kfgit.cel.lexer import CEL_TOKENS, Token, lex, string_value
from kfgit.cel.parser import RELATIONS, Cursor, balanced, floating, integer, shown
from kfgit.cel.syntax import (
    Binary,
    CelSyntaxError,
    Expr,
    ListLiteral,
    Literal,
    MapLiteral,
    Reference,
    Unary,
    bounded,
)

Item = TypeVar("Item")

_WHEN_TOKENS = (
    ("reference", r"\$\([^()$\n]*\)"),
    *CEL_TOKENS,
    # Nothing in `when` is written with these; they are tokens so that messages can name them.
    ("foreign", r"\$\$?\(?|=|&|\||~|\^"),
)

MAX_WHEN = 4_000
"""Characters in one `when`, so that its CEL, which is longer, stays far below what `parse` takes."""

_NESTING = 24
"""Levels of brackets; printing as CEL adds a few, and the text must parse again."""

_NO_ARITHMETIC = "compute the value in a task, and compare its output here"
_FOREIGN_HELP = {
    "=": "did you mean `==`?",
    "&": "did you mean `&&`?",
    "|": "did you mean `||`?",
    "$$(": "a reference begins with one `$`",
    "$": "a reference is written `$(inputs.name)`",
}
_STRING_HELP = "a quote inside a string is written `\\'`, or the string is put in the other quotes"
_NAME_HELP = {
    "True": "did you mean `true`?",
    "False": "did you mean `false`?",
    "AND": "did you mean `and`?",
    "OR": "did you mean `or`?",
    "NOT": "did you mean `not`?",
    "null": "`when` has no null; a value that is missing at run time fails the task",
    "None": "`when` has no null; a value that is missing at run time fails the task",
    "is": "did you mean `==`?",
}
_ROOTS = frozenset("inputs outputs tasks item loops run workspace".split())


def parse_when(text: str) -> Expr:
    """The condition that the text is. Raises CelSyntaxError, with `help` where the way out is known."""
    if len(text) > MAX_WHEN:
        raise CelSyntaxError(f"the condition is longer than {MAX_WHEN} characters", MAX_WHEN)
    return bounded(_WhenParser(lex(text, _WHEN_TOKENS), _NESTING).whole())


class _WhenParser(Cursor):
    def whole(self) -> Expr:
        if self.token.kind == "end":
            raise CelSyntaxError(
                "the condition is empty", 0, help="write a comparison such as `$(inputs.x) == 'a'`"
            )
        expr = self._expression()
        if self.token.kind != "end":
            raise self._unexpected("`&&` or `||` or the end")
        return expr

    def _unexpected(self, wanted: str) -> CelSyntaxError:
        """What to say about the next token, which does not belong where it is."""
        token = self.token
        if token.kind == "operator" and token.text in "+-*/%":
            return CelSyntaxError("`when` has no arithmetic", token.offset, help=_NO_ARITHMETIC)
        if token.kind == "operator" and token.text in ("?", ":"):
            return CelSyntaxError("`when` has no `? :`", token.offset, help="use `&&` and `||`")
        if token.kind == "name" and self.peek().text in ("(", "."):
            return self._foreign_name(token)
        if token.text == "$(":
            return CelSyntaxError(
                "the reference is not closed", token.offset, help="a reference ends with `)`"
            )
        hints = _FOREIGN_HELP if token.kind == "foreign" else _NAME_HELP
        hint = _STRING_HELP if token.kind == "string" else hints.get(token.text)
        if hint is None and token.kind == "name":
            hint = f"text is quoted, as in '{token.text}'; a reference is written `$(inputs.{token.text})`"
        return CelSyntaxError(f"expected {wanted}, found {shown(token)}", token.offset, help=hint)

    def _foreign_name(self, token: Token) -> CelSyntaxError:
        if token.text in _ROOTS:
            return CelSyntaxError(
                f"`{token.text}` stands outside `$(…)`", token.offset, help=f"write `$({token.text}.…)`"
            )
        return CelSyntaxError(
            f"`when` has no functions, found `{token.text}`", token.offset, help=_NO_ARITHMETIC
        )

    def _expression(self) -> Expr:
        return self.deeper(
            lambda: self._chain(("||", "or"), lambda: self._chain(("&&", "and"), self._negation))
        )

    def _chain(self, words: Sequence[str], rule: Callable[[], Expr]) -> Expr:
        terms, offsets = [rule()], list[int]()
        while self.sees(*words):
            offsets.append(self.advance().offset)
            terms.append(rule())
        return balanced(words[0], terms, offsets)

    def _negation(self) -> Expr:
        if not self.sees("not"):
            return self._comparison()
        token = self.advance()
        return Unary("!", self.deeper(self._negation), token.offset)

    def _comparison(self) -> Expr:
        left = self._operand()
        compared = self._compared(left)
        if compared is not left and (self.sees(*RELATIONS) or self._sees_not_in()):
            raise CelSyntaxError(
                "comparisons cannot be chained", self.token.offset, help="join two comparisons with `&&`"
            )
        return compared

    def _sees_not_in(self) -> bool:
        return self.sees("not") and self.peek().text == "in"

    def _compared(self, left: Expr) -> Expr:
        if self._sees_not_in():
            negation = self.advance()
            return Unary(
                "!", Binary("in", left, self._in_what(self.advance()), negation.offset), negation.offset
            )
        if not self.sees(*RELATIONS):
            return left
        operator = self.advance()
        right = self._in_what(operator) if operator.text == "in" else self._operand()
        return Binary(operator.text, left, right, operator.offset)

    def _in_what(self, operator: Token) -> Expr:
        token = self.token
        if token.kind == "reference":
            return self._operand()
        if self.accept("[") is not None:
            return ListLiteral(self._items(self._element, "]"), token.offset)
        if self.accept("{") is not None:
            return MapLiteral(self._items(self._entry, "}"), token.offset)
        raise CelSyntaxError(
            "right of `in` stands a list, a map or a reference to one",
            token.offset if token.kind != "end" else operator.offset,
            help="write a list, as in `in ['a', 'b']`",
        )

    def _items(self, rule: Callable[[], Item], closing: str) -> tuple[Item, ...]:
        items: list[Item] = []
        while not self.sees(closing):
            items.append(rule())
            if self.accept(",") is None:
                break
        if not self.sees(closing):
            raise self._unexpected(f"`,` or `{closing}`")
        self.advance()
        return tuple(items)

    def _entry(self) -> tuple[Expr, Expr]:
        key = self._element()
        if not self.sees(":"):
            raise self._unexpected("`:`")
        self.advance()
        return key, self._element()

    def _element(self) -> Expr:
        if self.sees("[", "{", "(", "!"):
            raise CelSyntaxError(
                "items of a list or map are literals or references",
                self.token.offset,
                help="take the brackets away",
            )
        return self._operand()

    def _operand(self) -> Expr:
        token = self.token
        match token.kind:
            case "reference":
                self.advance()
                return Reference(token.text[2:-1], token.offset)
            case "string":
                return Literal(_plain(self.advance()), token.offset)
            case "int":
                return Literal(integer(self.advance()), token.offset)
            case "float":
                return Literal(floating(self.advance()), token.offset)
            case "name" if token.text in ("true", "false"):
                self.advance()
                return Literal(token.text == "true", token.offset)
            case "uint":
                raise CelSyntaxError(
                    f"`{token.text}` is no number here", token.offset, help="leave the `u` out"
                )
            case "bytes":
                raise CelSyntaxError("`when` has no bytes", token.offset, help="leave the `b` out")
            case _:
                return self._signed_or_nested()

    def _signed_or_nested(self) -> Expr:
        token = self.token
        if self.sees("!"):
            self.advance()
            return Unary("!", self.deeper(self._operand), token.offset)
        if self.sees("-") and self.peek().kind in ("int", "float"):
            self.advance()
            number = self.advance()
            read = integer if number.kind == "int" else floating
            return Literal(read(number, negative=True), token.offset)
        if self.accept("(") is not None:
            expr = self._expression()
            if not self.sees(")"):
                raise self._unexpected("`)`")
            self.advance()
            return expr
        if self.sees("[", "{"):
            raise CelSyntaxError(
                "a list or map stands only right of `in`",
                token.offset,
                help="write `$(inputs.x) in ['a', 'b']`",
            )
        raise self._unexpected("a reference or a literal")


def _plain(token: Token) -> str:
    """The text of a string. Raises CelSyntaxError if there is a reference in it."""
    value = string_value(token)
    unescaped = value.replace("$$(", "")
    if "$(" in unescaped:
        raise CelSyntaxError(
            "a reference inside a string is not replaced",
            token.offset,
            help="write the reference without quotes; `$$(` is the text `$(`",
        )
    return value.replace("$$(", "$(")
