"""Tasks that make and delete PersistentVolumeClaims: components that KFP's driver carries out itself.

The interface is that of kfp-kubernetes 2.17.0 (volume.py, `CreatePVC` and `DeletePVC`), without the sentences that
describe its inputs; what is done with them stands in backend/src/v2/driver/k8s.go (createPVC, deletePVC).
"""

from __future__ import annotations

from kfgit.document import Entry, Mapping, Node
from kfgit.model import (
    Component,
    Container,
    Input,
    Literal_,
    Name,
    Output,
    ParameterType,
    Type,
    UseComponent,
    Value,
)
from kfgit.resolve.kubernetes import number_as_text
from kfgit.resolve.mounts import check_access_modes, check_size
from kfgit.resolve.reader import Reader
from kfgit.resolve.values import value
from kfgit.source import Span

CLAIM_TASKS = ("createPvc", "deletePvc")

_CREATE: dict[str, tuple[str, Type, bool]] = {
    "accessModes": ("access_modes", ParameterType("list"), False),
    "size": ("size", ParameterType("string"), False),
    "name": ("pvc_name", ParameterType("string"), True),
    "nameSuffix": ("pvc_name_suffix", ParameterType("string"), True),
    "storageClassName": ("storage_class_name", ParameterType("string"), True),
    "volumeName": ("volume_name", ParameterType("string"), True),
    "annotations": ("annotations", ParameterType("dict"), True),
    "dataSource": ("data_source", ParameterType("dict"), True),
}
_DELETE: dict[str, tuple[str, Type, bool]] = {"name": ("pvc_name", ParameterType("string"), False)}
_CREATE_IMAGE, _DELETE_IMAGE = "argostub/createpvc", "argostub/deletepvc"


def claim_task(key: str, entry: Entry) -> UseComponent | None:
    """What a task with `createPvc` or `deletePvc` runs; None where something is missing, which was told."""
    span = entry.key_span
    given = entry.node.entries if isinstance(entry.node, Mapping) else {}
    required = {"createPvc": {"accessModes", "size"}, "deletePvc": {"name"}}[key]
    if not required <= given.keys():
        return None
    ports, image = (_CREATE, _CREATE_IMAGE) if key == "createPvc" else (_DELETE, _DELETE_IMAGE)
    inputs = {
        port: Input(
            name, type_, span, "" if port == "storage_class_name" else None,
            has_default=port == "storage_class_name", optional=optional,
        )
        for name, (port, type_, optional) in ports.items()
    }  # fmt: skip
    outputs = {"name": Output("name", ParameterType("string"), span)} if key == "createPvc" else {}
    code = Container(image, (), (), {}, span, span)
    component = Component(key.lower(), inputs, outputs, code, span)
    return UseComponent(Name(key.lower(), span), component, builtin=True)


def claim_inputs(reader: Reader, key: str, node: Node | None) -> tuple[dict[str, Value], dict[str, Span]]:
    """What the claim's component is given, and where each input is named."""
    ports = _CREATE if key == "createPvc" else _DELETE
    values: dict[str, Value] = {}
    spans: dict[str, Span] = {}
    for name, entry in reader.entries(node):
        if name not in ports:
            continue
        port = ports[name][0]
        text = number_as_text(entry.node) if name == "size" else None
        given = Literal_(text, entry.node.span) if text is not None else value(reader, entry.node)
        spans[port] = entry.key_span
        if name == "size" and isinstance(given, Literal_) and isinstance(given.value, str):
            check_size(reader, Name(given.value, given.span))
        if name == "accessModes" and isinstance(given, Literal_) and isinstance(given.value, list):
            check_access_modes(reader, [str(mode) for mode in given.value], given.span)
        if given is not None:
            values[port] = given
    return values, spans
