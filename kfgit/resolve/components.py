"""Components: their ports and what runs."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping as MappingOf
from typing import Any, Protocol

from kfgit import lightweight, shell
from kfgit.diagnostics import did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence, at
from kfgit.lightweight import Function, Port
from kfgit.model import (
    Argument,
    ArtifactType,
    Component,
    Concat,
    ConfigMapKey,
    Container,
    EnvValue,
    FieldPath,
    IfPresent,
    Input,
    Name,
    Output,
    ParameterType,
    Python,
    SecretKey,
    StatusType,
    TextArgument,
)
from kfgit.references import InputRef, OutputRef, Ref, RunRef, Text, WorkspaceRef, show
from kfgit.resolve.reader import Reader
from kfgit.resolve.values import literal_fault, parse_type, show_type, text_of, type_of
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


def component(reader: Reader, name: str, spec: Mapping, span: Span, sources: PythonSources, description: str = "") -> Component:
    """A component from its spec; faulty parts are left out and told."""
    inner = Reader()
    inputs = {key: input_(inner, key, entry.key_span, entry.node) for key, entry in inner.entries(spec.get("inputs"))}
    outputs = {
        key: Output(key, type_of(inner, _field(entry.node, "type")), entry.key_span, _description(entry.node))
        for key, entry in inner.entries(spec.get("outputs"))
    }
    _check_outputs(inner, outputs)
    implementation: Container | Python | None = None
    if "python" in spec.entries:
        implementation, inputs, outputs = _python(inner, name, spec, inputs, outputs, sources)
    elif "container" in spec.entries:
        implementation = _container(inner, spec.entries["container"].node, inputs, outputs)
    elif "notebook" in spec.entries:
        inner.fault("not-supported", "notebook components cannot be compiled yet", spec.entries["notebook"].key_span,
                    "put the code in a python component")  # fmt: skip
    else:
        inner.broken = True
    reader.faults += inner.faults
    return Component(name, inputs, outputs, implementation, span, description, whole=not inner.broken)


def _field(node: Node, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Mapping) else None


def _description(node: Node) -> str:
    found = _field(node, "description")
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""


def input_(reader: Reader, name: str, span: Span, node: Node) -> Input:
    """One input of a component or a pipeline, with its default checked."""
    type_ = type_of(reader, _field(node, "type"))
    default = _field(node, "default")
    given = default is not None and not (isinstance(default, Scalar) and default.value is None)
    port = Input(
        name,
        type_,
        span,
        default=reader.plain(default) if given else None,
        has_default=given,
        optional=reader.boolean(_field(node, "optional")) or False,
        description=_description(node),
        enum=tuple(reader.plain(_field(node, "enum")) or ()) if isinstance(_field(node, "enum"), Sequence) else (),
        minimum=reader.number(_field(node, "min")),
        maximum=reader.number(_field(node, "max")),
        pattern=reader.string(_field(node, "pattern")),
    )
    _check_input(reader, port, default if given else None)
    return port


def _check_input(reader: Reader, port: Input, default: Node | None) -> None:
    if default is not None and isinstance(port.type, ArtifactType):
        help_ = "use `optional: true`, or import the artifact in the pipeline"
        reader.fault("bad-default", f"the artifact `{port.name}` cannot have a default", default.span, help_)
    elif default is not None and isinstance(port.type, StatusType):
        reader.fault("bad-default", f"`{port.name}` cannot have a default", default.span)
    elif default is not None and isinstance(default, Scalar) and isinstance(default.value, str) and "$(" in default.value:
        reader.fault("bad-default", "a default is a value, not a reference", default.span, "set the input where the pipeline is used")
    elif default is not None:
        fault = literal_fault(port.default, port)
        if fault is not None:
            code, message, help_ = fault
            reader.fault(code, f"the default of {message}", default.span, help_)


def _check_outputs(reader: Reader, outputs: MappingOf[str, Output]) -> None:
    for output in outputs.values():
        if isinstance(output.type, StatusType):
            reader.fault("bad-output", "`TaskFinalStatus` cannot be an output", output.span)
        elif isinstance(output.type, ArtifactType) and output.type.many:
            help_ = "give out one artifact, or let a loop collect several"
            reader.fault("bad-output", f"a component cannot give out a list of artifacts (`{output.name}`)", output.span, help_)


def environment(reader: Reader, node: Node | None) -> dict[str, EnvValue]:
    """Environment variables in their four forms."""
    found: dict[str, EnvValue] = {}
    for key, entry in reader.entries(node):
        value = _env_value(reader, entry.node)
        if value is not None:
            found[key] = value
    return found


def _env_value(reader: Reader, node: Node) -> EnvValue | None:
    if isinstance(node, Scalar):
        text = reader.string(node)
        if text is not None and "$(" in text.replace("$$(", ""):
            message = "an environment value cannot hold a reference"
            reader.fault("reference-not-allowed", message, node.span, "pass the value as an input; `$$(` writes the text itself")
            return None
        return text.replace("$$(", "$(") if text is not None else None
    found = reader.mapping(node)
    if found is None:
        return None
    secret, config, path = (reader.string(found.get(key)) for key in ("secret", "configMap", "fieldPath"))
    key, optional = reader.string(found.get("key")), reader.boolean(found.get("optional")) or False
    if secret is not None and key is not None:
        return SecretKey(secret, key, optional)
    if config is not None and key is not None:
        return ConfigMapKey(config, key, optional)
    if path is not None:
        return FieldPath(path)
    reader.broken = True
    return None


def _container(reader: Reader, node: Node, inputs: MappingOf[str, Input], outputs: MappingOf[str, Output]) -> Container | None:
    spec = reader.mapping(node)
    if spec is None:
        return None
    image = spec.get("image")
    name = reader.string(image)
    if name is not None and image is not None and "$(" in name:
        reader.fault("reference-not-allowed", "an image cannot hold a reference", image.span, "choose it with `{{ vars.… }}`")
    script = _script(reader, spec.get("script"))
    command = tuple(_arguments(reader, spec.get("command")))
    args = tuple(_arguments(reader, spec.get("args")))
    texts = [*_texts(command), *_texts(args), *([script] if script else [])]
    for text in texts:
        for ref in text.text.references:
            _check_port(reader, ref, text.span, inputs, outputs)
    _check_conditions(reader, (*command, *args), inputs)
    if name is None or image is None:
        return None
    return Container(name, command, args, environment(reader, spec.get("env")), spec.span, image.span, script)


def _script(reader: Reader, node: Node | None) -> TextArgument | None:
    content = reader.string(node)
    if content is None or not isinstance(node, Scalar):
        return None
    text = text_of(reader, node, content)
    for problem in shell.bind(text).problems:
        reader.fault("reference-not-expanded", problem, node.span, "use double quotes, or none")
    return TextArgument(text, node.span)


def _arguments(reader: Reader, node: Node | None) -> list[Argument]:
    found = (_argument(reader, item) for item in reader.items(node))
    return [argument for argument in found if argument is not None]


def _argument(reader: Reader, node: Node) -> Argument | None:
    match node:
        case Scalar(value=str() as content):
            return TextArgument(text_of(reader, node, content), node.span)
        case Scalar(value=int() | float() as number):
            return TextArgument(Text((str(number).lower() if isinstance(number, bool) else str(number),)), node.span)
        case Mapping() if "concat" in node.entries:
            return Concat(tuple(_arguments(reader, node.get("concat"))), node.span)
        case Mapping() if "if" in node.entries:
            choice = reader.mapping(node.get("if"))
            name = reader.name(choice.get("present")) if choice is not None else None
            if choice is None or name is None:
                return None
            return IfPresent(name, _listed(reader, choice.get("then")), _listed(reader, choice.get("else")), node.span)
        case _:
            reader.broken = True
            return None


def _listed(reader: Reader, node: Node | None) -> tuple[Argument, ...]:
    if isinstance(node, Sequence):
        return tuple(_arguments(reader, node))
    found = _argument(reader, node) if node is not None else None
    return (found,) if found is not None else ()


def _texts(arguments: tuple[Argument, ...]) -> list[TextArgument]:
    found: list[TextArgument] = []
    for argument in arguments:
        match argument:
            case TextArgument():
                found.append(argument)
            case Concat(items=items):
                found += _texts(items)
            case IfPresent(then=then, otherwise=otherwise):
                found += _texts((*then, *otherwise))
    return found


def _check_conditions(reader: Reader, arguments: tuple[Argument, ...], inputs: MappingOf[str, Input]) -> None:
    for argument in arguments:
        match argument:
            case Concat(items=items):
                _check_conditions(reader, items, inputs)
            case IfPresent(input=name):
                port = inputs.get(name.text)
                if port is None:
                    reader.fault("unknown-input", f"there is no input `{name.text}`", name.span, did_you_mean(name.text, inputs, what="inputs"))
                elif not isinstance(port.type, ParameterType | None):
                    reader.fault("not-supported", f"`present` asks for a parameter; `{name.text}` is an artifact", name.span,
                                 "KFP's backend decides it for parameters only")  # fmt: skip
                elif not port.optional and not port.has_default:
                    reader.warn("always-present", f"the input `{name.text}` is always present", name.span, "make it `optional: true`")
            case TextArgument():
                pass


def _check_port(reader: Reader, ref: Ref, span: Span, inputs: MappingOf[str, Input], outputs: MappingOf[str, Output]) -> None:
    match ref:
        case InputRef(name, part):
            port: Input | Output | None = inputs.get(name)
            known, what = list(inputs), "input"
        case OutputRef(name, part):
            port, known, what = outputs.get(name), list(outputs), "output"
        case RunRef("status"):
            reader.fault("reference-not-allowed", "`$(run.status)` is read in `onExit` only", span,
                         "give the component an input of type TaskFinalStatus")  # fmt: skip
            return
        case RunRef() | WorkspaceRef():
            reader.fault("not-supported", f"`{show(ref)}` cannot be read inside a component yet", span,
                         "give the component an input, and pass it there")  # fmt: skip
            return
        case _:
            reader.fault("reference-not-allowed", f"a component cannot read `{show(ref)}`", span, "pass it as an input")
            return
    if port is None:
        reader.fault(f"unknown-{what}", f"there is no {what} `{name}`", span, did_you_mean(name, known, what=f"{what}s"))
        return
    if isinstance(port.type, ArtifactType) and not part and not (isinstance(ref, InputRef) and port.type.many):
        reader.fault("artifact-needs-part", f"`{show(ref)}` is an artifact", span, f"write `{show(ref)[:-1]}.path)` or `.uri`")
    elif isinstance(port.type, ParameterType):
        _check_parameter(reader, ref, part, span)


def _check_parameter(reader: Reader, ref: Ref, part: str, span: Span) -> None:
    if isinstance(ref, OutputRef) and part != "path":
        help_ = f"write the value to `$(outputs.{ref.name}.path)`"
        reader.fault("parameter-part", f"an output parameter is a file: `{show(ref)}`", span, help_)
    elif isinstance(ref, InputRef) and part:
        reader.fault("parameter-part", f"`{ref.name}` is a parameter and has no `{part}`", span, f"write `$(inputs.{ref.name})`")


def _python(
    reader: Reader, name: str, spec: Mapping, inputs: dict[str, Input], outputs: dict[str, Output], sources: PythonSources
) -> tuple[Python | None, dict[str, Input], dict[str, Output]]:
    code = reader.mapping(spec.get("python"))
    if code is None:
        return None, inputs, outputs
    function = _function(reader, name, code, sources)
    if function is None:
        reader.broken = True
        return None, inputs, outputs
    implementation = Python(
        function.name,
        function.source,
        reader.string(code.get("baseImage")) or lightweight.DEFAULT_IMAGE,
        reader.strings(code.get("packages")),
        reader.strings(code.get("indexUrls")),
        spec.entries["python"].key_span,
        environment(reader, code.get("env")),
    )
    return implementation, _inputs(reader, spec, inputs, function), _outputs(reader, spec, outputs, function)


def _function(reader: Reader, name: str, code: Mapping, sources: PythonSources) -> Function | None:
    wanted = reader.string(code.get("function"))
    inline = code.get("source")
    if inline is not None:
        content = reader.string(inline)
        if content is None:
            return None
        path = inline.span.file
        wanted = wanted or _only_function(content) or name.replace("-", "_")
        found, faults = lightweight.read(content, wanted, path, code.entries["source"].key_span)
        faults = tuple(_inside(fault, inline.span) for fault in faults)
    else:
        file = code.get("file")
        content, path = _file(reader, file, sources)
        if content is None or file is None:
            return None
        wanted = wanted or _only_function(content) or name.replace("-", "_")
        at_ = code.entries["function"].node.span if "function" in code.entries else file.span
        found, faults = lightweight.read(content, wanted, path, at_)
    reader.faults += faults
    reader.broken = reader.broken or any(fault.severity == "error" for fault in faults)
    return found


def _only_function(content: str) -> str | None:
    names = [line[4:].split("(")[0].strip() for line in content.splitlines() if line.startswith("def ")]
    return names[0] if len(names) == 1 else None


def _inside(fault: Any, span: Span) -> Any:
    """Moves a fault of inline source to the document that holds it: the block begins on the line after its key."""
    from dataclasses import replace  # noqa: PLC0415 - rare

    if fault.span == span or fault.span.end_line >= span.line:
        return fault
    line = span.line + fault.span.line
    return replace(fault, span=Span(span.file, line, 1, line, 2)) if line <= span.end_line else replace(fault, span=span)


def _file(reader: Reader, node: Node | None, sources: PythonSources) -> tuple[str | None, str]:
    file = reader.string(node)
    if file is None or node is None:
        return None, ""
    path = python_path(node.span.file, file)
    if path is None:
        reader.fault("path-outside", f"`{file}` is outside the repository", node.span, "move the file into the repository")
        return None, ""
    content = sources(path)
    if content is None:
        reader.fault("file-not-found", f"there is no readable file `{path}`", node.span, "the path is relative to this document")
    return content, path


def _inputs(reader: Reader, spec: Mapping, declared: dict[str, Input], function: Function) -> dict[str, Input]:
    ports = {port.name: port for port in function.inputs}
    if "inputs" not in spec.entries:
        return {port.name: _from_port(port) for port in function.inputs}
    merged = {}
    for name, given in declared.items():
        port = ports.get(name)
        if port is None:
            message = f"the function `{function.name}` has no parameter `{name}`"
            reader.fault("signature-mismatch", message, given.span, did_you_mean(name, ports, what="parameters"))
            continue
        merged[name] = _agree(reader, given, port)
    for name, port in ports.items():
        if name not in declared and not port.optional:
            message = f"the parameter `{name}` of `{function.name}` is not declared"
            reader.fault("signature-mismatch", message, spec.entries["inputs"].key_span, f"declare `{name}: {{type: {port.type}}}`, or leave all inputs out")
    return merged


def _agree(reader: Reader, given: Input, port: Port) -> Input:
    from dataclasses import replace  # noqa: PLC0415 - beside its use

    type_ = parse_type(port.type)
    if given.type is not None and type_ is not None and not _same(given.type, type_):
        message = f"`{given.name}` is {show_type(given.type)} here and {show_type(type_)} in the function"
        reader.fault("signature-mismatch", message, given.span, "make them agree")
    if given.has_default or not port.has_default:
        return replace(given, optional=given.optional or (port.optional and not port.has_default))
    return replace(given, default=port.default, has_default=True)


def _same(one: object, other: object) -> bool:
    if isinstance(one, ParameterType) and isinstance(other, ParameterType):
        return one.name == other.name and (one.item is None or other.item is None or one.item == other.item)
    return one == other or (isinstance(one, ArtifactType) and isinstance(other, ArtifactType) and other.title == "system.Artifact" and one.many == other.many)


def _from_port(port: Port) -> Input:
    return Input(port.name, parse_type(port.type), port.span, port.default, port.has_default, port.optional)


def _outputs(reader: Reader, spec: Mapping, declared: dict[str, Output], function: Function) -> dict[str, Output]:
    ports = {port.name: port for port in function.outputs}
    if "outputs" not in spec.entries:
        return {port.name: Output(port.name, parse_type(port.type), port.span) for port in function.outputs}
    for name, given in declared.items():
        port = ports.get(name)
        if port is None:
            message = f"the function `{function.name}` has no output `{name}`"
            reader.fault("signature-mismatch", message, given.span, did_you_mean(name, ports, what="outputs"))
            continue
        type_ = parse_type(port.type)
        if given.type is not None and type_ is not None and not _same(given.type, type_):
            message = f"`{name}` is {show_type(given.type)} here and {show_type(type_)} in the function"
            reader.fault("signature-mismatch", message, given.span, "make them agree")
    for name in ports:
        if name not in declared:
            message = f"the output `{name}` of `{function.name}` is not declared"
            reader.fault("signature-mismatch", message, spec.entries["outputs"].key_span, "declare it, or leave all outputs out")
    return declared


