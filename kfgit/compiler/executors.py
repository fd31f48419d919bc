"""What runs: containers and importers as the IR has them, and what Kubernetes adds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kfgit import lightweight, shell
from kfgit.compiler.kubelet import Placeholder, escape, written
from kfgit.graph import quantity
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
    ParameterType,
    Placement,
    Python,
    Resources,
    SecretKey,
    Settings,
    TextArgument,
)
from kfgit.references import InputRef, OutputRef, Ref, show

_GIGABYTE = 1_000_000_000


def importer(constant: str | None, type_: ArtifactType, metadata: Any, *, reimport: bool) -> dict[str, Any]:
    """An importer executor."""
    uri = {"constant": constant} if constant is not None else {"runtimeParameter": "uri"}
    schema = {"schemaTitle": type_.title, "schemaVersion": type_.version}
    spec: dict[str, Any] = {"artifactUri": uri, "typeSchema": schema}
    if metadata:
        spec["metadata"] = metadata
    if reimport:
        spec["reimport"] = True
    return spec


def container(component: Component, settings: Settings) -> dict[str, Any]:
    """A container executor."""
    spec = _command_line(component)
    constants = {
        name: value for name, value in _environment(component, settings).items() if isinstance(value, str)
    }
    if constants:
        spec["env"] = [{"name": name, "value": escape(constants[name])} for name in sorted(constants)]
    if settings.resources is not None:
        resources = _resources(settings.resources)
        if resources:
            spec["resources"] = resources
    return spec


def _command_line(component: Component) -> dict[str, Any]:
    match component.implementation:
        case Python() as code:
            command = lightweight.command(code.source, code.packages, code.index_urls)
            return {
                "image": code.base_image,
                "command": [escape(part) for part in command],
                "args": lightweight.arguments(code.function),
            }
        case Container() as given:
            return _given_container(component, given)
        case None:
            message = f"the component {component.name} was not checked"
            raise AssertionError(message)


def _given_container(component: Component, given: Container) -> dict[str, Any]:
    spec: dict[str, Any] = {"image": given.image}
    if given.script is not None:
        script = shell.bind(given.script.text)
        command = ["sh", "-ec", escape(script.text), "sh"]
        args = [
            *(_script_value(component, ref) for ref in script.arguments),
            *_arguments(component, given.args),
        ]
    else:
        # A choice is made in arguments only. Both lists make up one command line, so the rest of it may go there.
        fixed = next(
            (n for n, argument in enumerate(given.command) if _chooses(argument)), len(given.command)
        )
        command = _arguments(component, given.command[:fixed])
        args = _arguments(component, (*given.command[fixed:], *given.args))
    if command:
        spec["command"] = command
    if args:
        spec["args"] = args
    return spec


def _script_value(component: Component, ref: Ref) -> str:
    """An argument that sets a variable of a script, empty for an input that was not given.

    KFP's driver fails for a placeholder of an input that has no value.
    """
    placeholder = _placeholder(component, ref)
    port = component.inputs.get(ref.name) if isinstance(ref, InputRef) else None
    if port is None or port.required or port.has_default or not isinstance(port.type, ParameterType):
        return placeholder
    return _if_present(port.name, [placeholder], [""])


def _chooses(argument: Argument) -> bool:
    return isinstance(argument, IfPresent) or (
        isinstance(argument, Concat) and any(map(_chooses, argument.items))
    )


def _arguments(component: Component, arguments: Iterable[Argument]) -> list[str]:
    return [_argument(component, argument) for argument in arguments]


def _argument(component: Component, argument: Argument) -> str:
    match argument:
        case IfPresent(input=name, then=then, otherwise=otherwise):
            return _if_present(name.text, _arguments(component, then), _arguments(component, otherwise))
        case Concat(items=items):
            return _concat(component, items)
        case TextArgument():
            return written(_pieces(component, argument))


def _pieces(component: Component, argument: Argument) -> Iterator[str | Placeholder]:
    """A text without choices."""
    match argument:
        case TextArgument(text=text):
            for part in text.parts:
                yield part if isinstance(part, str) else Placeholder(_placeholder(component, part))
        case Concat(items=items):
            for item in items:
                yield from _pieces(component, item)
        case IfPresent():
            message = "a choice stands in a text"
            raise AssertionError(message)


def _concat(component: Component, items: Sequence[Argument]) -> str:
    """KFP's backend knows no `Concat`, so it is carried out here; a choice in it chooses between whole texts."""
    for index, item in enumerate(items):
        if isinstance(item, Concat) and _chooses(item):
            return _concat(component, (*items[:index], *item.items, *items[index + 1 :]))
        if isinstance(item, IfPresent):
            before, after = items[:index], items[index + 1 :]
            then = _concat(component, (*before, *item.then, *after))
            otherwise = _concat(component, (*before, *item.otherwise, *after))
            return _if_present(item.input.text, [then], [otherwise])
    return written(piece for item in items for piece in _pieces(component, item))


