"""Text of a condition → tokens.

The token rules are those of cel-go's grammar (`parser/gen/CEL.g4`); escapes in strings are those of
`parser/unescape.go`. A dialect is a table of patterns, so `when` adds its references by a longer table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kfgit.cel.syntax import MAX_TEXT, CelSyntaxError

_EXPONENT = r"[eE][+-]?[0-9]+"
_QUOTED = (
    r'"""(?:\\[\s\S]|[^\\])*?"""'
    r"|'''(?:\\[\s\S]|[^\\])*?'''"
    r'|"(?:\\.|[^\\"\n\r])*"'
    r"|'(?:\\.|[^\\'\n\r])*'"
)
_RAW = r"""[rR](?:\"{3}[\s\S]*?\"{3}|'''[\s\S]*?'''|"[^"\n\r]*"|'[^'\n\r]*')"""

CEL_TOKENS: tuple[tuple[str, str], ...] = (
    ("blank", r"(?:[\t \r\n\f]+|//[^\n]*)+"),
    ("bytes", rf"[bB](?:{_RAW}|{_QUOTED})"),
    ("string", rf"{_RAW}|{_QUOTED}"),
    ("float", rf"[0-9]+\.[0-9]+(?:{_EXPONENT})?|[0-9]+{_EXPONENT}|\.[0-9]+(?:{_EXPONENT})?"),
    ("uint", r"0x[0-9a-fA-F]+[uU]|[0-9]+[uU]"),
    ("int", r"0x[0-9a-fA-F]+|[0-9]+"),
    ("name", r"[A-Za-z_][A-Za-z0-9_]*"),
    ("operator", r"==|!=|<=|>=|&&|\|\||[\[\]{}().,?:<>!+\-*/%]"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the text."""

    kind: str
    text: str
    offset: int


def lex(text: str, table: tuple[tuple[str, str], ...] = CEL_TOKENS) -> list[Token]:
    """The tokens, blanks and comments left out, an `end` token last.

    Raises CelSyntaxError where no token begins, and for text that is too long.
    """
    if len(text) > MAX_TEXT:
        raise CelSyntaxError(f"the expression is longer than {MAX_TEXT} characters", MAX_TEXT)
    pattern = re.compile("|".join(f"(?P<{kind}>{rule})" for kind, rule in table))
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = pattern.match(text, at)
        if found is None or found.lastgroup is None:
            raise CelSyntaxError(_unknown(text, at), at)
        if found.lastgroup != "blank":
            tokens.append(Token(found.lastgroup, found.group(), at))
        at = found.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _unknown(text: str, at: int) -> str:
    if text[at] in "'\"":
        return "the string is not closed"
    return f"`{text[at]}` means nothing here"


_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    '"': '"', "'": "'", "\\": "\\", "?": "?", "`": "`",
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\"'\\?`])|[xX](?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)


def string_value(token: Token) -> str:
    """What a string token stands for. Raises CelSyntaxError for an escape that CEL does not have."""
    return "".join(piece if isinstance(piece, str) else chr(piece) for piece in _pieces(token))


def bytes_value(token: Token) -> bytes:
    r"""What a bytes token stands for: text in UTF-8, `\x` and octal escapes as single bytes."""
    return b"".join(
        piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else bytes((piece,))
        for piece in _pieces(token)
    )


def _pieces(token: Token) -> list[str | int]:
    r"""Stretches of text, and the numbers that `\x` and octal escapes give."""
    body = token.text.lstrip("bBrR")
    raw = token.text[: len(token.text) - len(body)].lower().endswith("r")
    width = 3 if body[:3] in ('"""', "'''") and len(body) > 5 else 1
    content = body[width:-width].replace("\r\n", "\n").replace("\r", "\n")
    if raw:
        return [content]
    pieces: list[str | int] = []
    at = 0
    while (backslash := content.find("\\", at)) >= 0:
        pieces.append(content[at:backslash])
        found = _ESCAPE.match(content, backslash)
        piece = _escaped(found, in_bytes=token.kind == "bytes") if found else None
        if found is None or piece is None:
            raise CelSyntaxError(
                f"`{content[backslash : backslash + 2]}` is no escape",
                token.offset + len(token.text) - len(body) + width + backslash,
                help="a backslash itself is written `\\\\`",
            )
        pieces.append(piece)
        at = found.end()
    return [*pieces, content[at:]]


def _escaped(found: re.Match[str], *, in_bytes: bool) -> str | int | None:
    simple, number, octal = found["simple"], found["hex"], found["octal"]
    if simple is not None:
        return _SIMPLE[simple]
    if number is not None:
        return int(number, 16)
    if octal is not None:
        return int(octal, 8)
    code = int(found["short"] or found["long"], 16)
    if in_bytes or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    return chr(code)
