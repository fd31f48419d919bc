"""What `doctor` says of a local environment's machine: what tasks may hold of it, and which ask for more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from kfgit.backend import Finding
from kfgit.cli.local import local_settings

if TYPE_CHECKING:
    from kfgit.backends.local.admission import Ask
    from kfgit.backends.local.room import Room
    from kfgit.driver import Checkout, Repository
    from kfgit.model import Resources

_SHOWN = 3


def gpus() -> Finding:
    """The devices that tasks of this machine can be given."""
    from kfgit.backends.local import nvml
    from kfgit.backends.local.room import size

    found = nvml.find(os.environ.get("CUDA_VISIBLE_DEVICES"))
    if found.fault:
        return Finding("gpus", "note", found.fault, "look what `nvidia-smi` says; tasks run without GPUs")
    if not found.devices:
        return Finding("gpus", "ok", "none of NVIDIA's is to be seen; tasks run without")
    each = [f"{device.model}, {size(device.memory)} ({device.resource})" for device in found.devices]
    told = ", ".join(f"{each.count(one)} × {one}" for one in dict.fromkeys(each))
    return Finding("gpus", "ok", f"{told}; driver {found.driver}")


def room(repository: Repository, checkout: Checkout, *, sound: bool) -> Iterator[Finding]:
    """What the tasks of a local environment may hold together, and those that ask for more than that."""
    from kfgit.backends.local.room import cores, size

    environment = checkout.project.project.environment
    here = local_settings(repository, environment.name, environment).room()
    has = f"{cores(here.capacity.cpu)} and {size(here.capacity.memory)} of memory for tasks at once"
    yield Finding("capacity", "ok", has)
    if sound:
        yield from _beyond(here, list(_asks(checkout)))


def _beyond(here: Room, asks: list[tuple[str, Ask]]) -> Iterator[Finding]:
    """What is asked for and not here: the tasks of each sentence together."""
    lacks = [(lack, path) for path, ask in asks if (lack := here.lack(ask)) is not None]
    for lack, paths in _together(lacks):
        help_ = "`gpu: emulate` in the environment runs them with what there is"
        each = "each of " if ", " in paths else ""
        yield Finding("capacity", "problem", f"{each}{paths} {lack} (`gpu: require`)", help_)
    notes = [(note, path) for path, ask in asks if here.lack(ask) is None for note in here.notes(ask)]
    for note, paths in _together(notes):
        help_ = "map the profile to a smaller one in this environment, or say `target.capacity`"
        yield Finding("capacity", "note", f"{note} ({paths})", help_ if "hold" in note else None)


def _together(told: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    by_text: dict[str, list[str]] = {}
    for text, path in told:
        by_text.setdefault(text, []).append(path)
    for text, paths in by_text.items():
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        yield text, f"{', '.join(f'`{path}`' for path in paths[:_SHOWN])}{more}"


def _asks(checkout: Checkout) -> Iterator[tuple[str, Ask]]:
    """What each task asks for, under the name of its own pipeline."""
    from kfgit.demand import asks

    for pipeline in checkout.project.pipelines:
        for ask in asks(checkout.project, pipeline):
            if ask.pipeline == pipeline:
                yield f"{pipeline}/{ask.path}", _asked(ask.resources)


def _asked(resources: Resources) -> Ask:
    from kfgit.backends.local.admission import Ask
    from kfgit.graph import quantity

    cpu, memory = (
        quantity(resources.requests.get(name, resources.limits.get(name))) or 0.0
        for name in ("cpu", "memory")
    )
    devices = resources.accelerator
    count = devices.count if devices is not None else 0
    name = devices.resource if devices is not None and count else ""
    return Ask(round(cpu * 1000), round(memory), name or "", count)
