"""The limits of an attempt: what it may take of memory and processors, and what is said of one that took more.

A process of this machine gets them from a control group, where kfgit can make one (`cgroups`), a container from docker
or podman. Whoever takes more memory is killed, with all its processes, as on a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kfgit.backends.local import launcher
from kfgit.backends.local.cgroups import UNLIMITED, Groups, Limits, Place
from kfgit.backends.local.containers import Engine, ability
from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker import entering
from kfgit.backends.local.worker.settings import Attempt
from kfgit.graph import quantity

_GIGABYTE = 1_000_000_000
_UNITS = {"Ti": 1 << 40, "Gi": 1 << 30, "Mi": 1 << 20, "Ki": 1 << 10}
_KILLED = 137  # 128 and SIGKILL, as a shell and a container tell it


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in bytes or cores, and as it was written."""

    amount: float
    text: str


def limit(command: Execute, name: str) -> Limit | None:
    """The limit of `cpu` or `memory`, in either of the forms that KFP reads (pipeline_spec.proto, ResourceSpec)."""
    resources = command.executor.get("resources") or {}
    told, number = resources.get(f"resource{name.capitalize()}Limit"), resources.get(f"{name}Limit")
    if isinstance(told, str) and told:
        text = launcher.fill(told, _inputs(command))
        found = quantity(text)
        if found is not None and found > 0:
            return Limit(found, text)
    if isinstance(number, int | float) and number > 0:
        return Limit(number, f"{number:g}") if name == "cpu" else _bytes(round(number * _GIGABYTE))
    return None


def _inputs(command: Execute) -> Mapping[str, str]:
    """A limit may be an input of the task."""
    return {
        f"{{{{$.inputs.parameters['{name}']}}}}": launcher.text_of(value)
        for name, value in command.parameters.items()
    }


def _bytes(count: int) -> Limit:
    for unit, size in _UNITS.items():
        if count % size == 0:
            return Limit(count, f"{count // size}{unit}")
    return Limit(count, f"{count / _GIGABYTE:g}G")


def limits(command: Execute) -> Limits:
    """The limits of an attempt in whole bytes and thousandths of a processor."""
    memory, cpu = limit(command, "memory"), limit(command, "cpu")
    return Limits(
        None if memory is None else max(1, int(memory.amount)),
        None if cpu is None else max(1, round(cpu.amount * 1000)),
    )


@dataclass(frozen=True, slots=True)
class Bound:
    """An attempt within its limits; `before` stands before its program."""

    before: tuple[str, ...] = ()
    groups: Groups | None = None
    folder: str = ""
    memory: Limit | None = None

    def told(self, code: int) -> str | None:
        """What is said of an attempt that ended with this code because memory ran out; None where it did not."""
        found = self.groups.killed(self.folder) if self.groups is not None else None
        number = code if code >= 0 else 128 - code
        if found is None:
            return None
        if found == "by its limit" and self.memory is not None:
            return f"OOMKilled: it used more than its limit of {self.memory.text} (exit code {number})"
        return f"it was killed because this machine ran out of memory (exit code {number})"


@dataclass(frozen=True, slots=True)
class ContainerBound:
    """An attempt in a container, whose client does not tell why it was killed."""

    memory: Limit | None
    before: tuple[str, ...] = ()

    def told(self, code: int) -> str | None:
        """See `Bound.told`."""
        if code != _KILLED or self.memory is None:
            return None
        limit = self.memory.text
        return f"it was killed (exit code {_KILLED}), as one is that uses more than its limit of {limit} of memory"


@contextmanager
def bounded(attempt: Attempt, uid: str) -> Iterator[Bound]:
    """A control group for a process with limits, where that can be; what is left in it dies at the end."""
    groups, wanted = attempt.settings.groups, limits(attempt.command)
    place = groups.place() if wanted != UNLIMITED else None
    if not isinstance(place, Place):
        yield Bound()
        return
    possible = Limits(
        wanted.memory if "memory" in place.controllers else None,
        wanted.cpu if "cpu" in place.controllers else None,
    )
    try:
        folder = groups.make(place, uid, possible)
    except OSError as fault:
        raise TaskFailure(f"its limits cannot be set: {fault.strerror}") from fault
    try:
        before = (str(attempt.settings.python), "-I", "-S", entering.__file__, folder)
        yield Bound(before, groups, folder, limit(attempt.command, "memory"))
    finally:
        groups.end(folder)


def limit_notes(command: Execute, groups: Groups, engine: Engine | None) -> Iterator[str]:
    """Which limits have no effect on a process of this machine, or in a container of an engine, and why."""
    wanted = limits(command)
    if wanted == UNLIMITED:
        return
    if engine is not None:
        can = ability(engine)
        if wanted.memory is not None and not can.memory:
            yield f"memory limits are not enforced: {engine.tool} cannot here"
        if wanted.cpu is not None and not can.cpu:
            yield f"cpu limits are not enforced: {engine.tool} cannot here"
        return
    place = groups.place()
    lacking = {"memory", "cpu"} - (place.controllers if isinstance(place, Place) else frozenset())
    if wanted.memory is not None and "memory" in lacking:
        why = f": {place.why}" if not isinstance(place, Place) else ""
        yield f"memory limits are not enforced{why}"
    if wanted.cpu is not None and "cpu" in lacking:
        yield "cpu limits are not enforced"
