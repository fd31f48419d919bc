"""Static types of CEL, and how cel-go makes two of them agree.

This follows cel-go's `checker/types.go` (isAssignable and what it calls) rule by rule, because which conditions
KFP's driver refuses to compile depends on its details. `dyn` agrees with everything, and every parameter is `dyn`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from kfgit.cel.syntax import CelTypeError

MAX_TYPE = 200
"""Parts of one type: chained `map` macros can double a type each time."""


@dataclass(frozen=True, slots=True)
class Type:
    """A kind, for `message` and `var` a name, and the types inside: `list(int)` is `Type("list", (INT,))`."""

    kind: str
    parameters: tuple[Type, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        if self.kind == "message":
            return self.name
        inner = ", ".join(str(parameter) for parameter in self.parameters)
        return f"{self.kind}({inner})" if inner else self.kind


BOOL, BYTES, DOUBLE, INT, STRING, UINT = (
    Type(k) for k in ("bool", "bytes", "double", "int", "string", "uint")
)
DURATION, TIMESTAMP, NULL, DYN = (Type(kind) for kind in ("duration", "timestamp", "null", "dyn"))

_WRAPS = frozenset({"list", "map", "type"})
_NULLABLE = frozenset({"message", "duration", "timestamp", "null"})


def list_of(item: Type) -> Type:
    """`list(item)`."""
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """`map(key, value)`."""
    return Type("map", (key, value))


def type_of_type(of: Type) -> Type:
    """`type(of)`, the type of the name of a type."""
    return Type("type", (of,))


def message(name: str) -> Type:
    """A protobuf message."""
    return Type("message", name=name)


def variable(name: str) -> Type:
    """A type that is not known yet."""
    return Type("var", name=name)


@dataclass(slots=True, eq=False)
class Unifier:
    """What the type variables of one expression turned out to be. Lives as long as one check."""

    _known: dict[str, Type] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def fresh(self) -> Type:
        """A type variable that was not used before."""
        return variable(f"_{next(self._numbers)}")

    def fresh_copies(self, types: Iterable[Type]) -> list[Type]:
        """The types of a declaration, its own variables replaced by fresh ones."""
        fresh: dict[str, Type] = {}
        return [self._renamed(a, fresh) for a in types]

    def _renamed(self, a: Type, fresh: dict[str, Type]) -> Type:
        if a.kind == "var":
            if a.name not in fresh:
                fresh[a.name] = self.fresh()
            return fresh[a.name]
        return Type(a.kind, tuple(self._renamed(p, fresh) for p in a.parameters), a.name)

    def assignable(self, given: Iterable[Type], wanted: Iterable[Type]) -> bool:
        """Whether each given type fits the wanted one; what is learnt stays only if all do."""
        before = dict(self._known)
        pairs = zip(list(given), list(wanted), strict=True)
        if all(self._assignable(a, b) for a, b in pairs):
            return True
        self._known = before
        return False

    def resolved(self, a: Type) -> Type:
        """The type with everything known put in. Raises CelTypeError if that is absurdly large."""
        return self._substitute(a, [0])

    def joined(self, previous: Type, current: Type) -> Type:
        """The type of a list's items so far, one item more."""
        if self.assignable([previous], [current]):
            return _most_general(previous, current)
        return DYN

    def _substitute(self, a: Type, seen: list[int]) -> Type:
        seen[0] += 1
        if seen[0] > MAX_TYPE:
            raise CelTypeError("the expression's type is too large", 0)
        if a.kind == "var":
            known = self._known.get(a.name)
            return a if known is None else self._substitute(known, seen)
        if a.kind not in _WRAPS:
            return a
        return Type(a.kind, tuple(self._substitute(p, seen) for p in a.parameters), a.name)

    def _assignable(self, a: Type, b: Type) -> bool:
        if b.kind == "var":
            valid, had_known = self._substitutes(a, b)
            if valid or had_known:
                return valid
        if a.kind == "var":
            return self._substitutes(b, a)[0]
        if "dyn" in (a.kind, b.kind):
            return True
        if "null" in (a.kind, b.kind):
            return (b if a.kind == "null" else a).kind in _NULLABLE
        if a.kind != b.kind or a.name != b.name:
            return False
        if a.kind == "type":
            return True
        return all(self._assignable(p, q) for p, q in zip(a.parameters, b.parameters, strict=True))

    def _substitutes(self, a: Type, var: Type) -> tuple[bool, bool]:
        """Whether the variable can be `a`, and whether it was something already."""
        if a == var:
            return True, True
        known = self._known.get(var.name)
        if known is None:
            free = not self._occurs(var, a)
            if free:
                self._known[var.name] = a
            return free, False
        if a == known:
            return True, True
        if not self._assignable(a, known):
            return False, True
        general = _most_general(a, known)
        if not self._occurs(var, general):
            self._known[var.name] = general
        return True, True

    def _occurs(self, var: Type, within: Type) -> bool:
        if var == within:
            return True
        if within.kind == "var":
            known = self._known.get(within.name)
            return known is not None and self._occurs(var, known)
        return any(self._occurs(var, parameter) for parameter in within.parameters)


def _most_general(a: Type, b: Type) -> Type:
    return a if _less_specific(a, b) else b


def _less_specific(a: Type, b: Type) -> bool:
    """Whether `a` says no more than `b`."""
    if a.kind in ("dyn", "var"):
        return True
    if b.kind in ("dyn", "var") or a.kind != b.kind:
        return False
    if a.kind in ("list", "map"):
        return all(_less_specific(p, q) for p, q in zip(a.parameters, b.parameters, strict=True))
    return a.kind == "type" or a == b
