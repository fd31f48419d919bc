"""What may be deleted: what an environment keeps and protects, how much goes without a word, and what never does."""

from __future__ import annotations

import fnmatch
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from kfgit.plan.values import Delete, LiveObject, Plan, Replace, level

_PRUNE_KEYS = {"Experiment": "experiments", "Pipeline": "pipelines", "Schedule": "schedules", "Run": "runs"}

# What Kubernetes has on behalf of profiles.
_OTHERS = "profiles"

# What people call the documents that those come from.
_PROFILE = ("profile", "resourceprofile")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an environment says about deleting: `prune` by kind, and globs of what is protected.

    With the `prefix` that names have there, a document's name can be told from an object's.
    """

    prune: Mapping[str, str] = field(default_factory=dict)
    protect: tuple[str, ...] = ()
    prefix: str = ""

    def protects(self, live: LiveObject) -> bool:
        """Whether a glob names an object, by its own name or that of a document."""
        return any(fnmatch.fnmatchcase(name, glob) for name in addresses(live) for glob in self.protect)

    def documented(self, live: LiveObject) -> LiveObject:
        """With the name that its document had, where only the prefix can tell."""
        bare = live.name.removeprefix(self.prefix)
        return live if live.documents or bare == live.name else replace(live, documents=(bare,))

    def without_keeping(self) -> Rules:
        """The same, but that everything goes that is not protected."""
        return replace(self, prune=dict.fromkeys((*_PRUNE_KEYS.values(), _OTHERS), "delete"))


def addresses(live: LiveObject) -> frozenset[str]:
    """All that an object goes by, as `kind/name`: its own name, and those of its documents."""
    own = f"{live.kind.lower()}/{live.name}"
    kinds = (live.kind.lower(),) if level(live.kind) else _PROFILE
    return frozenset((own, *(f"{kind}/{name}" for kind in kinds for name in live.documents or (live.name,))))


def prune_key(kind: str) -> str:
    """What an environment's `prune` calls objects of a kind."""
    return _PRUNE_KEYS.get(kind, _OTHERS)


# So many objects may go without a word, and so large a part of what is owned.
FREE_DELETES = 3

FREE_SHARE = 0.2


def excess(plan: Plan) -> str | None:
    """What a plan deletes, where that is more than may go without confirmation; None for what may go."""
    deletes = sum(isinstance(change, Delete) for change in plan.changes)
    if deletes and not plan.wanted:
        return "everything"
    if deletes > max(FREE_DELETES, FREE_SHARE * plan.owned):
        return f"{deletes} of {plan.owned} objects"
    return None


# Kinds that hold data or serve traffic: what goes with one of them does not come back with the next apply.
PRECIOUS = frozenset({
    "ClusterQueue", "CustomResourceDefinition", "Deployment", "Experiment", "InferenceService", "Ingress", "LocalQueue",
    "Namespace", "PersistentVolume", "PersistentVolumeClaim", "Pipeline", "Secret", "Service", "StatefulSet",
})  # fmt: skip


def precious(plan: Plan, confirmed: Container[str] = ()) -> tuple[str, ...]:
    """What a plan deletes that must be confirmed one by one, and is not, as `kind/name`.

    Also what it deletes to make it anew. A document's name confirms as well as the object's own.
    """
    deleted = [
        change.live
        for change in plan.changes
        if isinstance(change, Delete) or (isinstance(change, Replace) and change.live.recreate)
    ]
    return tuple(
        f"{live.kind.lower()}/{live.name}"
        for live in deleted
        if live.kind in PRECIOUS and not any(name.lower() in confirmed for name in addresses(live))
    )
