"""Inputs and outputs of a v1 component."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping as MappingOf, Set as AbstractSet
from typing import NamedTuple

from kfgit.diagnostics import Related
from kfgit.document import Entry, Mapping, Node, Scalar, nodes
from kfgit.packages.faults import Faults, is_empty, mark
from kfgit.packages.text import literal, port_name
from kfgit.packages.types import PARAMETERS, STATUS, Declared, declared, default, input_type, output_type
from kfgit.source import Span

_INPUT_USES = ("inputValue", "inputPath", "inputUri", "isPresent")
_OUTPUT_USES = ("outputPath", "outputUri")
_VALID = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Port(NamedTuple):
    """An input or output. `type` is None where it was faulty, which was told."""

    name: str
    type: str | None
    span: Span
    node: Node

    @property
    def is_value(self) -> bool:
        """Whether it is a parameter; an input for the status of the run counts as one, as it is read by value."""
        return self.type in PARAMETERS.values() or self.type == STATUS


Ports = MappingOf[str, Port]
Uses = MappingOf[str, AbstractSet[str]]


def uses_of(*commands: Node | None) -> tuple[Uses, Uses]:
    """How a command line uses each input and each output, by their written names."""
    inputs: dict[str, set[str]] = {}
    outputs: dict[str, set[str]] = {}
    for node in (found for command in commands if command is not None for found in nodes(command)):
        for key, entry in node.entries.items() if isinstance(node, Mapping) else ():
            kind = inputs if key in _INPUT_USES else outputs if key in _OUTPUT_USES else None
            if kind is not None and isinstance(entry.node, Scalar) and isinstance(entry.node.value, str):
                kind.setdefault(entry.node.value, set()).add(key)
    return inputs, outputs


def inputs_of(faults: Faults, node: Node | None, uses: Uses) -> Ports:
    """The inputs by their written names."""

    def read(name: str, port: Mapping, span: Span) -> _Made:
        return _input(faults, name, port, uses.get(name, frozenset()), span)

    return _ports(faults, node, "input", read)


def outputs_of(faults: Faults, node: Node | None, uses: Uses) -> Ports:
    """The outputs by their written names."""

    def read(name: str, port: Mapping, span: Span) -> _Made:
        return _output(faults, name, port, uses.get(name, frozenset()), span)

    return _ports(faults, node, "output", read)


def written(ports: Ports, span: Span) -> Mapping:
    """`spec.inputs` or `spec.outputs`; two written names may lead to one port."""
    return Mapping({port.name: Entry(port.span, port.node) for port in ports.values() if port.name}, span)


_Made = tuple[str | None, Mapping]
_Read = Callable[[str, Mapping, Span], _Made]
_INPUT_KEYS = ("name", "type", "description", "default", "optional", "annotations")
_OUTPUT_KEYS = ("name", "type", "description", "annotations")


def _ports(faults: Faults, node: Node | None, what: str, read: _Read) -> Ports:
    found: dict[str, Port] = {}
    by_name: dict[str, Port] = {}
    for item in faults.items(node, f"`{what}s`", f"write `- {{name: x, type: String}}` for each {what}"):
        named = _name(faults, item, what)
        if named is None:
            continue
        node_, text, span = named
        name = port_name(text)
        first = by_name.get(name)
        if first is not None:
            found.setdefault(text, first)
            _tell_twice(faults, what, first, text, span)
        elif _VALID.match(name) is None:
            message = f"`{text}` cannot be the name of an {what}"
            mark_ = faults.error("bad-name", message, span, "begin it with one of the letters a to z")
            found[text] = Port("", None, span, mark_)
        else:
            type_, made = read(text, node_, span)
            found[text] = by_name[name] = Port(name, type_, span, made)
    return found


def _name(faults: Faults, item: Node, what: str) -> tuple[Mapping, str, Span] | None:
    node = faults.mapping(item, f"an {what}")
    if node is None:
        if is_empty(item):
            faults.wrong_type(item, f"an {what}", "a map")
        return None
    name = node.get("name")
    text = faults.text(name, f"the name of an {what}")
    if is_empty(name):
        faults.error("missing-key", f"`name` is missing in an {what}", node.span, "add `name`")
    return (node, text, name.span) if text is not None and name is not None else None


def _tell_twice(faults: Faults, what: str, first: Port, text: str, span: Span) -> None:
    """KFP drops the first of them without a word."""
    message = f"the {what} `{text}` is a second `{first.name}`"
    related = Related("the first one", first.span)
    faults.error(
        "duplicate-name", message, span, "rename one of them: only a-z, 0-9 and `_` tell names apart", related
    )


def _input(faults: Faults, name: str, node: Mapping, uses: AbstractSet[str], span: Span) -> _Made:
    faults.known_keys(node, _INPUT_KEYS, f"the input `{name}`")
    kind, entries = _common(faults, name, node, span)
    if kind is None:
        return None, Mapping(entries, node.span)
    where = node.entries["type"].node.span if "type" in node.entries else span
    type_ = input_type(faults, name, kind, uses, where)
    entries["type"] = Entry(where, Scalar(type_, where))
    given = node.entries.get("default")
    value = default(faults, name, given.node, type_) if given is not None else None
    if given is not None and value is not None:
        entries["default"] = Entry(given.key_span, value)
    # An artifact whose default was left out may still be left out by a task, as in KFP.
    left_out = given is not None and value is None and not is_empty(given.node)
    if (_optional(faults, name, node) or left_out) and type_ != STATUS:
        at = node.entries.get("optional") or given
        place = at.key_span if at is not None else span
        entries["optional"] = Entry(place, Scalar(value=True, span=place))
    return type_, Mapping(entries, node.span)


def _output(faults: Faults, name: str, node: Mapping, uses: AbstractSet[str], span: Span) -> _Made:
    faults.known_keys(node, _OUTPUT_KEYS, f"the output `{name}`")
    kind, entries = _common(faults, name, node, span)
    if kind is None:
        return None, Mapping(entries, node.span)
    where = node.entries["type"].node.span if "type" in node.entries else span
    type_ = output_type(faults, name, kind, uses, where)
    entries["type"] = Entry(where, Scalar(type_, where))
    return type_, Mapping(entries, node.span)


def _common(faults: Faults, name: str, node: Mapping, span: Span) -> tuple[Declared | None, dict[str, Entry]]:
    kind = declared(faults, node.get("type"))
    entries: dict[str, Entry] = {"type": Entry(span, mark(span))}
    description = node.entries.get("description")
    text = faults.text(description.node, f"the description of `{name}`") if description is not None else None
    if description is not None and text:
        entries["description"] = Entry(description.key_span, literal(text, description.node.span))
    return kind, entries


def _optional(faults: Faults, name: str, node: Mapping) -> bool:
    match node.get("optional"):
        case None | Scalar(value=None):
            return False
        case Scalar(value=bool() as flag):
            return flag
        case other:
            faults.wrong_type(other, f"`optional` of `{name}`", "`true` or `false`")
            return False
