"""Profiles: that the names of them mean one, that KFP can pass on what tasks get of them, and that they make sense."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from kfgit.diagnostics import did_you_mean
from kfgit.graph.checker import Checker
from kfgit.graph.nodes import SHARED, Clash, Pod, clashes
from kfgit.graph.quantities import bytes_problem, container_problem, is_above, total_problem
from kfgit.model import LimitRange, Name, Path, Profile, Queue
from kfgit.source import Span

# What a ResourceQuota knows beside extended resources, which have a domain (kubernetes pkg/apis/core/helper).
_COMPUTE = frozenset({"cpu", "memory", "ephemeral-storage", "ephemeralStorage", "storage"})
_SHOWN = 4
_OBJECTS = frozenset(
    "pods services secrets configmaps persistentvolumeclaims resourcequotas replicationcontrollers "
    "services.nodeports services.loadbalancers".split()
)


# An int64 (pipeline_spec.proto, AcceleratorConfig).
_MOST_DEVICES = 2**63 - 1


class ProfileChecker(Checker):
    """Checks of profiles and of their names."""

    def named_profile(self, name: Name) -> None:
        """The profile that a task or `defaults` names."""
        environment = self.project.environment
        mapped = environment.profiles.get(name.text)
        found = self.project.profiles.get((mapped or name).text)
        if found is not None:
            self._expressible(found)
        elif mapped is not None:
            self.concrete_profile(mapped)
        elif ("ResourceProfile", name.text) not in self.project.faulty:
            message = f"there is no profile `{name.text}` here"
            self.fault("unknown-profile", message, name.span, self._way_to(name.text))

    def _way_to(self, name: str) -> str:
        if others := self.project.elsewhere.mapped.get(name):
            verb = "say" if len(others) > 1 else "says"
            return f"{_some(others)} {verb} what it means: add `profiles: {{{name}: …}}` to {self._home()}"
        known = [*self.project.profiles, *self.project.environment.profiles]
        help_ = did_you_mean(name, known, what="profiles")
        if help_.startswith("did you mean"):
            return help_
        return f"say what it means in the environment's `profiles: {{{name}: …}}`, or name another; {help_}"

    def _home(self) -> str:
        environment = self.project.environment
        file = environment.span.file
        written = f"environments/{environment.name}/environment.yaml" if file == "kfgit.yaml" else file
        return f"the environment `{environment.name}` ({written})"

    def concrete_profile(self, name: Name) -> None:
        """What an environment says that a logical profile is."""
        if not name.text or name.text in self.project.profiles:
            return
        if ("ResourceProfile", name.text) in self.project.faulty:
            return
        help_ = did_you_mean(name.text, self.project.profiles, what="profiles")
        if name.text in self.project.environment.profiles:
            help_ = f"`{name.text}` is itself a name that is mapped: write the ResourceProfile that it means; {help_}"
        self.fault("unknown-profile", f"there is no ResourceProfile `{name.text}`", name.span, help_)

    def _expressible(self, profile: Profile) -> None:
        """A task of KFP has no field for some things."""
        for each in profile.cluster_only if self.project.environment.target == "cluster" else ():
            message = f"a KFP task cannot have `{each.text}`, which the profile `{profile.name}` asks for"
            self.fault("not-supported", message, each.span, _way_out(profile, each.text))

    def profile(self, profile: Profile) -> None:
        """A profile by itself; what it only inherits is told where it is written."""
        self._partial(profile)
        for path, message, help_ in _amounts(profile):
            self.fault("bad-quantity", message, profile.said[path], help_)
        for path, name, _ in _totals(profile):
            if not _is_counted(name) and path in profile.said:
                message = f"`{name}` is no resource that a quota counts"
                help_ = "devices have a domain, such as `nvidia.com/gpu`; the others are `cpu`, `memory`, `pods` …"
                self.fault("unknown-resource", message, profile.said[path], help_)
        self._names(profile)
        if profile.limit_range is not None:
            self._limit_range(profile, profile.limit_range)
        if profile.queue is not None:
            self._queue(profile, profile.queue)
        pod = pod_of(profile)
        # What is large is looked at where it is said, and not again for each that extends it.
        for clash in clashes(pod) if profile.extends is None or not pod.is_large else ():
            self.clash(clash, *(profile.said[path] for path in clash.about if path in profile.said))

    def _names(self, profile: Profile) -> None:
        """Names that Kubernetes keeps for itself, or does not take (pkg/apis/{scheduling,resource}/validation)."""
        name = profile.device_class.extended_resource if profile.device_class is not None else None
        place = profile.said.get(("deviceClass", "extendedResourceName"))
        if name is not None and place is not None and (why := _no_extended_name(name)):
            message = f"`{name}` is no name of an extended resource: {why}"
            example = f"gpu.example.com/{name.rpartition('/')[2]}"
            self.fault("unknown-resource", message, place, f"write a name such as `{example}`")
        place = profile.said.get(("priority", "class"))
        is_kept = profile.priority_value is not None and profile.queue is None
        if place is not None and is_kept and (profile.placement.priority or "").startswith("system-"):
            message = "names of priority classes that begin with `system-` are Kubernetes' own"
            self.fault("reserved-name", message, place, "name it otherwise, or leave `value` out")

    def clash(self, clash: Clash, *spans: Span, also: str = "") -> None:
        """Tells of a clash at the first of its places; without any it is told of what it was taken from."""
        if spans:
            tell = self.fault if clash.severity == "error" else self.warn
            tell(clash.code, also + clash.message, spans[0], clash.help)

    def _partial(self, profile: Profile) -> None:
        accelerator = profile.resources.accelerator
        if accelerator is None or accelerator.resource or accelerator.span is None:
            return
        if profile.says("accelerator"):
            help_ = "add `resource`, such as `nvidia.com/gpu`, or extend a profile that has one"
            self.fault("missing-key", "`resource` is missing in `accelerator`", accelerator.span, help_)

    def _limit_range(self, profile: Profile, limits: LimitRange) -> None:
        """Kubernetes wants them in this order (pkg/apis/core/validation, ValidateLimitRange)."""
        rising = [(word, limits.by_key[word]) for word in ("min", "defaultRequest", "default", "max")]
        for name in sorted({name for _, amounts in rising for name in amounts}):
            given = [(word, amounts[name]) for word, amounts in rising if name in amounts]
            for (lower, least), (upper, most) in pairwise(given):
                paths = [("limitRange", word, name) for word in (lower, upper)]
                spans = [profile.said[path] for path in paths if path in profile.said]
                if is_above(least, most) and spans:
                    message = f"`{lower}` of {name} ({least}) is above its `{upper}` ({most})"
                    help_ = "they rise from `min` over `defaultRequest` and `default` to `max`"
                    self.fault("bad-limit-range", message, spans[-1], help_)

    def _queue(self, profile: Profile, queue: Queue) -> None:
        """Some keys are of a ClusterQueue, and none lends more than it has (Kueue, clusterqueue_webhook.go)."""
        beyond = ("cohort", "borrowingLimit", "lendingLimit", "strategy", "preemption")
        for key in beyond if queue.cluster not in self._kept else ():
            spans = [span for path, span in profile.said.items() if path[:2] == ("queue", key)]
            if spans and queue.cluster is None:
                message = f"`{key}` is of a ClusterQueue, and the profile names none"
                self.fault("queue-without-cluster-queue", message, spans[0], "add `clusterQueue`")
            elif spans and key != "lendingLimit" and self.project.environment.target == "cluster":
                message = (
                    f"`{key}` has no effect: the ClusterQueue `{queue.cluster}` has a quota from no profile"
                )
                help_ = "add `quota`, with which kfgit keeps the ClusterQueue, or leave this to who keeps it"
                self.warn("queue-without-quota", message, spans[0], help_)
        for name, amount in queue.lending_limit.items():
            path = ("queue", "lendingLimit", name)
            quota = profile.quota.get(name) or self._elsewhere_said(queue, name)
            if path in profile.said and is_above(amount, quota) and total_problem(name, amount) is None:
                message = f"the queue lends more {name} ({amount}) than its quota ({quota})"
                help_ = "lower `lendingLimit`, or raise the quota"
                self.fault("lending-above-quota", message, profile.said[path], help_)

    @cached_property
    def _kept(self) -> frozenset[str | None]:
        """The ClusterQueues that have a quota, and so are kept."""
        profiles = self.project.profiles.values()
        return frozenset(each.queue.cluster for each in profiles if each.queue and each.quota) - {None}

    def _elsewhere_said(self, queue: Queue, name: str) -> str | None:
        """Nothing, where no profile of the ClusterQueue has a quota for it; None where one has."""
        beside = (each.quota for each in self.project.profiles.values() if _is_of(each, queue))
        return None if any(name in quota for quota in beside) else "0"


def _no_extended_name(name: str) -> str | None:
    """Why a resource is none that devices can have (pkg/apis/core/helper, IsExtendedResourceName)."""
    if "/" not in name:
        return "it has no domain"
    own = "kubernetes.io/" in name or name.startswith("requests.")
    return "`kubernetes.io/` and `requests.` are Kubernetes' own" if own else None


def _is_of(profile: Profile, queue: Queue) -> bool:
    return profile.queue is not None and profile.queue.cluster == queue.cluster


def _some(names: Sequence[str]) -> str:
    *shown, last = [f"`{name}`" for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        return f"{', '.join([*shown, last])} and {len(names) - _SHOWN} more"
    return f"{', '.join(shown)} and {last}" if shown else last


def _way_out(profile: Profile, key: str) -> str:
    """How a task gets what KFP cannot pass on."""
    match key:
        case "priority":
            return "give the profile a `queue`, whose priority KFP can pass on"
        case "claim":
            device = profile.device_class
            name = device.extended_resource if device is not None else None
            if name is not None:
                return f"ask for it as `accelerator: {{resource: {name}}}`, and leave the claim to other profiles"
            return (
                "give the DeviceClass an `extendedResourceName`, and ask for that as `accelerator.resource`"
            )
        case _:
            return (
                "mount a volume with `kubernetes.ephemeralVolumes`, or let a `limitRange` say what containers "
                "get of the node's disk"
            )


def _amounts(profile: Profile) -> Iterator[tuple[Path, str, str]]:
    """The amounts beside `requests` and `limits` that it says itself and nobody can have meant."""
    shared = profile.placement.shared_memory
    if shared is not None and SHARED in profile.said and (found := bytes_problem("shared memory", shared)):
        yield SHARED, *found
    device, count = profile.resources.accelerator, ("accelerator", "count")
    if device is not None and count in profile.said and device.count > _MOST_DEVICES:
        yield count, "these are more devices than KFP counts", "write how many a task has, such as `1`"
    limits = profile.limit_range or LimitRange()
    for word, amounts in limits.by_key.items():
        for name, amount in amounts.items():
            place = ("limitRange", word, name)
            if place in profile.said and (found := container_problem(name, amount)):
                yield place, *found
    for path, name, amount in _totals(profile):
        if path in profile.said and (found := total_problem(_counted(name), amount)):
            yield path, *found


def _totals(profile: Profile) -> Iterator[tuple[Path, str, str]]:
    """Amounts of many tasks together: where they stand, of what, and how much."""
    queue = profile.queue or Queue("")
    yield from ((("quota", name), name, amount) for name, amount in profile.quota.items())
    for key, amounts in (("borrowingLimit", queue.borrowing_limit), ("lendingLimit", queue.lending_limit)):
        yield from ((("queue", key, name), name, amount) for name, amount in amounts.items())


def _counted(name: str) -> str:
    """What a quota counts, without saying of what: `requests.memory` are bytes as `memory` is."""
    return name.removeprefix("requests.").removeprefix("limits.")


def _is_counted(name: str) -> bool:
    """Of devices and volumes a quota takes requests alone (kubernetes pkg/quota/v1/evaluator/core)."""
    if name.startswith("limits."):
        return _counted(name) in _COMPUTE - {"storage"}
    return (
        "/" in name
        or _counted(name) in _COMPUTE
        or _counted(name).startswith("hugepages-")
        or name in _OBJECTS
    )


def pod_of(profile: Profile) -> Pod:
    """What the pod of a task with nothing but this profile asks for."""
    placement = profile.placement
    return Pod(
        profile.resources,
        placement.node_selector,
        placement.affinity,
        placement.tolerations,
        placement.shared_memory,
    )
