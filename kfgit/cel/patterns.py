r"""RE2 regular expressions, only to ask whether one matches somewhere in a text.

Python's `re` backtracks, so a short hostile pattern could hang a run, and it means other things in places (`$`, `\\w`,
lookahead). This walks all alternatives at once: time is at most pattern times text, which the meter bounds.
The syntax is Go's `regexp/syntax`. Left out: scripts in `\\p{…}` (general categories work).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NoReturn, TypeAlias

from kfgit.cel.syntax import CelEvaluationError
from kfgit.cel.values import Meter

MAX_REPEAT = 1000
MAX_GROUPS = 32
MAX_STATES = 10_000

Accepts: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class One:
    """One character of a kind."""

    accepts: Accepts


@dataclass(frozen=True, slots=True)
class At:
    r"""A place between two characters (`""` at the ends): `^`, `$`, `\b` and their like."""

    holds: Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; the empty one matches nothing at all."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """At least `least` times, and at most `most`; None is no bound."""

    part: Node
    least: int
    most: int | None


Node: TypeAlias = One | At | Sequence | Choice | Repeat


@dataclass(frozen=True, slots=True)
class State:
    """A step of the machine: where it may go without reading (`forks`), or on reading one character (`then`)."""

    accepts: Accepts | None = None
    holds: Callable[[str, str], bool] | None = None
    then: int = -1
    forks: tuple[int, ...] = ()


def matches(text: str, pattern: str, meter: Meter) -> bool:
    """Whether the pattern matches anywhere in the text.

    Raises CelEvaluationError for a pattern that RE2 refuses, OutOfBudget where both are too large together.
    """
    machine = _Machine()
    start = machine.build(_PatternParser(pattern).whole(), machine.add(State()))
    meter.charge(len(machine.states) // 4)
    return _simulate(text, machine.states, start, meter)


def _simulate(text: str, states: list[State], start: int, meter: Meter) -> bool:
    """State 0 is the end of the pattern."""
    active: set[int] = set()
    for at in range(len(text) + 1):
        before = text[at - 1] if at else ""
        after = text[at] if at < len(text) else ""
        active = _reachable({*active, start}, states, before, after)
        meter.charge(1 + len(active) // 4)
        if 0 in active:
            return True
        active = {
            states[s].then for s in active if after and (accepts := states[s].accepts) and accepts(after)
        }
    return False


def _reachable(begin: Iterable[int], states: list[State], before: str, after: str) -> set[int]:
    waiting = list(begin)
    seen: set[int] = set()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        state = states[at]
        waiting += state.forks
        if state.holds is not None and state.holds(before, after):
            waiting.append(state.then)
    return seen


class _Machine:
    """Builds states from the end to the beginning, so that each knows where it goes."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def add(self, state: State) -> int:
        if len(self.states) >= MAX_STATES:
            raise CelEvaluationError("error parsing regexp: expression too large")
        self.states.append(state)
        return len(self.states) - 1

    def build(self, node: Node, then: int) -> int:
        """The state at which the node begins, if `then` comes after it."""
        match node:
            case One(accepts=accepts):
                return self.add(State(accepts=accepts, then=then))
            case At(holds=holds):
                return self.add(State(holds=holds, then=then))
            case Sequence(parts=parts):
                for part in reversed(parts):
                    then = self.build(part, then)
                return then
            case Choice(parts=parts):
                return self.add(State(forks=tuple(self.build(part, then) for part in parts)))
            case Repeat(part=part, least=least, most=most):
                then = self._star(part, then) if most is None else self._optional(part, most - least, then)
                return self.build(Sequence((part,) * least), then)

    def _star(self, part: Node, then: int) -> int:
        loop = self.add(State())
        self.states[loop] = State(forks=(self.build(part, loop), then))
        return loop

    def _optional(self, part: Node, times: int, then: int) -> int:
        end = then
        for _ in range(times):
            then = self.add(State(forks=(self.build(part, then), end)))
        return then


@dataclass(frozen=True, slots=True)
class _Flags:
    i: bool = False
    m: bool = False
    s: bool = False
    U: bool = False


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


def _blank(char: str) -> bool:
    return char in "\t\n\f\r "


def _not(accepts: Accepts) -> Accepts:
    return lambda char: not accepts(char)


def _any_of(parts: list[Accepts]) -> Accepts:
    return lambda char: any(part(char) for part in parts)


def _between(low: str, high: str) -> Accepts:
    return lambda char: low <= char <= high


_PERL: dict[str, Accepts] = {"d": _digit, "w": _word, "s": _blank}
_POSIX: dict[str, Accepts] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "ascii": str.isascii,
    "blank": lambda c: c in "\t ",
    "cntrl": lambda c: c < " " or c == "\x7f",
    "digit": _digit,
    "graph": _between("!", "~"),
    "lower": _between("a", "z"),
    "print": _between(" ", "~"),
    "punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
    "space": lambda c: c in "\t\n\v\f\r ",
    "upper": _between("A", "Z"),
    "word": _word,
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}
_CATEGORIES = frozenset(
    "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co Cs".split()
)
_CONTROL = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_PLACES: dict[str, At] = {
    "A": At(lambda before, _after: not before),
    "z": At(lambda _before, after: not after),
    "b": At(lambda before, after: _word(before or " ") != _word(after or " ")),
    "B": At(lambda before, after: _word(before or " ") == _word(after or " ")),
}
_LINE_START = At(lambda before, _after: before in ("", "\n"))
_LINE_END = At(lambda _before, after: after in ("", "\n"))


