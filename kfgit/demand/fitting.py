"""Whether nodes can hold tasks of a profile, how many at once, and what keeps them out.

As kube-scheduler filters (NodeResourcesFit, NodeAffinity, TaintToleration, NodeUnschedulable), but of nodes without
other pods: what is allocatable counts, not what is free just now. Neither do a queue's quota and the small requests of
the containers that Argo puts beside the task's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfgit.graph import quantity
from kfgit.model import Profile

_BLOCKING = ("NoSchedule", "NoExecute")
_CORDON = "node.kubernetes.io/unschedulable"
# A node of a group that the provider or an autoscaler fills: another one may come when a pod wants it.
_GROWING = (
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool",
    "kubernetes.azure.com/agentpool",
)
# GKE has the admission plugin ExtendedResourceToleration: who asks for a device bears the taint of its name.
_TOLERATING = "cloud.google.com/gke-nodepool"


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}{f'={self.value}' if self.value else ''}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the scheduler sees it; `allocatable` are quantities by resource."""

    name: str
    allocatable: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a profile wants of a node: `words` stand after "nodes", `lacks` says what a node has instead."""

    words: str
    holds: Callable[[Node], bool]
    lacks: Callable[[Node], str]


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a profile finds among nodes: `fits` has the nodes that can hold it, and how many tasks each.

    `left` is how many nodes are left after each need and those before it; `nearest` is a node that lacks least.
    """

    profile: str
    nodes: int
    fits: Mapping[str, int]
    left: tuple[tuple[str, int], ...]
    nearest: tuple[str, tuple[str, ...]] | None
    grows: bool

    @property
    def tasks(self) -> int:
        """How many tasks can run at once, if nothing else does."""
        return sum(self.fits.values())

    def sentence(self) -> str:
        """One line, as `3 of 12 nodes fit, 12 tasks at once`."""
        if self.fits:
            many = "" if self.tasks == 1 else "s"
            return f"{len(self.fits)} of {_count(self.nodes)} fit, {self.tasks} task{many} at once"
        told = []
        for words, left in self.left:
            told.append(f"{left or 'none'} {words}")
            if not left:
                break
        return f"could run nowhere: of {_count(self.nodes)} {', '.join(told)}{self._nearest()}"

    def _nearest(self) -> str:
        if self.nearest is None or self.nodes < 2:
            return f" ({'; '.join(self.nearest[1])})" if self.nearest is not None else ""
        return f" (nearest is {self.nearest[0]}: {'; '.join(self.nearest[1])})"


def fitting(profile: Profile, nodes: Sequence[Node], elsewhere: frozenset[str] = frozenset()) -> Fitting:
    """What a profile finds among nodes; of the resources `elsewhere` no node says that it has them."""
    wanted = {name: amount for name, amount in _wanted(profile).items() if name not in elsewhere}
    needs = list(_needs(profile, wanted))
    lacking = {node.name: tuple(need for need in needs if not need.holds(node)) for node in nodes}
    fits = {node.name: _room(node, wanted) for node in nodes if not lacking[node.name]}
    # One that has all but little is nearer than one that has the wrong devices, which come first in `needs`.
    nearest = min(
        nodes,
        key=lambda node: (len(lacking[node.name]), [n in lacking[node.name] for n in needs]),
        default=None,
    )
    told = None
    if nearest is not None and not fits:
        told = nearest.name, tuple(need.lacks(nearest) for need in lacking[nearest.name])
    grows = any(label in node.labels for node in nodes for label in _GROWING)
    return Fitting(profile.name, len(nodes), fits, tuple(_funnel(needs, nodes)), told, grows)


def _funnel(needs: Sequence[Need], nodes: Sequence[Node]) -> Iterator[tuple[str, int]]:
    left = list(nodes)
    for need in needs:
        kept = [node for node in left if need.holds(node)]
        if len(kept) < len(left):
            yield need.words, len(kept)
        left = kept


def _count(nodes: int) -> str:
    return f"{nodes} node{'' if nodes == 1 else 's'}"


# --- what is wanted -----------------------------------------------------------------------------------------


def _wanted(profile: Profile) -> dict[str, float]:
    """What one task asks for: its requests, and its limits where it has no request (PodSpec's defaulting)."""
    resources = profile.resources
    told = {**resources.limits, **resources.requests}
    found = {name: quantity(told.get(name)) or 0.0 for name in ("cpu", "memory")}
    if resources.accelerator is not None:
        found[resources.accelerator.resource] = float(resources.accelerator.count)
    return {**{name: amount for name, amount in found.items() if name and amount > 0}, "pods": 1.0}


