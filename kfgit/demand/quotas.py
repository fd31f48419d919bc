"""What a cluster gives out to the tasks of an environment, by the quotas that its profiles say.

A ResourceQuota counts all pods of the namespace, whatever their profile is. A ClusterQueue counts the tasks that come
to it by its LocalQueues; those that fit on one of its flavors only have what that flavor has. In a cohort it borrows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from typing import TypeAlias

from kfgit.graph.quantities import exact
from kfgit.graph.sharing import AMOUNTS, Wish, groups, is_too_large, place, wishes
from kfgit.model import Profile, Project
from kfgit.source import Span

Amount: TypeAlias = Fraction | float

# Of a queue with more profiles and labels of flavors than that nobody waits to hear which fit on which: all on all.
_MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class Quota:
    """What tasks may hold of a `resource`: `most` together and `largest` in one of them; infinite where they borrow.

    `queue` is the ClusterQueue that has it, where one does; `said` is the amount as it was written, `profiles` are
    those whose tasks it binds, and None for all of the namespace.
    """

    resource: str
    most: Amount
    largest: Amount
    said: str
    owner: str
    span: Span
    queue: str | None = None
    profiles: frozenset[str] | None = None

    def binds(self, profile: Profile | None) -> bool:
        """Whether a task with that profile, or with none, counts."""
        return self.profiles is None or (profile is not None and profile.name in self.profiles)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of an environment by resource and ClusterQueue, the tightest first; None is the namespace itself.

    `covered` has the resources of each ClusterQueue, `queues` the ClusterQueue of each LocalQueue.
    """

    by: Mapping[tuple[str, str | None], tuple[Quota, ...]] = field(default_factory=dict)
    covered: Mapping[str, frozenset[str]] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Quota, ...]:
        """Every quota."""
        return tuple(quota for quotas_ in self.by.values() for quota in quotas_)

    def queue_of(self, profile: Profile | None) -> str | None:
        """The ClusterQueue that the tasks of a profile come to, if its quotas are known."""
        if profile is None or profile.queue is None:
            return None
        found = self.queues.get(profile.queue.local)
        return found if found in self.covered else None


def quotas(project: Project) -> Quotas:
    """What the cluster of an environment gives out; nothing on a local target, which keeps no quotas."""
    if project.environment.cluster is None or not any(p.quota for p in project.profiles.values()):
        return Quotas()
    said: dict[tuple[str, str], list[Wish]] = {}
    for wish in wishes(project):
        said.setdefault((wish.kind, wish.name), []).append(wish)
    queues = {name: str(found[0].value) for (kind, name), found in said.items() if kind == "LocalQueue"}
    members: dict[str, list[Profile]] = {}
    for profile in project.profiles.values():
        if profile.queue is not None and profile.queue.local in queues:
            members.setdefault(queues[profile.queue.local], []).append(profile)
    by: dict[tuple[str, str | None], list[Quota]] = {}
    for quota in _of_namespace(project, said):
        # They all hold, so the tightest decides.
        tightest = by.setdefault((quota.resource, None), [quota])
        tightest[:] = [min(tightest[0], quota, key=lambda each: each.most)]
    covered: dict[str, frozenset[str]] = {}
    for (kind, name), found in said.items():
        if kind == "ClusterQueue":
            queue = _queue(project, name, found, said)
            if is_too_large(queue.quota):
                continue  # which is told; Kueue would not take it
            covered[name] = frozenset(queue.flavors)
            for quota in _of_queue(queue, members.get(name, [])):
                by.setdefault((quota.resource, name), []).append(quota)
    ordered = {key: tuple(sorted(found, key=lambda quota: quota.most)) for key, found in by.items()}
    return Quotas(ordered, covered, queues)


def _of_namespace(project: Project, said: Mapping[tuple[str, str], Sequence[Wish]]) -> Iterator[Quota]:
    for (kind, _), found in said.items():
        for wish in found if kind == "ResourceQuota" else ():
            amount = exact(wish.value)
            if amount is not None:
                owner = f"the quota of the profile `{wish.profile.name}`"
                span = place(project, wish.profile, wish.path)
                # `requests.nvidia.com/gpu` is what `nvidia.com/gpu` becomes there.
                resource = wish.part[1].removeprefix("requests.")
                yield Quota(resource, amount, amount, wish.value, owner, span)


# --- ClusterQueues


