"""What an attempt is given besides its command: folders, settings and the line to its runner."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kfgit.backends.local import containers
from kfgit.backends.local.cgroups import GROUPS, Groups
from kfgit.backends.local.protocol import Execute


@dataclass(frozen=True, slots=True)
class AttemptPlace:
    """The folders of one attempt: its own, and the task's artifacts, which all attempts share. Both absolute."""

    folder: Path
    artifacts: Path


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What is the same for all attempts of a run.

    `secrets` and `configmaps` are the folders with a NAME.env for each, `environments` the cache of virtual
    environments. `path` stands in for PATH, for tasks and for finding tools. `workspace` is the folder that the tasks
    of the run share, if it has one. `namespaces` says whether processes may have volumes at their paths; None is tried
    out. `settle` fills in the last two.
    """

    secrets: Path
    configmaps: Path
    environments: Path
    run_id: str
    run_name: str
    executor: Literal["auto", "process", "docker", "podman"] = "auto"
    namespace: str = "kubeflow"
    path: str | None = None
    python: Path = Path(sys.executable)
    workspace: Path | None = None
    namespaces: bool | None = None
    engine: containers.Engine | None = None
    settled: bool = False
    groups: Groups = GROUPS

    @property
    def claims(self) -> Path:
        """The folder that has one for each PersistentVolumeClaim, beside those of secrets and config maps."""
        return self.secrets.parent / "pvcs"


@dataclass(frozen=True, slots=True)
class Hooks:
    """How an attempt talks with its runner: a process began, something slow happens, someone wants it to stop.

    `devices` are the GPUs that it was given, by their UUIDs (`GPU-…`, `MIG-…`); it sees no other.
    """

    started: Callable[[], None] = lambda: None
    say: Callable[[str], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)
    devices: tuple[str, ...] = ()


def settle(settings: WorkerSettings) -> WorkerSettings:
    """Looks once whether docker or podman answers, so that the rest needs no looking. Raises `TaskFailure`."""
    if settings.settled:
        return settings
    return replace(settings, engine=containers.find(settings.executor, settings.path), settled=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """All that is known before an attempt starts."""

    command: Execute
    place: AttemptPlace
    settings: WorkerSettings
    hooks: Hooks