def _needs(profile: Profile, wanted: Mapping[str, float]) -> Iterator[Need]:
    """Devices first, since what a node is shows in them; then what is easier to change."""
    accelerator = profile.resources.accelerator
    device = accelerator.resource if accelerator is not None else ""
    if device in wanted:
        yield _device(device, int(wanted[device]))
    for key, value in profile.placement.node_selector.items():
        yield _label(key, value)
    terms = [term for term in profile.placement.affinity if "weight" not in term]
    if terms:
        yield Need(
            "that its affinity takes",
            lambda node: any(_term_holds(term, node) for term in terms),
            lambda node: _no_term(terms, node),
        )
    yield from _taints(profile, device)
    told = {**profile.resources.limits, **profile.resources.requests}
    for name in ("cpu", "memory"):
        if name in wanted:
            yield _amount(name, wanted[name], told[name])


def _device(name: str, count: int) -> Need:
    return Need(
        f"with {count} × {name}",
        lambda node: _has(node, name) >= count,
        lambda node: f"it has {_has(node, name):g} × {name}" if _has(node, name) else f"it has no {name}",
    )


def _amount(name: str, amount: float, text: str) -> Need:
    return Need(
        f"with {text} of {name}",
        lambda node: _has(node, name) >= amount,
        lambda node: f"it has {node.allocatable.get(name, '0')} of {name}",
    )


def _label(key: str, value: str) -> Need:
    return Need(
        f"with the label {key}={value}",
        lambda node: node.labels.get(key) == value,
        lambda node: (
            f"its label {key} is {node.labels[key]}" if key in node.labels else f"it has no label {key}"
        ),
    )


def _has(node: Node, name: str) -> float:
    return quantity(node.allocatable.get(name)) or 0.0


def _room(node: Node, wanted: Mapping[str, float]) -> int:
    """How many tasks a node can hold; one that does not say how many pods it takes is bounded by the others."""
    held = {name: amount for name, amount in wanted.items() if name != "pods" or "pods" in node.allocatable}
    # Three digits, as a Quantity of the API has: binary fractions would make 3 × 0.1 more than 0.3.
    return min(
        (round(_has(node, name) * 1000) // round(amount * 1000) for name, amount in held.items()), default=1
    )


# --- labels, fields and taints ------------------------------------------------------------------------------


def _term_holds(term: Mapping[str, Any], node: Node) -> bool:
    """A node selector term; one without requirements takes no node."""
    found = [(each, node.labels) for each in term.get("matchExpressions") or ()]
    found += [(each, {"metadata.name": node.name}) for each in term.get("matchFields") or ()]
    return bool(found) and all(_holds(requirement, labels) for requirement, labels in found)


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One requirement (apimachinery's labels.Requirement.Matches)."""
    value = labels.get(str(requirement.get("key")))
    values = [str(each) for each in requirement.get("values") or ()]
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            mine, other = _number(value), _number(values[0] if values else None)
            return (
                mine is not None
                and other is not None
                and (mine > other if operator == "Gt" else mine < other)
            )
        case _:
            return False


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _no_term(terms: Sequence[Mapping[str, Any]], node: Node) -> str:
    if len(terms) > 1:
        return "none of its affinity's terms holds"
    unmet = [
        requirement
        for requirement in terms[0].get("matchExpressions") or ()
        if not _holds(requirement, node.labels)
    ]
    if not unmet:
        return "its affinity does not hold"
    told = unmet[0]
    values = ", ".join(str(each) for each in told.get("values") or ())
    has = node.labels.get(str(told.get("key")))
    is_now = f"is {has}" if has is not None else "is not there"
    return f"its label {told.get('key')} {is_now} (wanted: {told.get('operator')}{f' {values}' if values else ''})"


def _taints(profile: Profile, device: str) -> Iterator[Need]:
    def borne(taint: Taint, node: Node) -> bool:
        given = taint.key == device and _TOLERATING in node.labels
        return given or any(_tolerates(each, taint) for each in profile.placement.tolerations)

    def repelling(node: Node) -> list[Taint]:
        cordon = [Taint(_CORDON, "", "NoSchedule")] if node.unschedulable else []
        found = dict.fromkeys((*node.taints, *cordon))
        return [taint for taint in found if taint.effect in _BLOCKING and not borne(taint, node)]

    yield Need(
        "whose taints it tolerates",
        lambda node: not repelling(node),
        lambda node: f"it does not tolerate {', '.join(str(taint) for taint in repelling(node))}",
    )


def _tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Kubernetes' Toleration.ToleratesTaint; no key with `Exists` bears all, no effect every effect."""
    effect, key = toleration.get("effect") or "", toleration.get("key") or ""
    if effect not in ("", taint.effect) or key not in ("", taint.key):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(key) and str(toleration.get("value") or "") == taint.value
