"""Types, given values and conditions: the small things that components and pipelines are made of."""

from __future__ import annotations

import math
import re
from typing import Any, get_args

from kfgit import cel, references
from kfgit.diagnostics import Diagnostic, Severity, did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence, plain
from kfgit.lightweight import ARTIFACT_TYPES
from kfgit.model import (
    ArtifactType,
    Composite,
    Condition,
    Input,
    Literal_,
    ParameterName,
    ParameterType,
    StatusType,
    Type,
    Value,
    Whole,
)
from kfgit.references import BadReference, Ref, Text
from kfgit.resolve.reader import Reader
from kfgit.source import Span

_PARAMETERS: tuple[ParameterName, ...] = get_args(ParameterName)
_CUSTOM = re.compile(r"([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)+)(?:@(\d+\.\d+\.\d+))?\Z")
_LIST = re.compile(r"list<\s*(.+?)\s*>\Z")


def type_of(reader: Reader, node: Node | None) -> Type | None:
    """The type a document names."""
    text = reader.string(node)
    if text is None or node is None:
        return None
    found = parse_type(text)
    if found is None:
        known = (*_PARAMETERS, *ARTIFACT_TYPES, "TaskFinalStatus")
        listed = _LIST.match(text)
        help_ = did_you_mean(listed.group(1) if listed else text, known, what="types")
        reader.fault("unknown-type", f"there is no type `{text}`", node.span, help_)
    return found


def parse_type(text: str) -> Type | None:
    """`float`, `list<float>`, `Model`, `list<Model>`, `google.VertexModel@0.0.1`, `TaskFinalStatus`."""
    if text == "TaskFinalStatus":
        return StatusType()
    listed = _LIST.match(text)
    if listed is not None:
        item = parse_type(listed.group(1))
        match item:
            case ParameterType(name, None):
                return ParameterType("list", name)
            case ArtifactType(title, version, False):
                return ArtifactType(title, version, many=True)
            case _:
                return None
    parameter = next((name for name in _PARAMETERS if name == text), None)
    if parameter is not None:
        return ParameterType(parameter)
    if text in ARTIFACT_TYPES:
        return ArtifactType(f"system.{text}")
    custom = _CUSTOM.match(text)
    return ArtifactType(custom.group(1), custom.group(2) or "0.0.1") if custom else None


def show_type(type_: Type | None) -> str:
    """The type as documents write it."""
    match type_:
        case ParameterType(name, None):
            return name
        case ParameterType(_, item):
            return f"list<{item}>"
        case ArtifactType(title, version, many):
            short = title.removeprefix("system.") if title.startswith("system.") else f"{title}@{version}"
            return f"list<{short}>" if many else short
        case StatusType():
            return "TaskFinalStatus"
        case None:
            return "unknown"


def conforms(value: Any, type_: ParameterType) -> bool:
    """Whether a JSON value is of a parameter type. A whole number may stand for a float."""
    match type_.name:
        case "string":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "dict":
            return isinstance(value, dict)
        case "list":
            item = ParameterType(type_.item) if type_.item else None
            return isinstance(value, list) and (item is None or all(conforms(v, item) for v in value))


def literal_fault(value: Any, port: Input) -> tuple[str, str, str | None] | None:
    """(code, message, help) for a literal that an input cannot take."""
    if value is None or not isinstance(port.type, ParameterType):
        return None
    if not _is_finite(value):
        return "type-mismatch", f"`{port.name}` cannot be infinity or NaN, which JSON does not have", None
    if not conforms(value, port.type):
        message = f"`{port.name}` must be {show_type(port.type)}, not {_kind(value)}"
        return "type-mismatch", message, _hint(value, port.type)
    if port.enum and value not in port.enum:
        known = [str(v) for v in port.enum]
        return (
            "value-not-allowed",
            f"`{port.name}` cannot be {_short(value)}",
            did_you_mean(str(value), known, what="its values"),
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        if port.minimum is not None and value < port.minimum:
            return "out-of-range", f"`{port.name}` must be at least {port.minimum:g}, not {value}", None
        if port.maximum is not None and value > port.maximum:
            return "out-of-range", f"`{port.name}` must be at most {port.maximum:g}, not {value}", None
    if port.pattern and isinstance(value, str) and not _matches(port.pattern, value):
        return "value-not-allowed", f"`{port.name}` must match `{port.pattern}`", None
    return None


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(_is_finite(item) for item in value)
        case dict():
            return all(_is_finite(item) for item in value.values())
        case _:
            return True


def _matches(pattern: str, value: str) -> bool:
    """The whole of it. Bounded by size; a pattern with nested repetition is not tried, since it could take for ever."""
    if len(pattern) > 500 or len(value) > 2000 or re.search(r"[+*}]\)?[+*{]", pattern):
        return True
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True


def _kind(value: Any) -> str:
    names = {
        bool: "a boolean",
        int: "a whole number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a map",
    }
    return names.get(type(value), "this")


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) < 60 else text[:57] + "…"


