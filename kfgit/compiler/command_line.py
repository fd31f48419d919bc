"""A component's image, command and arguments as the IR has them, with KFP's placeholders for its references.

KFP's launcher puts in what the component was given, and nothing else: what a component reads of the run itself comes
by an input that the compiler adds (kubeflow/pipelines, backend/src/v2/driver/resolve.go and component/launcher_v2.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfgit import lightweight, shell
from kfgit.compiler.kubelet import Placeholder, escape, written
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
    RunFact,
    TextArgument,
)
from kfgit.references import InputRef, OutputRef, Ref, RunRef, WorkspaceRef, show


@dataclass(frozen=True, slots=True)
class Ports:
    """What the texts of a component refer to; `carried` names the inputs that carry what it reads of the run."""

    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    carried: Mapping[RunFact, str]


def command_line(component: Component, carried: Mapping[RunFact, str]) -> dict[str, Any]:
    """Image, command and arguments; `carried` names the inputs that carry what the component reads of the run."""
    match component.implementation:
        case Python() as code:
            command = lightweight.command(code.source, code.packages, code.index_urls, code.helper)
            return {
                "image": code.base_image,
                "command": [escape(part) for part in command],
                "args": lightweight.arguments(code.function),
            }
        case Container() as given:
            return _given_container(Ports(component.inputs, component.outputs, carried), given)
        case None:
            message = f"the component {component.name} was not checked"
            raise AssertionError(message)


def _given_container(ports: Ports, given: Container) -> dict[str, Any]:
    spec: dict[str, Any] = {"image": given.image}
    if given.script is not None:
        script = shell.bind(given.script.text)
        command = ["sh", "-ec", escape(script.text), "sh"]
        args = [
            *(_script_value(ports, ref) for ref in script.arguments),
            *_arguments(ports, given.args),
        ]
    else:
        # A choice is made in arguments only. Both lists make up one command line, so the rest of it may go there.
        fixed = next(
            (n for n, argument in enumerate(given.command) if _chooses(argument)), len(given.command)
        )
        command = _arguments(ports, given.command[:fixed])
        args = _arguments(ports, (*given.command[fixed:], *given.args))
    if command:
        spec["command"] = command
    if args:
        spec["args"] = args
    return spec


def _script_value(ports: Ports, ref: Ref) -> str:
    """An argument that sets a variable of a script, empty for an input that was not given.

    KFP's driver fails for a placeholder of an input that has no value.
    """
    placeholder = _placeholder(ports, ref)
    port = ports.inputs.get(ref.name) if isinstance(ref, InputRef) else None
    if port is None or port.required or port.has_default or not isinstance(port.type, ParameterType):
        return placeholder
    return _if_present(port.name, [placeholder], [""])


def _chooses(argument: Argument) -> bool:
    return isinstance(argument, IfPresent) or (
        isinstance(argument, Concat) and any(map(_chooses, argument.items))
    )


def _arguments(ports: Ports, arguments: Iterable[Argument]) -> list[str]:
    return [_argument(ports, argument) for argument in arguments]


def _argument(ports: Ports, argument: Argument) -> str:
    match argument:
        case IfPresent(input=name, then=then, otherwise=otherwise):
            return _if_present(name.text, _arguments(ports, then), _arguments(ports, otherwise))
        case Concat(items=items):
            return _concat(ports, items)
        case TextArgument():
            return written(_pieces(ports, argument))


def _pieces(ports: Ports, argument: Argument) -> Iterator[str | Placeholder]:
    """A text without choices."""
    match argument:
        case TextArgument(text=text):
            for part in text.parts:
                yield part if isinstance(part, str) else Placeholder(_placeholder(ports, part))
        case Concat(items=items):
            for item in items:
                yield from _pieces(ports, item)
        case IfPresent():
            message = "a choice stands in a text"
            raise AssertionError(message)


def _concat(ports: Ports, items: Sequence[Argument]) -> str:
    """KFP's backend knows no `Concat`, so it is carried out here; a choice in it chooses between whole texts."""
    for index, item in enumerate(items):
        if isinstance(item, Concat) and _chooses(item):
            return _concat(ports, (*items[:index], *item.items, *items[index + 1 :]))
        if isinstance(item, IfPresent):
            before, after = items[:index], items[index + 1 :]
            then = _concat(ports, (*before, *item.then, *after))
            otherwise = _concat(ports, (*before, *item.otherwise, *after))
            return _if_present(item.input.text, [then], [otherwise])
    return written(piece for item in items for piece in _pieces(ports, item))


def _if_present(name: str, then: list[str], otherwise: list[str]) -> str:
    """The text that the driver reads (backend/src/v2/driver/util.go)."""
    choice: dict[str, Any] = {"InputName": name, "Then": then}
    if otherwise:
        choice["Else"] = otherwise
    return json.dumps({"IfPresent": choice}, ensure_ascii=False)


def _placeholder(ports: Ports, ref: Ref) -> str:
    match ref:
        case InputRef(name, part):
            if isinstance(ports.inputs[name].type, ArtifactType):
                suffix = f".{part}" if part else ""
                return f"{{{{$.inputs.artifacts['{name}']{suffix}}}}}"
            return f"{{{{$.inputs.parameters['{name}']}}}}"
        case OutputRef(name, part):
            if isinstance(ports.outputs[name].type, ArtifactType):
                return f"{{{{$.outputs.artifacts['{name}'].{part or 'path'}}}}}"
            return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"
        case RunRef() | WorkspaceRef():
            return f"{{{{$.inputs.parameters['{ports.carried[ref]}']}}}}"
        case _:
            message = f"unchecked reference {show(ref)}"
            raise AssertionError(message)
