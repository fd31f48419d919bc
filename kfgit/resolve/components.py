"""Components: their ports and what runs."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import NamedTuple

from kfgit import shell
from kfgit.diagnostics import did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence
from kfgit.model import (
    UNCLEAR,
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
    Unclear,
)
from kfgit.references import InputRef, OutputRef, Ref, RunRef, Text, WorkspaceRef, show
from kfgit.resolve.choices import check_choices
from kfgit.resolve.env import env_of
from kfgit.resolve.files import Files
from kfgit.resolve.notebooks import notebook_component
from kfgit.resolve.ports import description_of, field, input_
from kfgit.resolve.python import inputs_of, outputs_of, python
from kfgit.resolve.reader import Reader
from kfgit.resolve.types import type_of
from kfgit.resolve.values import text_of
from kfgit.source import Span


def component(
    reader: Reader, name: str, spec: Mapping, span: Span, files: Files, description: str = ""
) -> Component:
    """A component from its spec; faulty parts are left out and told."""
    inner = reader.nested()
    unclear = inner.unclear(spec, "inputs", "outputs")
    if sum(key in spec.entries for key in ("python", "container", "notebook")) > 1:
        unclear = UNCLEAR
    inputs = {
        key: input_(inner, key, entry.key_span, entry.node)
        for key, entry in inner.entries(spec.get("inputs"))
    }
    outputs = {
        key: _output(inner, key, entry.key_span, entry.node)
        for key, entry in inner.entries(spec.get("outputs"))
    }
    implementation: Container | Python | None = None
    spec = inner.without_strays(spec)
    if "python" in spec.entries:
        found = python(inner, spec, files)
        unclear = unclear if found is not None and found[1].whole else UNCLEAR
        if found is not None:
            implementation, function = found
            inputs, outputs = (
                inputs_of(inner, spec, inputs, function),
                outputs_of(inner, spec, outputs, function),
            )
    elif "container" in spec.entries:
        implementation = _container(inner, spec.entries["container"].node, Ports(inputs, outputs, unclear))
    elif "notebook" in spec.entries:
        ran = notebook_component(inner, name, spec, files, inputs, outputs)
        if ran is None or (ran[1] is not None and not ran[1].whole):
            unclear = UNCLEAR
        if ran is not None:
            implementation, called = ran
            if called is not None:
                inputs, outputs = (
                    inputs_of(inner, spec, inputs, called),
                    outputs_of(inner, spec, outputs, called),
                )
    else:
        inner.broken = True
    _check_outputs(inner, outputs)
    reader.faults += inner.faults
    return Component(
        name, inputs, outputs, implementation, span, description, whole=not inner.broken, unclear=unclear
    )


def _output(reader: Reader, name: str, span: Span, node: Node) -> Output:
    type_ = field(node, "type")
    place = type_.span if type_ is not None else None
    return Output(name, type_of(reader, type_), span, description_of(node), place)


class Ports(NamedTuple):
    """What a component's texts may refer to; `unclear` where some may be missing because of a fault."""

    inputs: MappingOf[str, Input]
    outputs: MappingOf[str, Output]
    unclear: Unclear


def _check_outputs(reader: Reader, outputs: MappingOf[str, Output]) -> None:
    for output in outputs.values():
        if isinstance(output.type, StatusType):
            help_ = "only the input of an exit task has this type; give out a string or a dict"
            reader.fault("bad-output", "`TaskFinalStatus` cannot be an output", output.place, help_)
        elif isinstance(output.type, ArtifactType) and output.type.many:
            help_ = "give out one artifact, or let a loop collect several"
            reader.fault(
                "bad-output",
                f"a component cannot give out a list of artifacts (`{output.name}`)",
                output.place,
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
    variables = env_of(reader, spec.get("env"))
    run_facts = tuple(
        (ref, text.span)
        for text in texts
        for ref in text.text.references
        if isinstance(ref, RunRef | WorkspaceRef)
    )
    return Container(name, command, args, variables, spec.span, image.span, script, run_facts)


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
                if port is None and ports.unclear.covers(name.text, "inputs"):
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
            return  # whether there is a workspace depends on the pipeline, see `graph`
        case _:
            reader.fault(
                "reference-not-allowed", f"a component cannot read `{show(ref)}`", span, "pass it as an input"
            )
            return
    if port is None and ports.unclear.covers(name, f"{what}s"):
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
