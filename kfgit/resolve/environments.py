"""Environments: where they run, what they prune and protect, and what they ask for in vain."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kfgit.document import Mapping, Node, Scalar, at, plain
from kfgit.model import Environment, Name, Retention
from kfgit.resolve import policies
from kfgit.resolve.kinds import check_globs
from kfgit.resolve.reader import Reader
from kfgit.resolve.targets import check_target, cluster_target, without_effect
from kfgit.resolve.times import ZONE_HELP, is_zone
from kfgit.source import Span

_PRUNE = {
    "schedules": "delete",
    "profiles": "delete",
    "experiments": "keep",
    "pipelines": "keep",
    "runs": "keep",
}


def environment(
    reader: Reader, name: str, document: Mapping | None, span: Span, project: Mapping | None = None
) -> Environment:
    """An Environment; without a document it is the one named `local` that always exists.

    The project's policies hold where the environment says nothing of them.
    """
    common = at(project, ("spec", "policies")) if project is not None else None
    if document is None:
        return _ruled(reader, Environment(name, span, prune=_PRUNE), common, None)
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    target = reader.mapping(spec.get("target")) or Mapping({}, span)
    development = reader.string(spec.get("mode")) == "development"
    prefix = reader.string(spec.get("prefix"))
    prune = {**_PRUNE, **reader.texts(spec.get("prune"))}
    check_target(reader, target)
    if reader.string(target.get("type")) == "cluster":
        without_effect(reader, spec, ("gpu",), "cluster", "local")
    _check_environment(reader, spec)
    made = Environment(
        name,
        span,
        mode="development" if development else "production",
        prefix=(prefix if prefix is not None else f"{name}-") if development else "",
        target="cluster" if reader.string(target.get("type")) == "cluster" else "local",
        executor=reader.string(target.get("executor")) or "auto",
        # What is no text, as of a template that failed, was told; tasks are not to blame for it.
        profiles={
            key: Name(text if isinstance(text := plain(e.node), str) else "", e.node.span)
            for key, e in reader.entries(spec.get("profiles"))
        },
        prune=dict.fromkeys(prune, "keep") if development else prune,
        protect=reader.strings(spec.get("protect")),
        namespace=reader.string(target.get("namespace")),
        retention=retention(spec),
        cluster=cluster_target(spec),
        branch=reader.string(at(spec, ("git", "branch"))),
        promotes_from=reader.string(at(spec, ("git", "promotesFrom"))),
        require=reader.string(at(spec, ("git", "require"))),
        soak=reader.duration(at(spec, ("git", "soak"))),
        gpu=gpu(spec),
        capacity=capacity(spec),
    )
    return _ruled(reader, made, common, spec.get("policies"))


def _ruled(reader: Reader, made: Environment, common: Node | None, own: Node | None) -> Environment:
    """An environment with its policies: the project's, and over them its own."""
    both = {
        key: entry.node
        for node in (common, own)
        if isinstance(node, Mapping)
        for key, entry in node.entries.items()
    }
    lists = (node.get("rules") if isinstance(node, Mapping) else None for node in (common, own))
    return replace(
        made,
        policies={key: plain(node) for key, node in both.items()},
        freeze=policies.freeze(reader, both.get("freeze")),
        protected=policies.protected(reader, both.get("protected")),
        rules=policies.rules(reader, *lists),
    )


def retention(spec: Mapping) -> Retention:
    """Which ended runs an environment keeps, from the `spec` of its document."""
    reader = Reader()
    count, age = (at(spec, ("retention", "runs", key)) for key in ("count", "age"))
    return Retention(reader.integer(count), reader.duration(age))


def gpu(spec: Mapping) -> Literal["emulate", "require"]:
    """What a local target does for tasks that ask for devices it has not, from the `spec` of its document."""
    return "require" if Reader().string(spec.get("gpu")) == "require" else "emulate"


def capacity(spec: Mapping) -> dict[str, str]:
    """What the tasks of a local target may hold together, from the `spec` of its document."""
    return Reader().texts(at(spec, ("target", "capacity")))


def _check_environment(reader: Reader, spec: Mapping) -> None:
    """What the schema cannot say of an Environment: names of kinds and time zones."""
    check_globs(reader, spec.get("protect"))
    zone = at(spec, ("target", "kfp", "timezone"))
    if isinstance(zone, Scalar) and isinstance(zone.value, str) and zone.value and not is_zone(zone.value):
        reader.fault("unknown-timezone", f"there is no time zone `{zone.value}`", zone.span, ZONE_HELP)