def _variants(char: str) -> set[str]:
    """The characters that `(?i)` takes for this one."""
    near = {char, char.lower(), char.upper(), char.lower().upper(), char.upper().lower()}
    return {variant for variant in near if len(variant) == 1}


def _folded(accepts: Accepts) -> Accepts:
    return lambda char: any(accepts(variant) for variant in _variants(char))


@dataclass(slots=True)
class _PatternParser:
    """Reads a pattern once from left to right."""

    pattern: str
    at: int = 0
    groups: int = 0
    flags: _Flags = field(default_factory=_Flags)

    def whole(self) -> Node:
        node = self._choice()
        if self.at < len(self.pattern):
            self._fail("unexpected )")
        _bounded_repeats(node, 1)
        return node

    def _fail(self, reason: str, shown: str = "") -> NoReturn:
        raise CelEvaluationError(f"error parsing regexp: {reason}: `{shown or self.pattern[:80]}`")

    def _next(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _accept(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def _choice(self) -> Node:
        parts = [self._sequence()]
        while self._accept("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while (char := self._next()) and char not in "|)":
            bounds = self._bounds()
            if bounds is None:
                parts += self._atoms()
            elif parts:
                parts[-1] = self._repeated(parts[-1], *bounds)
            else:
                self._fail("missing argument to repetition operator", char)
        return Sequence(tuple(parts))

    def _repeated(self, part: Node, least: int, most: int | None) -> Node:
        self._accept("?")
        again = self.at
        if self._bounds() is not None:
            self._fail("invalid nested repetition operator", self.pattern[again - 1 : self.at])
        if max(least, most or 0) > MAX_REPEAT or (most is not None and most < least):
            self._fail("invalid repeat count", f"{{{least},{most}}}")
        return Repeat(part, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        char = self._next()
        if char in simple:
            self.at += 1
            return simple[char]
        counts = self._counts()
        if counts is None:
            return None
        self.at = self.pattern.index("}", self.at) + 1
        return counts

    def _counts(self) -> tuple[int, int | None] | None:
        """`{n}`, `{n,}` or `{n,m}` here; anything else in braces is text."""
        close = self.pattern.find("}", self.at, self.at + 16)
        if self._next() != "{" or close < 0:
            return None
        low, comma, high = self.pattern[self.at + 1 : close].partition(",")
        if not _number(low) or not (high == "" or _number(high)):
            return None
        return int(low), int(high) if high else (None if comma else int(low))

    def _atoms(self) -> tuple[Node, ...]:
        """What comes next; flags alone are nothing, and quoted text is several letters."""
        char = self._next()
        if char == "(":
            return self._group()
        if self._accept("\\Q"):
            text, _, _ = self.pattern[self.at :].partition("\\E")
            self.at = min(self.at + len(text) + 2, len(self.pattern))
            return tuple(self._letter(letter) for letter in text)
        return (self._atom(char),)

    def _atom(self, char: str) -> Node:
        if char == "[":
            return One(self._class())
        if char == "\\":
            return self._escape()
        self.at += 1
        match char:
            case ".":
                return One(lambda _char: True) if self.flags.s else One(lambda char: char != "\n")
            case "^":
                return _LINE_START if self.flags.m else _PLACES["A"]
            case "$":
                return _LINE_END if self.flags.m else _PLACES["z"]
            case _:
                return self._letter(char)

    def _letter(self, char: str) -> One:
        wanted = _variants(char) if self.flags.i else {char}
        return One(self._case(lambda found: found in wanted))

    def _case(self, accepts: Accepts) -> Accepts:
        return _folded(accepts) if self.flags.i else accepts

    def _group(self) -> tuple[Node, ...]:
        opened = self.at
        self.at += 1
        outer = self.flags
        if self._accept("?"):
            if self._accept("P<") or self._accept("<"):
                self._group_name(opened)
            elif self._flags_alone(opened):
                return ()
        self.groups += 1
        if self.groups > MAX_GROUPS:
            self._fail("expression nests too deeply")
        node = self._choice()
        self.groups -= 1
        if not self._accept(")"):
            self._fail("missing closing )")
        self.flags = outer
        return (node,)

    def _group_name(self, opened: int) -> None:
        close = self.pattern.find(">", self.at)
        name = self.pattern[self.at : close]
        if close < 0 or not name or not all(_word(char) for char in name):
            self._fail("invalid named capture", self.pattern[opened : close + 1])
        self.at = close + 1

    def _flags_alone(self, opened: int) -> bool:
        """Reads `(?i)`, which holds to the end of the group around it, or `(?i:`."""
        value = True
        flags = self.flags
        while (char := self._next()) in tuple("imsU-"):
            self.at += 1
            if char == "-":
                value = False
            else:
                flags = replace(flags, **{char: value})
        self.at += 1
        self.flags = flags
        if char not in (":", ")"):
            self._fail("invalid or unsupported Perl syntax", self.pattern[opened : self.at])
        return char == ")"

    def _escape(self) -> Node:
        name = self.pattern[self.at + 1 : self.at + 2]
        if name in _PLACES:
            self.at += 2
            return _PLACES[name]
        kind = self._kind()
        return self._letter(self._character()) if kind is None else One(self._case(kind))

    def _kind(self) -> Accepts | None:
        r"""`\d`, `\pL` and their like here, or None."""
        name = self.pattern[self.at + 1 : self.at + 2]
        if self._next() != "\\" or not name:
            return None
        if name.lower() in _PERL:
            self.at += 2
            accepts = _PERL[name.lower()]
            return accepts if name.islower() else _not(accepts)
        return self._category() if name in "pP" else None

    def _category(self) -> Accepts:
        opened = self.at
        negated = self.pattern[self.at + 1] == "P"
        self.at += 2
        name = self._next()
        self.at += 1
        if name == "{":
            name, close, _ = self.pattern[self.at :].partition("}")
            self.at += len(name) + len(close)
            negated ^= name.startswith("^")
            name = name.removeprefix("^")
        if name not in _CATEGORIES:
            self._fail("invalid character class range", self.pattern[opened : self.at])
        accepts: Accepts = lambda char: unicodedata.category(char).startswith(name)  # noqa: E731
        return _not(accepts) if negated else accepts

    def _character(self) -> str:
        """One escaped character."""
        opened = self.at
        self.at += 1
        char = self._next()
        self.at += 1
        if char in _CONTROL:
            return _CONTROL[char]
        if char and char.isascii() and not char.isalnum():
            return char
        if char == "x":
            return self._hexadecimal(opened)
        if char == "0" or (char and char in "1234567" and self._next() in tuple("01234567")):
            digits = char
            while len(digits) < 3 and self._next() in tuple("01234567"):
                digits += self._next()
                self.at += 1
            return chr(int(digits, 8))
        if not char:
            self._fail("trailing backslash at end of expression")
        self._fail("invalid escape sequence", self.pattern[opened : self.at])

    def _hexadecimal(self, opened: int) -> str:
        if self._accept("{"):
            digits, close, _ = self.pattern[self.at :].partition("}")
            self.at += len(digits) + len(close)
        else:
            digits, close = self.pattern[self.at : self.at + 2], "}"
            self.at += 2
            close = close if len(digits) == 2 else ""
        if (
            not close
            or not digits
            or not all(char in "0123456789abcdefABCDEF" for char in digits)
            or len(digits) > 8
        ):
            self._fail("invalid escape sequence", self.pattern[opened : self.at])
        code = int(digits, 16)
        if code > 0x10FFFF:
            self._fail("invalid escape sequence", self.pattern[opened : self.at])
        return chr(code)

    def _class(self) -> Accepts:
        opened = self.at
        self.at += 1
        negated = self._accept("^")
        parts: list[Accepts] = []
        while self._next() != "]" or not parts:
            if self.at >= len(self.pattern):
                self._fail("missing closing ]", self.pattern[opened:])
            parts.append(self._posix() or self._kind() or self._range())
        self.at += 1
        accepts = self._case(_any_of(parts))
        return _not(accepts) if negated else accepts

    def _posix(self) -> Accepts | None:
        close = self.pattern.find(":]", self.at + 2)
        if not self.pattern.startswith("[:", self.at) or close < 0:
            return None
        name = self.pattern[self.at + 2 : close]
        accepts = _POSIX.get(name.removeprefix("^"))
        if accepts is None:
            self._fail("invalid character class range", self.pattern[self.at : close + 2])
        self.at = close + 2
        return _not(accepts) if name.startswith("^") else accepts

    def _range(self) -> Accepts:
        opened = self.at
        low = high = self._class_character()
        if self._next() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            high = self._class_character()
        if high < low:
            self._fail("invalid character class range", self.pattern[opened : self.at])
        return _between(low, high)

    def _class_character(self) -> str:
        if self._next() == "\\":
            return self._character()
        if not self._next():
            self._fail("missing closing ]")
        self.at += 1
        return self.pattern[self.at - 1]


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and (text == "0" or not text.startswith("0"))


def _bounded_repeats(node: Node, times: int) -> None:
    """Counted repeats inside each other multiply; RE2 allows 1000 in all."""
    match node:
        case Repeat(part=part, least=least, most=most):
            times *= max(least, most or 0, 1)
            if times > MAX_REPEAT:
                raise CelEvaluationError("error parsing regexp: invalid repeat count")
            _bounded_repeats(part, times)
        case Sequence(parts=parts) | Choice(parts=parts):
            for part in parts:
                _bounded_repeats(part, times)
        case One() | At():
            pass
