"""Inputs of components and pipelines, each with its rules and its default checked."""

from __future__ import annotations

from dataclasses import replace

from kfgit.diagnostics import nearest
from kfgit.document import Mapping, Node, Scalar, Sequence, places
from kfgit.model import Allowed, ArtifactType, Input, ParameterType, StatusType, Type
from kfgit.resolve.literals import literal_faults
from kfgit.resolve.reader import Reader
from kfgit.resolve.types import show_type, type_of
from kfgit.resolve.values import literal, literal_leaves
from kfgit.source import Span, changed


def field(node: Node, key: str) -> Node | None:
    """What stands under a key of a port, if that is a map."""
    return node.get(key) if isinstance(node, Mapping) else None


def description_of(node: Node) -> str:
    """What a port says of itself."""
    found = field(node, "description")
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""


def input_(reader: Reader, name: str, span: Span, node: Node) -> Input:
    """One input of a component or a pipeline, with its default checked."""
    type_ = type_of(reader, field(node, "type"))
    default, allowed = field(node, "default"), field(node, "enum")
    given = default is not None and not (isinstance(default, Scalar) and default.value is None)
    unclear = _may_have_default(reader, node) or (isinstance(default, Scalar) and default.is_failed)
    port = Input(
        name,
        type_,
        span,
        default=literal(default) if default is not None and given else None,
        has_default=given,
        optional=reader.boolean(field(node, "optional")) or unclear,
        description=description_of(node),
        enum=Allowed(map(literal, allowed.items if isinstance(allowed, Sequence) else ())),
        minimum=reader.number(field(node, "min")),
        maximum=reader.number(field(node, "max")),
        pattern=reader.string(field(node, "pattern")),
        type_span=written.span if (written := field(node, "type")) is not None else None,
    )
    _check_rules(reader, port, node)
    _check_input(reader, port, default if given else None)
    return port


_PORT_KEYS = ("type", "default", "optional", "description", "enum", "min", "max", "pattern")


def _may_have_default(reader: Reader, node: Node) -> bool:
    """Whether a key that was told to be unknown may be meant to make the input optional."""
    meant = {nearest(key, _PORT_KEYS) for key, _ in reader.strays_in(node)}
    return not isinstance(node, Mapping) or not meant.isdisjoint({None, "default", "optional"})


def _check_rules(reader: Reader, port: Input, node: Node) -> None:
    """`enum`, `min`, `max` and `pattern` go with the type, and with each other."""
    if not isinstance(node, Mapping) or port.type is None:
        return
    _check_keys(reader, port, port.type, node)
    if port.minimum is not None and port.maximum is not None and port.maximum < port.minimum:
        message = f"the greatest value of `{port.name}` is below the least"
        least, most = node.entries["min"].node.span, node.entries["max"].node.span
        place = changed(most, least, port.span)
        reader.fault("bad-range", message, place, "exchange `min` and `max`")
    if isinstance(port.type, ParameterType):
        one = replace(port, enum=Allowed())
        for item in reader.items(node.get("enum")):
            _check_allowed(reader, one, item)


_RULES = (
    ("enum", "parameters", ("string", "int", "float", "bool", "list", "dict")),
    ("min", "numbers", ("int", "float")),
    ("max", "numbers", ("int", "float")),
    ("pattern", "strings", ("string",)),
)


def _check_keys(reader: Reader, port: Input, type_: Type, node: Mapping) -> None:
    for key, what, types in _RULES:
        if key in node.entries and not (isinstance(type_, ParameterType) and type_.name in types):
            message = f"`{key}` is for {what}, and `{port.name}` is {show_type(type_)}"
            reader.fault("misplaced-key", message, node.entries[key].key_span, f"remove `{key}`")


def _check_allowed(reader: Reader, port: Input, item: Node) -> None:
    message, help_ = "an allowed value cannot be a reference", "write the value, or check it in a task"
    if literal_leaves(reader, item, "reference-not-allowed", message, help_):
        for fault in literal_faults(literal(item), port):
            place = fault.place(item.span, places(item))
            reader.fault(fault.code, f"an allowed value of {fault.message}", place, fault.help)


def _check_input(reader: Reader, port: Input, default: Node | None) -> None:
    if default is not None and isinstance(port.type, ArtifactType):
        help_ = "use `optional: true`, or import the artifact in the pipeline"
        reader.fault("bad-default", f"the artifact `{port.name}` cannot have a default", default.span, help_)
    elif default is not None and isinstance(port.type, StatusType):
        help_ = "remove `default`: the exit task is always told the final status"
        reader.fault("bad-default", f"`{port.name}` cannot have a default", default.span, help_)
    elif default is not None and literal_leaves(reader, default, "bad-default", *_NO_REFERENCE):
        for fault in literal_faults(port.default, port):
            place = fault.place(default.span, places(default))
            reader.fault(fault.code, f"the default of {fault.message}", place, fault.help)


_NO_REFERENCE = (
    "a default is a value, not a reference",
    "set the input where the pipeline is used; `$$(` writes the text `$(`",
)
