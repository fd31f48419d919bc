"""What a pipeline says of its whole run: its workspace, its deadline, and how long what it leaves is kept.

The schema lets through of a claim what KFP's server takes (backend/src/v2/compiler/argocompiler/argo.go,
convertStructToPVCSpec).
"""

from __future__ import annotations

from kfgit.diagnostics import nearest
from kfgit.document import Mapping, Node
from kfgit.model import RunPolicy, Workspace
from kfgit.resolve.reader import Reader
from kfgit.source import Span

ROOT_ONLY = ("workspace", "pipelineRoot", "ttl", "activeDeadline")
# An int32 in KFP (api/v2alpha1/pipeline_spec.proto, PipelineConfig).
_MOST_SECONDS = 2**31 - 1


def run_policy(reader: Reader, spec: Mapping) -> RunPolicy:
    """The settings of a pipeline's spec that belong to a run as a whole."""
    meant = (entry for key, entry in reader.strays_in(spec) if nearest(key, ("workspace",)))
    workspace = spec.entries.get("workspace") or next(meant, None)
    spec = reader.without_strays(spec)
    ttl = reader.without_strays(reader.mapping(spec.get("ttl")) or Mapping({}, spec.span))
    kept = {name: _seconds(reader, f"ttl.{name}", entry.node) for name, entry in ttl.entries.items()}
    return RunPolicy(
        _workspace(reader, workspace.node, workspace.key_span) if workspace is not None else None,
        {name: seconds for name, seconds in kept.items() if seconds is not None},
        _seconds(reader, "activeDeadline", spec.get("activeDeadline")),
        {name: spec.entries[name].key_span for name in ROOT_ONLY if name in spec.entries},
    )


def _workspace(reader: Reader, node: Node, span: Span) -> Workspace:
    """A faulty or misspelt one is a workspace, too: who reads its path is not to blame."""
    found = reader.without_strays(reader.mapping(node) or Mapping({}, span))
    size = reader.texts(Mapping({k: e for k, e in found.entries.items() if k == "size"}, span)).get(
        "size", ""
    )
    kubernetes = reader.mapping(found.get("kubernetes"))
    patch = reader.mapping(kubernetes.get("pvcSpecPatch")) if kubernetes is not None else None
    return Workspace(size, span, reader.plain(reader.without_strays(patch)) if patch is not None else {})


def _seconds(reader: Reader, what: str, node: Node | None) -> int | None:
    """A time that KFP can hold; what is none at all is told, since KFP would take it for not given."""
    seconds = reader.duration(node)
    if seconds is None or node is None:
        return None
    if seconds == 0:
        message = f"`{what}` is no time at all, which KFP takes for not given"
        reader.fault("bad-duration", message, node.span, "leave it out, or write at least `1s`")
        return None
    if seconds > _MOST_SECONDS:
        message = f"`{what}` is longer than the {_MOST_SECONDS // 86400} days that KFP can count"
        reader.fault("bad-duration", message, node.span, "leave it out, or write less")
        return None
    return seconds
