"""Refuses what KFP's driver would refuse to compile, before anything runs.

This is cel-go's `checker/checker.go` for the variables of a condition: every parameter is `dyn`, so what is left to
refuse are operations on constants and conversions that no value can make right, such as `1 == 1.0`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kfgit.cel.declarations import (
    FIELDS,
    FUNCTIONS,
    OPERATORS,
    OPERATORS_IN_MACROS,
    TYPE_NAMES,
    VARIABLES,
    Overload,
)
from kfgit.cel.syntax import (
    Binary,
    Call,
    CelTypeError,
    Comprehension,
    Constant,
    Expr,
    Has,
    Index,
    ListLiteral,
    Literal,
    MapLiteral,
    Name,
    Reference,
    Select,
    Ternary,
    Uint,
    Unary,
)
from kfgit.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    Type,
    Unifier,
    list_of,
    map_of,
    type_of_type,
)
from kfgit.diagnostics import did_you_mean


def check(expr: Expr) -> None:
    """Raises CelTypeError if no value of the parameters could give the expression a value.

    That the value is a bool is not checked: KFP's driver finds that only when it evaluates.
    """
    _Checker(VARIABLES, FIELDS).type_of(expr, {})


def type_among(expr: Expr, variables: Mapping[str, Type], fields: Mapping[str, Mapping[str, Type]]) -> Type:
    """The type of an expression over other variables; `fields` are those of their messages.

    Raises CelTypeError if no values of the variables could give it a value.
    """
    return _Checker(variables, fields).whole(expr)


class _Checker:
    def __init__(self, variables: Mapping[str, Type], fields: Mapping[str, Mapping[str, Type]]) -> None:
        self._unifier = Unifier()
        self._variables, self._fields = variables, fields

    def whole(self, expr: Expr) -> Type:
        """The type of a whole expression, with what was found of its parts."""
        return self._unifier.resolved(self.type_of(expr, {}))

    def type_of(self, expr: Expr, scope: Mapping[str, Type]) -> Type:
        """The type of an expression, given those of the variables that macros bind around it."""
        match expr:
            case Literal(value=value):
                return constant_type(value)
            case Name():
                return self._named(expr, scope)
            case Select(operand=operand, field=field, offset=offset):
                return self._field(self._resolved(operand, scope), field, offset)
            case Has(operand=operand, field=field, offset=offset):
                self._field(self._resolved(operand, scope), field, offset)
                return BOOL
            case ListLiteral(items=items):
                return list_of(self._joined(items, scope))
            case MapLiteral(entries=entries):
                return map_of(
                    self._joined([k for k, _ in entries], scope), self._joined([v for _, v in entries], scope)
                )
            case Comprehension():
                return self._unifier.resolved(self._comprehension(expr, scope))
            case Reference(offset=offset):
                raise CelTypeError("a reference `$(…)` is kfgit's, not CEL's", offset)
            case _:
                return self._operation(expr, scope)

    def _operation(self, expr: Unary | Binary | Ternary | Index | Call, scope: Mapping[str, Type]) -> Type:
        at = expr.offset
        match expr:
            case Unary(operator=operator, operand=operand):
                name = "neg" if operator == "-" else operator
                return self._overload(operator, OPERATORS[name], [self.type_of(operand, scope)], at)
            case Binary(operator="&&" | "||" as operator, left=left, right=right):
                for side in (left, right):
                    self._needs_bool(side, scope, f"`{operator}`")
                return BOOL
            case Binary(operator=operator, left=left, right=right):
                sides = [self.type_of(left, scope), self.type_of(right, scope)]
                return self._overload(
                    operator, (OPERATORS_IN_MACROS if scope else OPERATORS)[operator], sides, at
                )
            case Ternary(condition=condition, then=then, otherwise=otherwise):
                parts = [self.type_of(part, scope) for part in (condition, then, otherwise)]
                return self._overload("?:", OPERATORS["?:"], parts, at)
            case Index(operand=operand, key=key):
                parts = [self.type_of(operand, scope), self.type_of(key, scope)]
                return self._overload("[]", OPERATORS["[]"], parts, at)
            case Call():
                return self._call(expr, scope)

    def _call(self, call: Call, scope: Mapping[str, Type]) -> Type:
        overloads = FUNCTIONS.get(call.function)
        if overloads is None:
            raise CelTypeError(
                f"there is no function `{call.function}`",
                call.offset,
                help=did_you_mean(call.function, FUNCTIONS, what="functions"),
            )
        arguments = [self.type_of(argument, scope) for argument in call.arguments]
        if call.target is not None:
            arguments.insert(0, self.type_of(call.target, scope))
        fitting = [o for o in overloads if o.member == (call.target is not None)]
        return self._overload(call.function, fitting, arguments, call.offset)

    def _resolved(self, expr: Expr, scope: Mapping[str, Type]) -> Type:
        return self._unifier.resolved(self.type_of(expr, scope))

    def _named(self, name: Name, scope: Mapping[str, Type]) -> Type:
        if name.name in scope:
            return scope[name.name]
        if name.name in self._variables:
            return self._variables[name.name]
        if name.name in TYPE_NAMES:
            return type_of_type(TYPE_NAMES[name.name])
        known = [*scope, *self._variables]
        raise CelTypeError(
            f"there is no variable `{name.name}`",
            name.offset,
            help=did_you_mean(name.name, known, what="variables"),
        )

    def _field(self, operand: Type, field: str, offset: int) -> Type:
        match operand.kind:
            case "map":
                return operand.parameters[1]
            case "message":
                fields = self._fields.get(operand.name, {})
                if field not in fields:
                    raise CelTypeError(
                        f"`{operand}` has no field `{field}`",
                        offset,
                        help=did_you_mean(field, fields, what="fields"),
                    )
                return fields[field]
            case "var":
                self._unifier.assignable([DYN], [operand])
                return DYN
            case "dyn":
                return DYN
            case _:
                raise CelTypeError(f"a value of type {operand} has no fields", offset)

    def _overload(
        self, name: str, overloads: tuple[Overload, ...] | list[Overload], given: list[Type], at: int
    ) -> Type:
        result: Type | None = None
        for overload in overloads:
            if len(overload.arguments) != len(given):
                continue
            *wanted, returned = self._unifier.fresh_copies([*overload.arguments, overload.result])
            if not self._unifier.assignable(given, wanted):
                continue
            returned = self._unifier.resolved(returned)
            result = returned if result in (None, returned) else DYN
        if result is None:
            shown = ", ".join(str(_without_variables(self._unifier.resolved(a))) for a in given)
            raise CelTypeError(f"`{name}` cannot be applied to ({shown})", at)
        return result

    def _needs_bool(self, expr: Expr, scope: Mapping[str, Type], whose: str) -> None:
        found = self.type_of(expr, scope)
        if not self._unifier.assignable([found], [BOOL]):
            raise CelTypeError(f"{whose} needs a bool, found {self._unifier.resolved(found)}", expr.offset)

    def _joined(self, items: list[Expr] | tuple[Expr, ...], scope: Mapping[str, Type]) -> Type:
        joined: Type | None = None
        for item in items:
            found = self.type_of(item, scope)
            joined = found if joined is None else self._unifier.joined(joined, found)
        return self._unifier.fresh() if joined is None else joined

    def _comprehension(self, macro: Comprehension, scope: Mapping[str, Type]) -> Type:
        domain = self._resolved(macro.domain, scope)
        inner = {**scope, macro.variable: self._item(domain, macro)}
        if macro.guard is not None:
            self._needs_bool(macro.guard, inner, f"`{macro.macro}`")
        if macro.macro == "map":
            return list_of(self.type_of(macro.body, inner))
        self._needs_bool(macro.body, inner, f"`{macro.macro}`")
        return list_of(inner[macro.variable]) if macro.macro == "filter" else BOOL

    def _item(self, domain: Type, macro: Comprehension) -> Type:
        match domain.kind:
            case "list" | "map":
                return domain.parameters[0]
            case "var":
                self._unifier.assignable([DYN], [domain])
                return DYN
            case "dyn":
                return DYN
            case _:
                raise CelTypeError(f"`{macro.macro}` needs a list or a map, found {domain}", macro.offset)


def constant_type(value: Constant) -> Type:
    """The type of a literal."""
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return DOUBLE
        case str():
            return STRING
        case bytes():
            return BYTES
        case Uint():
            return UINT


def _without_variables(a: Type) -> Type:
    return DYN if a.kind == "var" else Type(a.kind, tuple(map(_without_variables, a.parameters)), a.name)
