"""What an expression is worth for given parameters, as cel-go evaluates it; no `eval`, no I/O, bounded work.

Errors are absorbed as CEL has it: `a && b` is false if either side is false, whatever the other does, and `||`
likewise. Sources: cel-go `interpreter/`, KFP `backend/src/v2/expression/expression.go`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

from kfgit.cel.declarations import TYPE_NAMES
from kfgit.cel.functions import arithmetic, call, call_global, negated, no_overload
from kfgit.cel.syntax import (
    Binary,
    Call,
    CelEvaluationError,
    Comprehension,
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
from kfgit.cel.values import (
    Map,
    Message,
    Meter,
    OutOfBudget,
    TypeName,
    Value,
    compare,
    equal,
    from_json,
    numeric,
    type_name,
)

_EMPTY = Map({})


def evaluate(expr: Expr, parameters: Mapping[str, Any]) -> bool:
    """The value of a condition for a task's parameters, JSON values in which every number counts as a double.

    Raises CelEvaluationError, also where the value is not a bool. Call `check` first: what it refuses KFP's driver
    refuses too, while this function may find a value.
    """
    inputs: dict[str, Value] = {
        "parameters": _EMPTY,
        "artifacts": _EMPTY,
        "parameter_values": from_json(parameters),
    }
    outputs: dict[str, Value] = {"parameters": _EMPTY, "artifacts": _EMPTY, "output_file": ""}
    scope: dict[str, Value] = {
        "inputs": Message("ml_pipelines.ExecutorInput.Inputs", inputs),
        "outputs": Message("ml_pipelines.ExecutorInput.Outputs", outputs),
    }
    value = _Evaluator().value(expr, scope)
    if not isinstance(value, bool):
        raise CelEvaluationError(f"the value of the condition is not a bool but a {type_name(value)}")
    return value


def evaluate_any(expr: Expr, bindings: Mapping[str, Any]) -> Any:
    """The JSON value of an expression over other variables, such as KFP's `parseJson(string_value)["a"]`.

    Numbers come back as floats, as KFP's driver stores them (protobuf `Value`); bytes in base64.
    Raises CelEvaluationError, also for a value that JSON does not have.
    """
    evaluator = _Evaluator()
    value = evaluator.value(expr, {name: from_json(bound) for name, bound in bindings.items()})
    return _to_json(value, evaluator.meter)


def holds(expr: Expr, scope: Mapping[str, Value], meter: Meter) -> bool:
    """Whether an expression is true over values that were made before; `meter` counts what several of them cost.

    Raises CelEvaluationError, also where the value is not a bool, and OutOfBudget, which is one.
    """
    value = _Evaluator(meter).value(expr, scope)
    if not isinstance(value, bool):
        raise CelEvaluationError(f"the value is not a bool but a {type_name(value)}")
    return value


def _to_json(value: Value, meter: Meter) -> Any:
    meter.charge()
    match value:
        case None | bool() | str():
            return value
        case int() | float() | Uint():
            number = float(value.value if isinstance(value, Uint) else value)
            if math.isfinite(number):
                return number
        case bytes():
            return base64.b64encode(value).decode()
        case tuple():
            return [_to_json(item, meter) for item in value]
        case Map():
            entries = list(value.entries.values())
            if all(isinstance(key, str) for key, _ in entries):
                return {key: _to_json(item, meter) for key, item in entries}
        case _:
            pass
    raise CelEvaluationError(f"a {type_name(value)} such as this has no JSON form")


class _Evaluator:
    def __init__(self, meter: Meter | None = None) -> None:
        self.meter = Meter() if meter is None else meter

    def value(self, expr: Expr, scope: Mapping[str, Value]) -> Value:
        """The value of an expression, given those of the variables around it."""
        self.meter.charge()
        match expr:
            case Literal(value=value):
                return value
            case Name(name=name):
                return _variable(name, scope)
            case Select(operand=operand, field=field):
                return _selected(self.value(operand, scope), field)
            case Has(operand=operand, field=field):
                return _has(self.value(operand, scope), field)
            case ListLiteral(items=items):
                return tuple(self.value(item, scope) for item in items)
            case MapLiteral(entries=entries):
                return Map.of((self.value(k, scope), self.value(v, scope)) for k, v in entries)
            case Comprehension():
                return self._comprehension(expr, scope)
            case Reference(text=text):
                raise CelEvaluationError(f"the reference `$({text})` was not replaced")
            case _:
                return self._operation(expr, scope)

    def _operation(self, expr: Unary | Binary | Ternary | Index | Call, scope: Mapping[str, Value]) -> Value:
        match expr:
            case Index(operand=operand, key=key):
                return _indexed(self.value(operand, scope), self.value(key, scope))
            case Ternary(condition=condition, then=then, otherwise=otherwise):
                return self.value(then if self._truth(condition, scope) else otherwise, scope)
            case Call(function=function, target=target, arguments=arguments):
                given = tuple(self.value(argument, scope) for argument in arguments)
                if target is None:
                    return call_global(function, given, self.meter)
                return call(function, self.value(target, scope), given, self.meter)
            case Unary(operator="!", operand=operand):
                return not self._truth(operand, scope)
            case Unary(operand=operand):
                return negated(self.value(operand, scope))
            case Binary(operator="&&", left=left, right=right):
                return self._settled([(left, scope), (right, scope)], decisive=False)
            case Binary(operator="||", left=left, right=right):
                return self._settled([(left, scope), (right, scope)], decisive=True)
            case Binary(operator=operator, left=left, right=right):
                return self._binary(operator, self.value(left, scope), self.value(right, scope))

    def _binary(self, operator: str, a: Value, b: Value) -> Value:
        match operator:
            case "==":
                return equal(a, b, self.meter)
            case "!=":
                return not equal(a, b, self.meter)
            case "<":
                return compare(a, b, self.meter) < 0
            case "<=":
                return compare(a, b, self.meter) <= 0
            case ">":
                return compare(a, b, self.meter) > 0
            case ">=":
                return compare(a, b, self.meter) >= 0
            case "in":
                return self._contains(a, b)
            case _:
                return arithmetic(operator, a, b, self.meter)

    def _contains(self, item: Value, container: Value) -> bool:
        match container:
            case tuple():
                return any(equal(item, other, self.meter) for other in container)
            case Map():
                return container.find(item) is not None
            case _:
                no_overload("in", item, container)

    def _truth(self, expr: Expr, scope: Mapping[str, Value]) -> bool:
        value = self.value(expr, scope)
        if not isinstance(value, bool):
            raise CelEvaluationError(f"no such overload: a bool is needed, found a {type_name(value)}")
        return value

    def _settled(self, parts: list[tuple[Expr, Mapping[str, Value]]], *, decisive: bool) -> bool:
        """`decisive` if any part is that; else the first error, if there was one; else the opposite."""
        fault: CelEvaluationError | None = None
        for expr, scope in parts:
            try:
                if self._truth(expr, scope) is decisive:
                    return decisive
            except OutOfBudget:
                raise
            except CelEvaluationError as error:
                fault = fault or error
        if fault is not None:
            raise fault
        return not decisive

    def _comprehension(self, macro: Comprehension, scope: Mapping[str, Value]) -> Value:
        domain = self.value(macro.domain, scope)
        if not isinstance(domain, tuple | Map):
            raise CelEvaluationError(f"`{macro.macro}` needs a list or a map, found a {type_name(domain)}")
        self.meter.charge(len(domain) * (1 + len(scope)))
        scopes: list[dict[str, Value]] = [{**scope, macro.variable: item} for item in domain]
        match macro.macro:
            case "all":
                return self._settled([(macro.body, inner) for inner in scopes], decisive=False)
            case "exists":
                return self._settled([(macro.body, inner) for inner in scopes], decisive=True)
            case "exists_one":
                return [self._truth(macro.body, inner) for inner in scopes].count(True) == 1
            case "filter":
                return tuple(inner[macro.variable] for inner in scopes if self._truth(macro.body, inner))
            case _:
                guard = macro.guard
                kept = [inner for inner in scopes if guard is None or self._truth(guard, inner)]
                return tuple(self.value(macro.body, inner) for inner in kept)


def _variable(name: str, scope: Mapping[str, Value]) -> Value:
    if name in scope:
        return scope[name]
    if name in TYPE_NAMES:
        return TypeName(name)
    raise CelEvaluationError(f"there is no variable `{name}`")


def _selected(operand: Value, field: str) -> Value:
    match operand:
        case Message(fields=fields) if field in fields:
            return fields[field]
        case Map() if (found := operand.find(field)) is not None:
            return found[1]
        case _:
            raise CelEvaluationError(f"no such key: {field}")


def _has(operand: Value, field: str) -> bool:
    match operand:
        case Message(fields=fields) if field in fields:
            value = fields[field]
            return (
                bool(value) if isinstance(value, str | tuple) else isinstance(value, Map) and len(value) > 0
            )
        case Map():
            return operand.find(field) is not None
        case tuple() | Message():
            raise CelEvaluationError(f"a {type_name(operand)} has no field {field}")
        case _:
            return False


def _indexed(operand: Value, key: Value) -> Value:
    match operand:
        case Map():
            found = operand.find(key)
            if found is None:
                raise CelEvaluationError(f"no such key: {key!r}")
            return found[1]
        case tuple():
            number = numeric(key)
            if number is None or not math.isfinite(number) or number != int(number):
                raise CelEvaluationError(f"a {type_name(key)} such as this is no index of a list")
            if not 0 <= number < len(operand):
                raise CelEvaluationError(f"index out of bounds: {int(number)}")
            return operand[int(number)]
        case _:
            no_overload("[]", operand, key)
