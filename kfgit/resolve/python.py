"""Python components: the function, and whether what is declared agrees with its signature."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Protocol

from kfgit import lightweight
from kfgit.diagnostics import Diagnostic, did_you_mean, has_errors, nearest
from kfgit.document import Mapping, Node, Scalar
from kfgit.lightweight import Function, Port
from kfgit.model import ArtifactType, Input, Output, ParameterType, Python, Type
from kfgit.resolve.environment import environment
from kfgit.resolve.reader import Reader
from kfgit.resolve.values import literal_fault, parse_type, show_type
from kfgit.source import Span


class PythonSources(Protocol):
    """The python files of the repository, read by someone else."""

    def __call__(self, path: str) -> str | None:
        """The text of a file inside the repository, or None."""


def python_path(document: str, file: str) -> str | None:
    """Where a `python.file` is, from the folder of its document; None when it is outside the repository."""
    if file.startswith("/") or "\\" in file or "\0" in file:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), file))
    return None if path.startswith("../") or path in {"..", "."} else path


def python(reader: Reader, spec: Mapping, sources: PythonSources) -> tuple[Python, Function] | None:
    """The implementation and the function it runs; None where that cannot be read, which is told."""
    code = reader.mapping(spec.get("python"))
    function = _function(reader, code, sources) if code is not None else None
    if code is None or function is None:
        reader.broken = True
        return None
    implementation = Python(
        function.name,
        function.source,
        reader.string(code.get("baseImage")) or lightweight.DEFAULT_IMAGE,
        reader.strings(code.get("packages")),
        reader.strings(code.get("indexUrls")),
        spec.entries["python"].key_span,
        environment(reader, code.get("env")),
        code.entries["baseImage"].node.span if "baseImage" in code.entries else None,
    )
    return implementation, function


def _function(reader: Reader, code: Mapping, sources: PythonSources) -> Function | None:
    wanted = reader.name(code.get("function"))
    if wanted is None:
        return None
    place, inline = wanted.span, code.get("source")
    if isinstance(inline, Scalar) and isinstance(inline.value, str):
        found, faults = lightweight.read(inline.value, wanted.text, inline.span.file, place)
        faults = tuple(_inside(fault, inline, place) for fault in faults)
        found = (
            replace(found, inputs=_moved(found.inputs, inline), outputs=_moved(found.outputs, inline))
            if found
            else None
        )
    else:
        file = code.get("file")
        content, path = _file(reader, file, sources)
        if content is None:
            return None
        found, faults = lightweight.read(content, wanted.text, path, place)
    reader.faults += faults
    reader.broken = reader.broken or has_errors(faults)
    return replace(found, whole=not has_errors(faults)) if found is not None else None


def _inside(fault: Diagnostic, inline: Scalar, place: Span) -> Diagnostic:
    """Moves a fault of inline source to the document that holds it."""
    return fault if fault.span is place else replace(fault, span=_within(fault.span, inline))


def _moved(ports: tuple[Port, ...], inline: Scalar) -> tuple[Port, ...]:
    return tuple(replace(port, span=_within(port.span, inline)) for port in ports)


def _within(span: Span, inline: Scalar) -> Span:
    """A place of the source in the document: only a literal block (`|`) has the lines of its text."""
    whole, indent = inline.span, inline.indent
    if indent is None or whole.line + span.end_line > whole.end_line:
        return whole
    first, last = whole.line + span.line, whole.line + span.end_line
    return Span(whole.file, first, indent + span.column, last, indent + span.end_column)


def _file(reader: Reader, node: Node | None, sources: PythonSources) -> tuple[str | None, str]:
    file = reader.string(node)
    if file is None or node is None:
        return None, ""
    path = python_path(node.span.file, file)
    if path is None:
        reader.fault(
            "path-outside",
            f"`{file}` is outside the repository",
            node.span,
            "move the file into the repository",
        )
        return None, ""
    content = sources(path)
    if content is None:
        reader.fault(
            "file-not-found",
            f"there is no readable file `{path}`",
            node.span,
            "the path is relative to this document",
        )
    return content, path


def inputs_of(
    reader: Reader, spec: Mapping, declared: dict[str, Input], function: Function
) -> dict[str, Input]:
    """The inputs: those of the signature, or the declared ones where they agree with it."""
    ports = {port.name: port for port in function.inputs}
    if "inputs" not in spec.entries:
        return {port.name: _checked(reader, _from_port(port)) for port in function.inputs}
    if not function.whole:
        return declared
    merged, meant = {}, set()
    for name, given in declared.items():
        port = ports.get(name)
        if port is None:
            free = [known for known in ports if known not in declared]
            meant.add(nearest(name, free))
            message = f"the function `{function.name}` has no parameter `{name}`"
            reader.fault(
                "signature-mismatch",
                message,
                given.span,
                did_you_mean(name, free or ports, what="parameters"),
            )
        merged[name] = _agree(reader, given, port) if port is not None else given
    for name, port in ports.items():
        if name in declared:
            continue
        merged[name] = replace(_from_port(port), optional=True)
        if not port.optional and name not in meant:
            message = f"the parameter `{name}` of `{function.name}` is not declared"
            help_ = f"declare `{name}: {{type: {port.type}}}`, or leave all inputs out"
            reader.fault("signature-mismatch", message, spec.entries["inputs"].key_span, help_)
    return merged if reader.broken else {name: merged[name] for name in declared}


def _agree(reader: Reader, given: Input, port: Port) -> Input:
    _compare(reader, given.name, given.type, parse_type(port.type), given.span)
    if given.has_default or not port.has_default:
        return replace(given, optional=given.optional or (port.optional and not port.has_default))
    return replace(given, default=port.default, has_default=True)


def _compare(reader: Reader, name: str, declared: Type | None, found: Type | None, span: Span) -> None:
    if declared is not None and found is not None and not _same(declared, found):
        message = f"`{name}` is {show_type(declared)} here and {show_type(found)} in the function"
        reader.fault("signature-mismatch", message, span, "make them agree")


def _same(one: object, other: object) -> bool:
    match one, other:
        case ParameterType(name, item), ParameterType(other_name, other_item):
            return name == other_name and (item is None or other_item is None or item == other_item)
        case ArtifactType(many=many), ArtifactType(title="system.Artifact", many=other_many):
            return many == other_many
        case _:
            return one == other


def _checked(reader: Reader, port: Input) -> Input:
    """An input with the default that python gives it, which is of its type."""
    fault = literal_fault(port.default, port) if port.has_default else None
    if fault is not None:
        reader.fault("python-signature", f"the default of {fault[1]}", port.span, fault[2])
    return port


def _from_port(port: Port) -> Input:
    return Input(port.name, parse_type(port.type), port.span, port.default, port.has_default, port.optional)


def outputs_of(
    reader: Reader, spec: Mapping, declared: dict[str, Output], function: Function
) -> dict[str, Output]:
    """The outputs: those of the signature, or the declared ones where they agree with it."""
    ports = {port.name: port for port in function.outputs}
    if "outputs" not in spec.entries:
        return {port.name: Output(port.name, parse_type(port.type), port.span) for port in function.outputs}
    if not function.whole:
        return declared
    meant = set()
    for name, given in declared.items():
        port = ports.get(name)
        if port is None:
            free = [known for known in ports if known not in declared]
            meant.add(nearest(name, free))
            message = f"the function `{function.name}` has no output `{name}`"
            reader.fault(
                "signature-mismatch", message, given.span, did_you_mean(name, free or ports, what="outputs")
            )
        else:
            _compare(reader, name, given.type, parse_type(port.type), given.span)
    for name in ports:
        if name not in declared and name not in meant:
            message = f"the output `{name}` of `{function.name}` is not declared"
            reader.fault(
                "signature-mismatch",
                message,
                spec.entries["outputs"].key_span,
                "declare it, or leave all outputs out",
            )
    undeclared = {
        name: Output(name, parse_type(p.type), p.span) for name, p in ports.items() if name not in declared
    }
    return {**declared, **undeclared}
