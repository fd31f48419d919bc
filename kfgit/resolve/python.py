"""Python components: the function, and whether what is declared agrees with its signature."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from kfgit import lightweight
from kfgit.diagnostics import Diagnostic, did_you_mean, has_errors, nearest
from kfgit.document import Mapping, Node, Scalar
from kfgit.lightweight import Function, Port
from kfgit.model import ArtifactType, Input, Output, ParameterType, Python, Type
from kfgit.resolve.files import Files, named_file
from kfgit.resolve.literals import literal_fault
from kfgit.resolve.reader import Reader
from kfgit.resolve.types import parse_type, show_type
from kfgit.source import Span


def python(
    reader: Reader, spec: Mapping, files: Files, around: Collection[str] = ()
) -> tuple[Python, Function] | None:
    """The implementation and the function it runs; None where that cannot be read, which is told.

    The names `around` are there when the function runs.
    """
    code = reader.mapping(spec.get("python"))
    function = _function(reader, code, files, around) if code is not None else None
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
        code.entries["baseImage"].node.span if "baseImage" in code.entries else None,
    )
    return implementation, function


def _function(reader: Reader, code: Mapping, files: Files, around: Collection[str]) -> Function | None:
    wanted = reader.name(code.get("function"))
    if wanted is None or {"file", "source"} <= code.entries.keys():
        return None  # of two texts nobody knows which is meant
    place, inline = wanted.span, code.get("source")
    if isinstance(inline, Scalar) and isinstance(inline.value, str):
        found, faults = lightweight.read(inline.value, wanted.text, inline.span.file, place, around)
        faults = tuple(_inside(fault, inline, place) for fault in faults)
        found = (
            replace(found, inputs=_moved(found.inputs, inline), outputs=_moved(found.outputs, inline))
            if found
            else None
        )
    else:
        content, path = _text(reader, code.get("file"), files)
        if content is None:
            return None
        found, faults = lightweight.read(content, wanted.text, path, place, around)
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


def _text(reader: Reader, node: Node | None, files: Files) -> tuple[str | None, str]:
    """The text of a python file, and where it is; without a text where there is none, which is told."""
    found = named_file(reader, node, files)
    if found is None or node is None:
        return None, ""
    try:
        return found.content.decode("utf-8-sig").replace("\r\n", "\n"), found.path
    except UnicodeDecodeError:
        message = f"`{found.path}` is not encoded as UTF-8"
        reader.fault("file-not-found", message, node.span, "save it as UTF-8")
        return None, ""


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
    _compare(reader, given.name, given.type, parse_type(port.type), given.place)
    given = replace(given, description=given.description or port.description)
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
    if port.has_default and not isinstance(port.type, ParameterType):
        help_ = "make it `= None`: an artifact is given by a task or left out"
        reader.fault("python-signature", f"the default of `{port.name}` must be None", port.span, help_)
        return replace(port, default=None, has_default=False)
    fault = literal_fault(port.default, port) if port.has_default else None
    if fault is not None:
        reader.fault("python-signature", f"the default of {fault.message}", port.span, fault.help)
    return port


def _from_port(port: Port) -> Input:
    return Input(
        port.name,
        parse_type(port.type),
        port.span,
        port.default,
        port.has_default,
        port.optional,
        port.description,
    )


def outputs_of(
    reader: Reader, spec: Mapping, declared: dict[str, Output], function: Function
) -> dict[str, Output]:
    """The outputs: those of the signature, or the declared ones where they agree with it."""
    ports = {port.name: port for port in function.outputs}
    if "outputs" not in spec.entries:
        return {port.name: _output(port) for port in function.outputs}
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
            _compare(reader, name, given.type, parse_type(port.type), given.place)
    for name in ports:
        if name not in declared and name not in meant:
            message = f"the output `{name}` of `{function.name}` is not declared"
            reader.fault(
                "signature-mismatch",
                message,
                spec.entries["outputs"].key_span,
                "declare it, or leave all outputs out",
            )
    described = {
        name: replace(
            given, description=given.description or (ports[name].description if name in ports else "")
        )
        for name, given in declared.items()
    }
    return {**described, **{name: _output(port) for name, port in ports.items() if name not in declared}}


def _output(port: Port) -> Output:
    return Output(port.name, parse_type(port.type), port.span, port.description)
