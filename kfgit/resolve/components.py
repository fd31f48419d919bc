"""Components: their ports and what runs."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import NamedTuple

from kfgit import shell
from kfgit.diagnostics import did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence
from kfgit.model import (
    Argument,
    ArtifactType,
    Component,
    Concat,
    Container,
    IfPresent,
    Input,
    Output,
    ParameterType,
    Python,
    StatusType,
    TextArgument,
)
from kfgit.references import InputRef, OutputRef, Ref, RunRef, Text, WorkspaceRef, show
from kfgit.resolve.choices import check_choices
from kfgit.resolve.environment import environment
from kfgit.resolve.python import PythonSources, inputs_of, outputs_of, python
from kfgit.resolve.reader import Reader
from kfgit.resolve.values import literal_fault, show_type, text_of, type_of
from kfgit.source import Span


def component(
    reader: Reader, name: str, spec: Mapping, span: Span, sources: PythonSources, description: str = ""
) -> Component:
    """A component from its spec; faulty parts are left out and told."""
    inner = reader.nested()
    unclear = inner.is_unclear(spec, "inputs", "outputs")
    inputs = {
        key: input_(inner, key, entry.key_span, entry.node)
        for key, entry in inner.entries(spec.get("inputs"))
    }
    outputs = {
        key: Output(key, type_of(inner, _field(entry.node, "type")), entry.key_span, _description(entry.node))
        for key, entry in inner.entries(spec.get("outputs"))
    }
    implementation: Container | Python | None = None
    spec = inner.without_strays(spec)
    if "python" in spec.entries:
        found = python(inner, spec, sources)
        unclear = unclear or found is None or not found[1].whole
        if found is not None:
            implementation, function = found
            inputs, outputs = (
                inputs_of(inner, spec, inputs, function),
                outputs_of(inner, spec, outputs, function),
            )
    elif "container" in spec.entries:
        implementation = _container(inner, spec.entries["container"].node, Ports(inputs, outputs, unclear))
    elif "notebook" in spec.entries:
        inner.fault("not-supported", "notebook components cannot be compiled yet", spec.entries["notebook"].key_span,
                    "put the code in a python component")  # fmt: skip
    else:
        inner.broken = True
    _check_outputs(inner, outputs)
    reader.faults += inner.faults
    return Component(
        name, inputs, outputs, implementation, span, description, whole=not inner.broken, unclear=unclear
    )


class Ports(NamedTuple):
    """What a component's texts may refer to; `unclear` where some may be missing because of a fault."""

    inputs: MappingOf[str, Input]
    outputs: MappingOf[str, Output]
    unclear: bool


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
    unclear = reader.is_unclear(node) or (isinstance(default, Scalar) and default.is_failed)
    port = Input(
        name,
        type_,
        span,
        default=reader.plain(default) if given else None,
        has_default=given,
        optional=reader.boolean(_field(node, "optional")) or unclear,
        description=_description(node),
        enum=tuple(reader.plain(_field(node, "enum")) or ())
        if isinstance(_field(node, "enum"), Sequence)
        else (),
        minimum=reader.number(_field(node, "min")),
        maximum=reader.number(_field(node, "max")),
        pattern=reader.string(_field(node, "pattern")),
    )
    _check_rules(reader, port, node)
    _check_input(reader, port, default if given else None)
    return port


def _check_rules(reader: Reader, port: Input, node: Node) -> None:
    """`enum`, `min`, `max` and `pattern` go with the type, and with each other."""
    if not isinstance(node, Mapping) or not isinstance(port.type, ParameterType):
        return
    for key, types in (("min", ("int", "float")), ("max", ("int", "float")), ("pattern", ("string",))):
        if key in node.entries and port.type.name not in types:
            what = "strings" if key == "pattern" else "numbers"
            message = f"`{key}` is for {what}, and `{port.name}` is {show_type(port.type)}"
            reader.fault("misplaced-key", message, node.entries[key].key_span, f"remove `{key}`")
    if port.minimum is not None and port.maximum is not None and port.maximum < port.minimum:
        message = f"the greatest value of `{port.name}` is below the least"
        reader.fault("bad-range", message, node.entries["max"].node.span, "exchange `min` and `max`")
    for item in reader.items(node.get("enum")):
        fault = literal_fault(reader.plain(item), Input(port.name, port.type, port.span))
        if fault is not None:
            reader.fault(fault[0], f"an allowed value of {fault[1]}", item.span, fault[2])


def _check_input(reader: Reader, port: Input, default: Node | None) -> None:
    if default is not None and isinstance(port.type, ArtifactType):
        help_ = "use `optional: true`, or import the artifact in the pipeline"
        reader.fault("bad-default", f"the artifact `{port.name}` cannot have a default", default.span, help_)
    elif default is not None and isinstance(port.type, StatusType):
        reader.fault("bad-default", f"`{port.name}` cannot have a default", default.span)
    elif (
        default is not None
        and isinstance(default, Scalar)
        and isinstance(default.value, str)
        and "$(" in default.value.replace("$$(", "")
    ):
        reader.fault(
            "bad-default",
            "a default is a value, not a reference",
            default.span,
            "set the input where the pipeline is used",
        )
    elif default is not None:
        fault = literal_fault(port.default, port)
        if fault is not None:
            code, message, way_out = fault
            reader.fault(code, f"the default of {message}", default.span, way_out)


