"""What one process hands out to the attempts of all its runs: processors, memory and devices of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kfgit.backends.local.admission import Ask, asked
from kfgit.backends.local.devices import SHARED, Inventory
from kfgit.backends.local.machine import Capacity
from kfgit.backends.local.nvml import NVIDIA
from kfgit.ir import Package, Resource
from kfgit.plan import Lack

_UNITS = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_SHOWN = 4
WAY_OUT = "the environment says `gpu: require`, with `gpu: emulate` it would run with what there is"


@dataclass(frozen=True, slots=True)
class Room:
    """`require`: a task that asks for devices gets those or does not run. Else it runs with what comes nearest."""

    capacity: Capacity
    inventory: Inventory
    require: bool = False

    def within(self, ask: Ask) -> Ask:
        """What an attempt holds: no more than there is, so that everybody gets a turn."""
        resource = self.inventory.substitute(ask.resource) if ask.count else ""
        count = min(ask.count, self.inventory.count(resource)) if resource else 0
        return replace(ask.within(self.capacity), resource=resource if count else "", count=count)

    def notes(self, ask: Ask) -> Iterator[str]:
        """What a task that asks for this gets otherwise than on a cluster, one sentence each."""
        for text, more in (
            (f"{cores(self.capacity.cpu)}", ask.cpu > self.capacity.cpu),
            (f"{size(self.capacity.memory)} of memory", ask.memory > self.capacity.memory),
        ):
            if more:
                yield f"tasks may hold {text} together: one that asks for more waits until all of it is free"
        if ask.count and (note := self._devices_note(ask)) is not None:
            yield note

    def refusal(self, package: Package) -> str | None:
        """Why a package can never run here, where devices are required, and the way out."""
        found = self.missing(package)
        return refused(found) if found is not None else None

    def missing(self, package: Package) -> str | None:
        """What the tasks of a package ask for that is not here, where devices are required."""
        executors = (package.spec.get("deploymentSpec") or {}).get("executors") or {}
        found = [
            f"`{str(label).removeprefix('exec-')}` {lack}"
            for label, executor in executors.items()
            if (lack := self.lack(asked((executor.get("container") or {}).get("resources") or {})))
            is not None
        ]
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return f"{'; '.join(found[:_SHOWN])}{more}" if found else None

    def lacks(self, desired: Sequence[Resource]) -> Iterator[Lack]:
        """The runs and the enabled schedules among what is wanted that could only fail.

        What an older version asks for, that a schedule names, is not known here.
        """
        pipelines = {each.name: each.package for each in desired if each.kind == "Pipeline"}
        for each in desired:
            package = each.package if each.kind == "Run" else None
            if each.kind == "Schedule" and each.spec["enabled"]:
                newest = pipelines.get(str(each.spec["pipeline"]))
                is_newest = newest is not None and newest.digest[:12] == each.spec["version"]
                package = newest if is_newest else None
            missing = self.missing(package) if package is not None else None
            if missing is not None:
                yield Lack("", missing, WAY_OUT, each.kind, each.name)

    def lack(self, ask: Ask) -> str | None:
        """What of this is not here, where devices are required."""
        have = self.inventory.count(ask.resource) if self.require and ask.count else ask.count
        if have >= ask.count:
            return None
        there = f"{have}" if have else f"none{self._why(ask.resource)}"
        return f"asks for {ask.count} × {ask.resource}, and this machine has {there}"

    def _devices_note(self, ask: Ask) -> str | None:
        resource = f"`{ask.resource}`"
        have, instead = self.inventory.count(ask.resource), self.inventory.substitute(ask.resource)
        if have >= ask.count:
            return None
        if have:
            return f"this machine has {have} × {resource}: tasks that ask for more get what there is"
        return (
            f"this machine has no {resource}{self._why(ask.resource)}: tasks that ask for it {_gets(instead)}"
        )

    def _why(self, resource: str) -> str:
        if not resource.startswith(NVIDIA):
            return " that kfgit could hand out, only NVIDIA's devices"
        fault = self.inventory.found.fault
        return f" ({fault})" if fault else ""


def refused(lacks: str) -> str:
    """A refusal, with the way out."""
    return f"{lacks}; {WAY_OUT}"


def _gets(resource: str) -> str:
    match resource:
        case "":
            return "run without"
        case str() if resource == SHARED:
            return "share its GPUs"
        case _:
            return f"get `{resource}`"


def words(ask: Ask, lacking: frozenset[str]) -> str:
    """What somebody waits for: `8Gi of memory and 2 × nvidia.com/gpu`."""
    parts = [cores(ask.cpu)] if "cpu" in lacking else []
    parts += [f"{size(ask.memory)} of memory"] if "memory" in lacking else []
    parts += [f"{ask.count} × {ask.resource}"] if lacking - {"cpu", "memory"} else []
    return " and ".join(parts)


def cores(thousandths: int) -> str:
    """`2 cpus`, `0.5 cpus`."""
    return f"{thousandths / 1000:g} {'cpu' if thousandths == 1000 else 'cpus'}"


def size(count: int) -> str:
    """Bytes in Kubernetes' notation, to three digits: `8Gi`, `23.5Gi`."""
    unit, factor = next(((u, f) for u, f in _UNITS if count >= f), ("", 1))
    return f"{float(f'{count / factor:.3g}'):g}{unit}"
