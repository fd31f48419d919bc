"""The `kubernetes` block of a task.

Where KFP's driver can look a value up when the task starts (kubernetes_platform/proto/kubernetes_executor_config.proto,
the fields `…Parameter` and `…Json`) it is a `Value`; anywhere else a reference is a mistake.
"""

from __future__ import annotations

from collections.abc import Collection

from kfgit import references
from kfgit.document import Entry, Mapping, Node, Scalar, Sequence
from kfgit.model import (
    ClaimMount,
    EmptyDir,
    EphemeralVolume,
    KeySource,
    Kubernetes,
    Name,
    SecurityContext,
    Value,
)
from kfgit.resolve.mounts import check_access_modes, check_together
from kfgit.resolve.reader import Reader
from kfgit.resolve.scheduling import check_affinity, check_tolerations
from kfgit.resolve.values import value
from kfgit.source import Span


def kubernetes(reader: Reader, node: Node | None, variables: Collection[str]) -> Kubernetes | None:
    """The block of a task or of `defaults`; `variables` are those of the `env` beside it."""
    given = reader.mapping(node)
    if given is None:
        return None
    found = reader.without_strays(given)
    check_affinity(reader, found.get("nodeAffinity"))
    check_tolerations(reader, found.get("tolerations"))
    block = _block(reader, found)
    check_together(reader, block, variables)
    return block


def _block(reader: Reader, found: Mapping) -> Kubernetes:
    return Kubernetes(
        secrets=_key_sources(reader, "secrets", found.get("secrets")),
        config_maps=_key_sources(reader, "configMaps", found.get("configMaps")),
        field_paths=_pairs(reader, found.get("fieldPaths")),
        claims=tuple(m for m in (_claim(reader, each) for each in reader.items(found.get("pvcs"))) if m),
        ephemeral_volumes=tuple(
            v for v in (_ephemeral(reader, e) for e in reader.items(found.get("ephemeralVolumes"))) if v
        ),
        empty_dirs=tuple(
            v for v in (_empty_dir(reader, each) for each in reader.items(found.get("emptyDirs"))) if v
        ),
        node_selector=_value(reader, found.get("nodeSelector")),
        node_affinity=_values(reader, found.get("nodeAffinity")),
        tolerations=_values(reader, found.get("tolerations")),
        pod_labels=_fixed_texts(reader, found.get("podLabels")),
        pod_annotations=_fixed_texts(reader, found.get("podAnnotations")),
        image_pull_policy=reader.string(found.get("imagePullPolicy")),
        image_pull_secrets=_values(reader, found.get("imagePullSecrets")) or (),
        security_context=_security_context(reader, found.get("securityContext")),
    )


def _value(reader: Reader, node: Node | None) -> Value | None:
    return value(reader, node) if node is not None else None


def _values(reader: Reader, node: Node | None) -> tuple[Value, ...] | None:
    """A list of values, or one that stands for all of it."""
    if node is None:
        return None
    nodes = node.items if isinstance(node, Sequence) else (node,)
    return tuple(v for v in (value(reader, each) for each in nodes) if v is not None)


def _key_sources(reader: Reader, key: str, node: Node | None) -> tuple[KeySource, ...]:
    found = []
    for item in reader.items(node):
        given = reader.mapping(item)
        name = _value(reader, given.get("name")) if given is not None else None
        if given is None or name is None:
            reader.broken = True
            continue
        spec = reader.without_strays(given)
        if not {"env", "mountPath"} & spec.entries.keys() and not reader.is_unclear(given):
            message = f"an item of `{key}` gives the task nothing"
            help_ = "say with `env` which variables take its keys, or with `mountPath` where its files are"
            reader.fault("missing-key", message, given.span, help_)
        found.append(
            KeySource(
                name,
                _pairs(reader, spec.get("env")),
                _fixed(reader, spec.entries.get("mountPath")),
                reader.boolean(spec.get("optional")) or False,
                item.span,
            )
        )
    return tuple(found)


def _pairs(reader: Reader, node: Node | None) -> tuple[tuple[Name, str], ...]:
    """Variables and what each of them takes."""
    found = ((Name(key, e.key_span), reader.string(e.node)) for key, e in reader.entries(node))
    return tuple((name, text) for name, text in found if text is not None)


def _claim(reader: Reader, node: Node) -> ClaimMount | None:
    found = reader.mapping(node)
    name = _value(reader, found.get("name")) if found is not None else None
    path = _fixed(reader, found.entries.get("mountPath")) if found is not None else None
    if found is None or name is None or path is None:
        return None
    return ClaimMount(name, path, _fixed(reader, found.entries.get("subPath")))


def _ephemeral(reader: Reader, node: Node) -> EphemeralVolume | None:
    found = reader.mapping(node)
    if found is None:
        return None
    name, path = (_fixed(reader, found.entries.get(key)) for key in ("name", "mountPath"))
    size = _amount(reader, found.entries.get("size"))
    modes = reader.strings(found.get("accessModes"))
    if name is None or path is None or size is None:
        return None
    check_access_modes(reader, modes, found.entries["accessModes"].node.span if modes else found.span)
    return EphemeralVolume(
        name,
        path,
        modes,
        size,
        reader.string(found.get("storageClassName")),
        _fixed_texts(reader, found.get("labels")),
        _fixed_texts(reader, found.get("annotations")),
    )


def _empty_dir(reader: Reader, node: Node) -> EmptyDir | None:
    found = reader.mapping(node)
    if found is None:
        return None
    name, path = (_fixed(reader, found.entries.get(key)) for key in ("name", "mountPath"))
    if name is None or path is None:
        return None
    medium = reader.string(found.get("medium"))
    return EmptyDir(name, path, medium, _amount(reader, found.entries.get("sizeLimit")))


def _security_context(reader: Reader, node: Node | None) -> SecurityContext | None:
    found = reader.mapping(node)
    if found is None:
        return None
    user, group = (reader.integer(found.get(key)) for key in ("runAsUser", "runAsGroup"))
    return SecurityContext(user, group, reader.boolean(found.get("runAsNonRoot")), found.span)


def _fixed(reader: Reader, entry: Entry | None) -> Name | None:
    """A text that is known before the task starts."""
    found = reader.name(entry.node) if entry is not None else None
    return found if found is None or not _has_reference(reader, found.text, found.span) else None


def _fixed_texts(reader: Reader, node: Node | None) -> dict[str, str]:
    found = {}
    for key, entry in reader.entries(node):
        text = reader.string(entry.node)
        if text is not None and not _has_reference(reader, text, entry.node.span):
            found[key] = text
    return found


def _has_reference(reader: Reader, text: str, span: Span) -> bool:
    if not references.has_reference(text):
        return False
    message = "KFP takes this from the package and cannot look a reference up"
    reader.fault("reference-not-allowed", message, span, "choose it with `{{ vars.… }}`")
    return True


def _amount(reader: Reader, entry: Entry | None) -> Name | None:
    """A quantity; a plain number becomes its text."""
    if entry is None:
        return None
    text = number_as_text(entry.node)
    return Name(text, entry.node.span) if text is not None else _fixed(reader, entry)


def number_as_text(node: Node | None) -> str | None:
    """A plain number as Kubernetes reads it in a quantity."""
    if not isinstance(node, Scalar) or isinstance(node.value, bool):
        return None
    return str(node.value) if isinstance(node.value, int | float) else None