def _if_present(name: str, then: list[str], otherwise: list[str]) -> str:
    """The text that the driver reads (backend/src/v2/driver/util.go)."""
    choice: dict[str, Any] = {"InputName": name, "Then": then}
    if otherwise:
        choice["Else"] = otherwise
    return json.dumps({"IfPresent": choice}, ensure_ascii=False)


def _placeholder(component: Component, ref: Ref) -> str:
    match ref:
        case InputRef(name, part):
            if isinstance(component.inputs[name].type, ArtifactType):
                suffix = f".{part}" if part else ""
                return f"{{{{$.inputs.artifacts['{name}']{suffix}}}}}"
            return f"{{{{$.inputs.parameters['{name}']}}}}"
        case OutputRef(name, part):
            if isinstance(component.outputs[name].type, ArtifactType):
                return f"{{{{$.outputs.artifacts['{name}'].{part or 'path'}}}}}"
            return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"
        case _:
            message = f"unchecked reference {show(ref)}"
            raise AssertionError(message)


def _environment(component: Component, settings: Settings) -> dict[str, EnvValue]:
    own = component.implementation.env if component.implementation is not None else {}
    return {**own, **(settings.env or {})}


def _resources(resources: Resources) -> dict[str, Any]:
    """Both forms: the numbers that older backends read, and the texts of 2.17 (pipeline_spec.proto, ResourceSpec)."""
    spec: dict[str, Any] = {}
    for which, quantities in (("Request", resources.requests), ("Limit", resources.limits)):
        for name in ("cpu", "memory"):
            text = quantities.get(name)
            number = quantity(text)
            if text is None or number is None:
                continue
            spec[f"{name}{which}"] = number if name == "cpu" else number / _GIGABYTE
            spec[f"resource{name.capitalize()}{which}"] = text
    accelerator = resources.accelerator
    if accelerator is not None and accelerator.count > 0:
        count = str(accelerator.count)
        spec["accelerator"] = {
            "type": accelerator.resource, "count": count, "resourceType": accelerator.resource, "resourceCount": count,
        }  # fmt: skip
    return spec


def platform_of(component: Component, settings: Settings) -> dict[str, Any]:
    """A KubernetesExecutorConfig: environment values that Kubernetes fills in, and the timeout."""
    config: dict[str, Any] = {}
    secrets: dict[tuple[str, bool], list[dict[str, str]]] = {}
    maps: dict[tuple[str, bool], list[dict[str, str]]] = {}
    fields: list[dict[str, str]] = []
    for name, value in sorted(_environment(component, settings).items()):
        match value:
            case SecretKey(secret, key, optional):
                secrets.setdefault((secret, optional), []).append({"secretKey": key, "envVar": name})
            case ConfigMapKey(config_map, key, optional):
                maps.setdefault((config_map, optional), []).append({"configMapKey": key, "envVar": name})
            case FieldPath(path):
                fields.append({"name": name, "fieldPath": path})
            case str():
                pass
    if secrets:
        config["secretAsEnv"] = [_named("secretName", key, found) for key, found in secrets.items()]
    if maps:
        config["configMapAsEnv"] = [_named("configMapName", key, found) for key, found in maps.items()]
    if fields:
        config["fieldPathAsEnv"] = fields
    if settings.timeout is not None:
        config["activeDeadlineSeconds"] = str(settings.timeout)
    return config | (_placement(settings.placement) if settings.placement is not None else {})


_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where POSIX shared memory is, inside the task's container
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"


def _placement(placement: Placement) -> dict[str, Any]:
    """Nodes, shared memory and Kueue's labels (kubernetes_executor_config.proto; kueue.sigs.k8s.io)."""
    config: dict[str, Any] = {}
    if placement.node_selector:
        config["nodeSelector"] = {"labels": dict(placement.node_selector)}
    if placement.affinity:
        config["nodeAffinity"] = [dict(term) for term in placement.affinity]
    if placement.tolerations:
        config["tolerations"] = [_toleration(toleration) for toleration in placement.tolerations]
    if placement.queue is not None:
        labels = {_QUEUE_LABEL: placement.queue}
        config["podMetadata"] = {
            "labels": labels | ({_PRIORITY_LABEL: placement.priority} if placement.priority else {})
        }
    if placement.shared_memory is not None:
        mount = {"volumeName": "shared-memory", "mountPath": _SHARED_MEMORY, "medium": "Memory"}
        config["emptyDirMounts"] = [{**mount, "sizeLimit": placement.shared_memory}]
    return config


def _toleration(toleration: Mapping[str, Any]) -> dict[str, Any]:
    """An int64 is a string in protobuf's JSON."""
    return {key: str(value) if key == "tolerationSeconds" else value for key, value in toleration.items()}


def _named(field: str, key: tuple[str, bool], entries: list[dict[str, str]]) -> dict[str, Any]:
    """Both the old field and the one that may be a parameter, as the SDK writes them."""
    name, optional = key
    return {
        field: name,
        f"{field}Parameter": {"runtimeValue": {"constant": name}},
        "keyToEnv": entries,
        "optional": optional,
    }
