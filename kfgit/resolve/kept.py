"""What a cluster keeps for a profile beside its tasks: queues, quotas, limits, classes of devices.

Each takes what the profile `extends` has: a queue key by key, the others as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from itertools import islice

from kfgit.document import Entry, Mapping
from kfgit.model import Claim, DeviceClass, LimitRange, Queue
from kfgit.resolve.reader import Reader

# As many resources as a ClusterQueue has for one flavor (Kueue, clusterqueue_types.go).
_MOST = 64


def queue(reader: Reader, spec: Mapping, base: Queue | None) -> Queue | None:
    """How Kueue admits tasks; None where no LocalQueue is named."""
    found = reader.mapping(spec.get("queue"))
    if found is None:
        return base
    base = base or Queue("")
    local = reader.string(found.get("localQueue")) or base.local
    if not local:
        return None

    def amounts(key: str, inherited: MappingOf[str, str]) -> MappingOf[str, str]:
        return _amounts(reader, found.entries.get(key)) if key in found.entries else inherited

    return Queue(
        local,
        reader.string(found.get("clusterQueue")) or base.cluster,
        reader.string(found.get("flavor")) or base.flavor,
        reader.string(found.get("cohort")) or base.cohort,
        amounts("borrowingLimit", base.borrowing_limit),
        amounts("lendingLimit", base.lending_limit),
        reader.string(found.get("strategy")) or base.strategy,
        amounts("preemption", base.preemption),
    )


def quota(reader: Reader, spec: Mapping, base: MappingOf[str, str]) -> MappingOf[str, str]:
    """What all tasks of a profile may hold together, by resource."""
    return _amounts(reader, spec.entries.get("quota")) if "quota" in spec.entries else base


def _amounts(reader: Reader, entry: Entry | None) -> MappingOf[str, str]:
    """Amounts by resource, of no more of them than a queue can have."""
    found = reader.texts(entry.node) if entry is not None else {}
    if entry is None or len(found) <= _MOST:
        return found
    message = f"{len(found)} resources are more than a queue or a quota of kfgit has: {_MOST}"
    reader.fault("quota-too-large", message, entry.key_span, "give each profile its own resources")
    return dict(islice(found.items(), _MOST))


def limit_range(reader: Reader, spec: Mapping, base: LimitRange | None) -> LimitRange | None:
    """What containers get or may have."""
    found = reader.mapping(spec.get("limitRange"))
    if found is None:
        return base
    amounts = (reader.texts(found.get(key)) for key in ("default", "defaultRequest", "min", "max"))
    return LimitRange(*amounts)


def device_class(reader: Reader, spec: Mapping, base: DeviceClass | None) -> DeviceClass | None:
    """A class of devices."""
    found = reader.mapping(spec.get("deviceClass"))
    name = reader.string(found.get("name")) if found is not None else None
    if found is None or name is None:
        return base
    return DeviceClass(
        name, reader.strings(found.get("selectors")), reader.string(found.get("extendedResourceName"))
    )


def claim(reader: Reader, spec: Mapping, name: str, base: Claim | None) -> Claim | None:
    """A template of claims; without a name of its own it has the profile's."""
    found = reader.mapping(spec.get("claim"))
    class_ = reader.string(found.get("deviceClass")) if found is not None else None
    if found is None or class_ is None:
        return base
    count = reader.integer(found.get("count"))
    return Claim(
        reader.string(found.get("name")) or name,
        class_,
        1 if count is None else count,
        reader.strings(found.get("selectors")),
    )