def _hint(value: Any, type_: ParameterType) -> str | None:
    if type_.name == "string":
        return f'quote it: "{value}"' if isinstance(value, int | float) else None
    if isinstance(value, str) and type_.name in {"int", "float", "bool"}:
        return "write it without quotes" if value.strip() else None
    if type_.name == "int" and isinstance(value, float):
        return f"write {round(value)}, or make the input a float"
    return None


def bad_references(reader: Reader, faults: tuple[BadReference, ...], span: Span) -> None:
    """Tells what `references.scan` found wrong."""
    for fault in faults:
        severity: Severity = "warning" if fault.severity == "warning" else "error"
        reader.faults.append(Diagnostic("bad-reference", fault.message, span, fault.help, severity))
        reader.broken = reader.broken or severity == "error"


def value(reader: Reader, node: Node) -> Value | None:
    """A value given to an input: a literal, one reference, or text and structures with references inside."""
    if _has_failed(node):
        reader.broken = True
        return None
    match node:
        case Scalar() if isinstance(node.value, str) and "$(" in node.value:
            text, faults = references.scan(node.value)
            bad_references(reader, faults, node.span)
            if faults:
                return None
            if text.whole is not None:
                return Whole(text.whole, node.span)
            if text.literal is not None:
                return Literal_(text.literal, node.span)
            return Composite(text, text.references, node.span)
        case Scalar():
            return Literal_(node.value, node.span)
        case Sequence() | Mapping():
            found: list[Ref] = []
            before = len(reader.faults)
            tree = _tree(reader, node, found)
            if len(reader.faults) > before and reader.broken:
                return None
            return Composite(tree, tuple(found), node.span) if found else Literal_(plain(node), node.span)


def _has_failed(node: Node) -> bool:
    """Whether a template in the value failed, which was told: nothing can be said of the value then."""
    match node:
        case Scalar():
            return node.is_failed
        case Sequence():
            return any(_has_failed(item) for item in node.items)
        case Mapping():
            return any(_has_failed(entry.node) for entry in node.entries.values())


def _tree(reader: Reader, node: Node, found: list[Ref]) -> Any:
    match node:
        case Mapping():
            return {key: _tree(reader, entry.node, found) for key, entry in node.entries.items()}
        case Sequence():
            return [_tree(reader, item, found) for item in node.items]
        case Scalar():
            if not isinstance(node.value, str) or "$(" not in node.value:
                return node.value
            text, faults = references.scan(node.value)
            bad_references(reader, faults, node.span)
            found.extend(text.references)
            return text.literal if text.literal is not None else text


def text_of(reader: Reader, node: Scalar, content: str) -> Text:
    """A script, command or argument: the shell keeps what is not ours."""
    text, faults = references.scan_shell(content)
    bad_references(reader, faults, node.span)
    return text


def condition(reader: Reader, node: Node | None) -> Condition | None:
    """A `when`."""
    text = reader.string(node)
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        text = "true" if node.value else "false"
        reader.broken = False
    if text is None or node is None:
        return None
    try:
        expression = cel.parse_when(text)
    except cel.CelSyntaxError as fault:
        reader.fault("bad-condition", f"the condition cannot be read: {fault.message}", node.span, fault.help)
        return None
    refs: dict[str, Ref] = {}
    for leaf in cel.references(expression):
        found = references.parse(leaf.text.strip())
        if isinstance(found, BadReference):
            root = leaf.text.split(".")[0].strip()
            help_ = (
                found.help if root in references.ROOTS else did_you_mean(root, references.ROOTS, what="roots")
            )
            reader.fault("bad-reference", found.message, node.span, help_)
            return None
        refs[leaf.text] = found
    return Condition(text, expression, refs, node.span)