_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Queue:
    """A ClusterQueue: amounts by flavor and resource, the labels of each flavor's nodes.

    `flavors` are those that a resource is taken from: of its resource group, which hangs together by resources.
    """

    name: str
    quota: Mapping[_Pair, str]
    borrowing: Mapping[_Pair, str]
    is_in_cohort: bool
    labels: Mapping[str, Mapping[str, str]]
    spans: Mapping[_Pair, Span]
    flavors: Mapping[str, tuple[str, ...]]

    def amount(self, flavor: str, resource: str) -> Amount:
        """What one flavor gives, with what it may borrow: in a cohort without a limit that has no end."""
        own = exact(self.quota.get((flavor, resource))) or Fraction(0)
        if not self.is_in_cohort:
            return own
        most = exact(self.borrowing.get((flavor, resource)))
        return inf if most is None else own + most

    def told(self, resource: str, flavors: Collection[str]) -> str:
        """The amount as it is written: of several flavors each one."""
        quotas_ = [self.quota[f, resource] for f in sorted(flavors) if (f, resource) in self.quota] or ["0"]
        borrowed = [self.borrowing[f, resource] for f in sorted(flavors) if (f, resource) in self.borrowing]
        return " + ".join(quotas_) + (f", and may borrow {' + '.join(borrowed)}" if borrowed else "")


def _queue(
    project: Project, name: str, found: Sequence[Wish], said: Mapping[tuple[str, str], Sequence[Wish]]
) -> _Queue:
    amounts: dict[str, dict[_Pair, str]] = {part: {} for part in AMOUNTS}
    spans: dict[_Pair, Span] = {}
    for wish in found:
        if wish.part[0] in amounts and exact(wish.value) is not None:
            pair = wish.part[1], wish.part[2]
            amounts[wish.part[0]].setdefault(pair, wish.value)
            if wish.part[0] == "quota":
                spans.setdefault(pair, place(project, wish.profile, wish.path))
    quota = amounts["quota"]
    labels = {flavor: _labels(said.get(("ResourceFlavor", flavor), ())) for flavor, _ in quota}
    in_cohort = any(wish.part == ("cohort",) and wish.value is not None for wish in found)
    return _Queue(name, quota, amounts["borrowingLimit"], in_cohort, labels, spans, _groups(quota))


def _labels(found: Sequence[Wish]) -> Mapping[str, str]:
    return next((wish.value for wish in found if wish.part == ("nodeLabels",) and wish.value), {})


def _groups(pairs: Collection[_Pair]) -> Mapping[str, tuple[str, ...]]:
    """Of each resource the flavors that hang together with it, directly or by way of others."""
    return {
        resource: tuple(sorted(flavors)) for flavors, resources in groups(pairs) for resource in resources
    }


def _of_queue(queue: _Queue, members: Sequence[Profile]) -> Iterator[Quota]:
    """Of each resource what all members have together, and what those have that fit on some flavors only."""
    owner = f"the ClusterQueue `{queue.name}`"
    sharing = {flavors: tuple(_sharing(queue, flavors, members)) for flavors in set(queue.flavors.values())}
    for resource, flavors in queue.flavors.items():
        for some, bound in sharing[flavors]:
            each = [queue.amount(flavor, resource) for flavor in some]
            spans = [queue.spans[flavor, resource] for flavor in some if (flavor, resource) in queue.spans]
            place_ = min(spans or queue.spans.values())
            told = queue.told(resource, some)
            yield Quota(resource, sum(each), max(each), told, owner, place_, queue.name, bound)


def _sharing(
    queue: _Queue, flavors: tuple[str, ...], members: Sequence[Profile]
) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Sets of flavors, and the profiles whose tasks fit on no others."""
    every = frozenset(flavors)
    labels = sum(1 + len(queue.labels[flavor]) for flavor in flavors)
    if len(members) * labels > _MOST_PAIRS:
        yield every, frozenset(profile.name for profile in members)
        return
    usable = {profile.name: _usable(queue, profile, flavors) for profile in members}
    for some in dict.fromkeys((every, *usable.values())):
        if some:
            yield some, frozenset(name for name, fit in usable.items() if fit and fit <= some)


def _usable(queue: _Queue, profile: Profile, flavors: Sequence[str]) -> frozenset[str]:
    """The flavors whose nodes a profile's selector allows; of its labels those count that any flavor has.

    So Kueue's flavor assigner does it. Affinity may rule out more.
    """
    keys = {key for flavor in flavors for key in queue.labels[flavor]}
    wanted = {key: value for key, value in profile.placement.node_selector.items() if key in keys}
    return frozenset(flavor for flavor in flavors if wanted.items() <= queue.labels[flavor].items())
