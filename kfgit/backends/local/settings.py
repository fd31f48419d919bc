"""Where a local environment keeps its things, and what its tasks may have of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kfgit.backends.local import machine, nvml
from kfgit.backends.local.devices import Inventory
from kfgit.backends.local.room import Room

Executor = Literal["auto", "process", "docker", "podman"]


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """`state` is `.kfgit/ENV`; `environments`, and what lies beside it, is shared by all projects of the user.

    `capacity` is what tasks may hold together, by `cpu` and `memory`, where that is not what the machine has; `gpu`
    says what is done with tasks that ask for devices which it has not.
    """

    state: Path
    secrets: Path
    configmaps: Path
    environments: Path
    environment: str
    project: str
    executor: Executor = "auto"
    capacity: Mapping[str, str] = field(default_factory=dict)
    gpu: Literal["emulate", "require"] = "emulate"

    def room(self) -> Room:
        """What one process hands out to its attempts. A CUDA_VISIBLE_DEVICES of its own holds for all of them."""
        inventory = Inventory(
            lambda: nvml.find(os.environ.get("CUDA_VISIBLE_DEVICES")),
            self.environments.absolute().parent / "devices",
        )
        return Room(machine.capacity(self.capacity), inventory, self.gpu == "require")
