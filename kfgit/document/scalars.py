"""Plain scalars: what they are by YAML 1.2's core schema, and what readers of YAML 1.1 take them for."""

from __future__ import annotations

import re
from typing import NamedTuple

from kfgit.document.nodes import Value

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z")
_NAN = re.compile(r"\.(nan|NaN|NAN)\Z")
_WORDS: dict[str, Value] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MAX_DIGITS = 400

# What YAML 1.1 readers (PyYAML, go-yaml) take for something else than YAML 1.2 does.
_WORDS_1_1 = frozenset(w for b in ("yes", "no", "on", "off") for w in (b, b.capitalize(), b.upper()))
_ODD = _WORDS_1_1 | set(_WORDS)
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?\Z")
_OCTAL_1_1 = re.compile(r"[-+]?0[0-9]+\Z")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*\Z")


# Nothing else can be anything but a string, for readers of any version.
_NO_WORD = re.compile(r"[-+.0-9~<]|\Z")


def is_word(text: str) -> bool:
    """Whether a plain scalar is surely a string for every reader, told without a closer look."""
    return text not in _ODD and _NO_WORD.match(text) is None


def core_value(text: str) -> Value:
    """A plain scalar by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if not (first.isdigit() or first in "+-."):
        return text
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text):
        return int(text, 8)
    if _HEX.match(text):
        return int(text, 16)
    if _FLOAT.match(text):
        return float(text)
    if _INFINITE.match(text):
        return float("-inf") if first == "-" else float("inf")
    return float("nan") if _NAN.match(text) else text


class Surprise(NamedTuple):
    """What to say of a word that YAML 1.1 reads differently."""

    message: str
    help: str


def surprise(text: str, *, is_key: bool) -> Surprise | None:
    """Whether readers of YAML 1.1 (PyYAML, go-yaml) take a plain scalar for something else."""
    if not text or len(text) > _LONGEST:
        return None
    if text in _WORDS_1_1:
        if is_key and not text.islower():
            return None
        meant = "true" if text.lower() in {"yes", "on"} else "false"
        message = f'`{text}` is the string "{text}" here, a boolean for YAML 1.1 readers'
        quoted = f'quote it: "{text}"'
        return Surprise(message, quoted if is_key else f"write `{meant}`, or {quoted}")
    if not (text[-1].isdigit() or text[-1] in "._"):
        return None
    quoted = f'quote it: "{text}"'
    if _OCTAL_1_1.match(text):
        number = core_value(text)
        message = f"`{text}` is the number {number} here, an octal number for YAML 1.1 readers"
        return Surprise(message, f"write `{number}`, or {quoted}")
    if _SEXAGESIMAL.match(text):
        return Surprise(f"`{text}` is a string here, a number in base 60 for YAML 1.1 readers", quoted)
    if _UNDERSCORES.match(text):
        message = f"`{text}` is a string here, a number for YAML 1.1 readers"
        return Surprise(message, f"write `{text.replace('_', '')}`, or {quoted}")
    return None


_LONGEST = 40  # no such word is longer