def _check_outputs(reader: Reader, outputs: MappingOf[str, Output]) -> None:
    for output in outputs.values():
        if isinstance(output.type, StatusType):
            reader.fault("bad-output", "`TaskFinalStatus` cannot be an output", output.span)
        elif isinstance(output.type, ArtifactType) and output.type.many:
            help_ = "give out one artifact, or let a loop collect several"
            reader.fault(
                "bad-output",
                f"a component cannot give out a list of artifacts (`{output.name}`)",
                output.span,
                help_,
            )


def _container(reader: Reader, node: Node, ports: Ports) -> Container | None:
    spec = reader.mapping(node)
    if spec is None:
        return None
    image = spec.get("image")
    name = reader.string(image)
    if name is not None and image is not None and "$(" in name:
        reader.fault(
            "reference-not-allowed",
            "an image cannot hold a reference",
            image.span,
            "choose it with `{{ vars.… }}`",
        )
    script = _script(reader, spec.get("script"))
    command = tuple(_arguments(reader, spec.get("command")))
    args = tuple(_arguments(reader, spec.get("args")))
    texts = [*_texts(command), *_texts(args), *([script] if script else [])]
    for text in texts:
        for ref in text.text.references:
            _check_port(reader, ref, text.span, ports)
    _check_conditions(reader, (*command, *args), ports)
    check_choices(reader, (*command, *args))
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
            return TextArgument(
                Text((str(number).lower() if isinstance(number, bool) else str(number),)), node.span
            )
        case Mapping() if "concat" in node.entries:
            return Concat(tuple(_arguments(reader, node.get("concat"))), node.span)
        case Mapping() if "if" in node.entries:
            choice = reader.mapping(node.get("if"))
            name = reader.name(choice.get("present")) if choice is not None else None
            if choice is None or name is None:
                return None
            return IfPresent(
                name, _listed(reader, choice.get("then")), _listed(reader, choice.get("else")), node.span
            )
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


def _check_conditions(reader: Reader, arguments: tuple[Argument, ...], ports: Ports) -> None:
    for argument in arguments:
        match argument:
            case Concat(items=items):
                _check_conditions(reader, items, ports)
            case IfPresent(input=name, then=then, otherwise=otherwise):
                _check_conditions(reader, (*then, *otherwise), ports)
                port = ports.inputs.get(name.text)
                if port is None and ports.unclear:
                    reader.broken = True
                elif port is None:
                    help_ = did_you_mean(name.text, ports.inputs, what="inputs")
                    reader.fault("unknown-input", f"there is no input `{name.text}`", name.span, help_)
                elif not isinstance(port.type, ParameterType | None):
                    message = f"`present` asks for a parameter; `{name.text}` is an artifact"
                    help_ = "KFP's backend decides it for parameters only"
                    reader.fault("not-supported", message, name.span, help_)
                elif not port.optional and not port.has_default:
                    reader.warn(
                        "always-present",
                        f"the input `{name.text}` is always present",
                        name.span,
                        "make it `optional: true`",
                    )
            case TextArgument():
                pass


def _check_port(reader: Reader, ref: Ref, span: Span, ports: Ports) -> None:
    match ref:
        case InputRef(name, part):
            port: Input | Output | None = ports.inputs.get(name)
            known, what = list(ports.inputs), "input"
        case OutputRef(name=name, part=part):
            port, known, what = ports.outputs.get(name), list(ports.outputs), "output"
        case RunRef("status"):
            reader.fault("reference-not-allowed", "`$(run.status)` is read in `onExit` only", span,
                         "give the component an input of type TaskFinalStatus")  # fmt: skip
            return
        case RunRef() | WorkspaceRef():
            reader.fault("not-supported", f"`{show(ref)}` cannot be read inside a component yet", span,
                         "give the component an input, and pass it there")  # fmt: skip
            return
        case _:
            reader.fault(
                "reference-not-allowed", f"a component cannot read `{show(ref)}`", span, "pass it as an input"
            )
            return
    if port is None and ports.unclear:
        reader.broken = True
        return
    if port is None:
        reader.fault(
            f"unknown-{what}",
            f"there is no {what} `{name}`",
            span,
            did_you_mean(name, known, what=f"{what}s"),
        )
        return
    if (
        isinstance(port.type, ArtifactType)
        and not part
        and not (isinstance(ref, InputRef) and port.type.many)
    ):
        reader.fault(
            "artifact-needs-part",
            f"`{show(ref)}` is an artifact",
            span,
            f"write `{show(ref)[:-1]}.path)` or `.uri`",
        )
    elif isinstance(port.type, ParameterType):
        _check_parameter(reader, ref, part, span)


def _check_parameter(reader: Reader, ref: Ref, part: str, span: Span) -> None:
    if isinstance(ref, OutputRef) and part != "path":
        help_ = f"write the value to `$(outputs.{ref.name}.path)`"
        reader.fault("parameter-part", f"an output parameter is a file: `{show(ref)}`", span, help_)
    elif isinstance(ref, InputRef) and part:
        reader.fault(
            "parameter-part",
            f"`{ref.name}` is a parameter and has no `{part}`",
            span,
            f"write `$(inputs.{ref.name})`",
        )
