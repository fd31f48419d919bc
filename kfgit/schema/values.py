"""Sentences about values: of the wrong type or form, or outside a range."""

from __future__ import annotations

import re
from collections.abc import Callable

from kfgit.diagnostics import Diagnostic
from kfgit.document import Scalar
from kfgit.schema.bundles import Schema
from kfgit.schema.case import Case
from kfgit.schema.words import SHORT, close, flow, found, joined, mended, short


def _tell_type(case: Case) -> Diagnostic:
    if _is_reference(case):
        return _tell_reference(case)
    types: list[str] = [case.rule] if isinstance(case.rule, str) else case.rule
    expected = case.form or " or ".join(_EXPECTED[name] for name in types)
    message = f"{case.subject} must be {expected}, not {found(case.value)}"
    return case.diagnostic("wrong-type", message, _type_help(case, types))


def _type_help(case: Case, types: list[str]) -> str:
    node = case.node()
    if isinstance(node, Scalar) and node.origins and not node.span.file.endswith(".j2"):
        return "a scalar that is exactly one `{{ … }}` has the type of its value, anything else is a string"
    if case.value is None:
        return "write a value, or remove the key"
    if isinstance(case.value, str):
        told = _string_help(case.value, types) or case.schema.get("x-kfgit-help") or _example(case)
        return told or _form(case, types)
    told = _whole_help(case, types) or case.schema.get("x-kfgit-help") or _quote_help(case, types)
    return told or _example(case) or _form(case, types)


def _is_reference(case: Case) -> bool:
    """Whether a reference stands where none may; inside command lines and outputs one may."""
    if case.path and (case.path[-1] in _ARGUMENTS or case.path[-2:-1] == ("outputs",)):
        return False
    text = case.value.replace("$$(", "") if isinstance(case.value, str) else ""
    return _REFERENCE.search(text) is not None and "reference" not in (case.form or "")


def _tell_reference(case: Case) -> Diagnostic:
    message = f"{case.subject} cannot hold a reference"
    return case.diagnostic(
        "reference-not-allowed", message, "write the value, or choose it with `{{ vars.… }}`"
    )


def _form(case: Case, types: list[str]) -> str:
    return f"write {case.form or ' or '.join(_EXPECTED[name] for name in types)}"


def _string_help(value: str, types: list[str]) -> str | None:
    """The way out for a string where something else belongs."""
    if "boolean" in types and value.lower() in _WORDS:
        return f"write `{_WORDS[value.lower()]}`"
    if {"integer", "number"} & set(types) and _NUMERIC.match(value):
        return f"write `{value}` without quotes"
    return f"write a list: `[{flow(value)}]`" if types == ["array"] and len(value) < SHORT else None


def _whole_help(case: Case, types: list[str]) -> str | None:
    """The way out for `2.0` where a whole number belongs."""
    if "integer" not in types or not isinstance(case.value, float) or abs(case.value) > _SURELY_WHOLE:
        return None
    return f"write `{int(case.value)}`" if case.value.is_integer() else None


def _quote_help(case: Case, types: list[str]) -> str | None:
    """The way out for a number or boolean where a string belongs; a float's own text is lost."""
    if not isinstance(case.value, (bool, int, float)) or "string" not in types:
        return None
    if isinstance(case.value, float):
        return "put it in quotes"
    text = flow(case.value)
    return f'quote it: `"{text}"`' if re.search(case.schema.get("pattern", ""), text) else None


def _example(case: Case) -> str | None:
    examples = case.schema.get("examples")
    if not examples or not case.path or isinstance(case.path[-1], int):
        return None
    return f"for example `{case.path[-1]}: {flow(examples[0])}`"


def _tell_value(case: Case) -> Diagnostic:
    if _is_reference(case):
        return _tell_reference(case)
    allowed: list[str] = [case.schema["const"]] if "const" in case.schema else case.rule
    listed = joined([item or '""' for item in allowed], "or")
    if not isinstance(case.value, str):
        message = f"{case.subject} must be {listed}, not {found(case.value)}"
        return case.diagnostic("wrong-type", message, f"write {listed}")
    meant = allowed[0] if len(allowed) == 1 else close(case.value, allowed)
    message = f"{case.subject} must be {listed}, not `{short(case.value)}`"
    way_out = f"did you mean `{meant}`?" if meant else f"write one of them: {joined(allowed, 'or')}"
    return case.diagnostic("bad-value", message, way_out)


def _tell_pattern(case: Case) -> Diagnostic:
    if _is_reference(case):
        return _tell_reference(case)
    message = f"{case.subject} must be {case.form}, not `{short(case.value)}`"
    told = mended(case.value, case.schema) or case.schema.get("x-kfgit-help") or _example(case)
    help_ = told or f"write {case.form}"
    return case.diagnostic("bad-format", message, help_)


def _tell_least(case: Case) -> Diagnostic:
    message = f"{case.subject} must be at least {case.rule}, not {case.value}"
    return case.diagnostic("out-of-range", message, _range_help(case.schema))


def _tell_most(case: Case) -> Diagnostic:
    message = f"{case.subject} must be at most {case.rule}, not {case.value}"
    return case.diagnostic("out-of-range", message, _range_help(case.schema))


def _range_help(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    return f"write a number from {least} to {most}" if most is not None else f"write {least} or more"


def _tell_empty(case: Case) -> Diagnostic:
    return case.diagnostic("empty", f"{case.subject} may not be empty", _example(case) or "write a value")


# Beyond it a float is no longer the number that was written.
_SURELY_WHOLE = 2**53
# Of several errors at one value the first of these is told.
VALUE_ERRORS: dict[str, Callable[[Case], Diagnostic]] = {
    "type": _tell_type,
    "const": _tell_value,
    "enum": _tell_value,
    "minLength": _tell_empty,
    "minItems": _tell_empty,
    "minProperties": _tell_empty,
    "pattern": _tell_pattern,
    "minimum": _tell_least,
    "maximum": _tell_most,
}

_EXPECTED = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a map",
}
_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WORDS |= {"true": "true", "false": "false"}
_REFERENCE = re.compile(r"\$\((inputs|outputs|tasks|item|loops|run|workspace)\b")
_ARGUMENTS = {"command", "args", "then", "else", "concat"}
_NUMERIC = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?\Z")
