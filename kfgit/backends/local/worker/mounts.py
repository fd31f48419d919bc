"""The volumes of an attempt: claims, files of secrets and config maps, and folders that end with it.

A container gets each at its path, and so does a process where Linux lets it have a mount namespace (`namespace`). Where
not, a process's root is everybody's: they lie below one folder under the same paths, and the variable `KFGIT_MOUNTS`
names that folder, so that `"${KFGIT_MOUNTS:-}/data"` is right everywhere. Whatever is no claim is removed when the
attempt has ended.
"""

from __future__ import annotations

import functools
import json
import os
import posixpath
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kfgit.backends.local.containers import Mount
from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker import namespace
from kfgit.backends.local.worker.env_files import env_file
from kfgit.backends.local.worker.settings import Attempt, WorkerSettings
from kfgit.backends.local.worker.variables import (
    CONFIG_MAP,
    SECRET,
    Kind,
    Variables,
    object_file,
    object_name,
)
from kfgit.backends.local.worker.volumes import claim_folder
from kfgit.graph import quantity

VARIABLE = "KFGIT_MOUNTS"


@dataclass(frozen=True, slots=True)
class Mounts:
    """What is mounted; `folder` holds all of it for a process, `secrets` are values to mask."""

    folder: Path
    found: tuple[Mount, ...] = ()
    secrets: tuple[str, ...] = ()

    def masked(self, variables: Variables) -> Variables:
        """The variables, whose secrets are not the only ones to mask."""
        return replace(variables, secrets=(*variables.secrets, *self.secrets))

    def for_process(self, settings: WorkerSettings) -> tuple[tuple[str, ...], dict[str, str]]:
        """What stands before a process's program so that it sees them, and variables that say where they are."""
        if not self.found:
            return (), {}
        if shown_to_processes(settings, [mount.target for mount in self.found]):
            volumes = {m.target: None if m.memory else str(m.source) for m in self.found}
            spec = json.dumps({"stage": str(self.folder / ".stage"), "volumes": volumes})
            return (str(settings.python), "-I", "-S", namespace.__file__, spec), {}
        self._beside()
        return (), {VARIABLE: str(self.folder)}

    def _beside(self) -> None:
        """Puts claims beside the other volumes."""
        for mount in self.found:
            place = _below(self.folder, mount.target)
            if place == mount.source:
                continue
            if place.exists() or not place.parent.resolve().is_relative_to(self.folder.resolve()):
                message = f"a process of this machine cannot have two volumes at `{mount.target}`, or one in the other"
                raise TaskFailure(message)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(mount.source, target_is_directory=True)


def shown_to_processes(settings: WorkerSettings, paths: list[str]) -> bool:
    """Whether processes of this machine can see volumes at these paths."""
    allowed = settings.namespaces if settings.namespaces is not None else _can_make_namespaces()
    return allowed and namespace.possible(paths)


@functools.cache
def _can_make_namespaces() -> bool:
    """Tried once: whether Linux lets this user depends on too much (sandboxes, AppArmor, sysctls)."""
    with tempfile.TemporaryDirectory() as folder:
        spec = json.dumps({"stage": f"{folder}/stage", "volumes": {f"{folder}/in/it": f"{folder}/volume"}})
        argv = [sys.executable, "-I", "-S", namespace.__file__, spec, "true"]
        try:
            done = subprocess.run(
                argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return False
    return done.returncode == 0


@contextmanager
def mounted(attempt: Attempt) -> Iterator[Mounts]:
    """Makes the volumes of an attempt, and removes what does not outlive it. Raises `TaskFailure`."""
    folder = attempt.place.folder / "mounts"
    _remove(folder)
    try:
        try:
            mounts = _mounts(folder, attempt.command, attempt.settings)
        except OSError as error:
            raise TaskFailure(f"a volume cannot be made: {error}") from error
        yield mounts
    finally:
        _remove(folder)


def mount_paths(platform: Mapping[str, Any]) -> Iterator[str]:
    """Where a task's volumes are mounted."""
    for kind in ("pvcMount", *_OWN, SECRET.volumes, CONFIG_MAP.volumes):
        yield from (_path(entry) for entry in platform.get(kind) or ())


_OWN = ("genericEphemeralVolume", "emptyDirMounts")


def _mounts(folder: Path, command: Execute, settings: WorkerSettings) -> Mounts:
    if "/" in mount_paths(command.platform):
        raise TaskFailure("a volume cannot be mounted at `/`")
    claims = command.platform.get("pvcMount") or ()
    found = [Mount(_claim(entry, settings), _path(entry)) for entry in claims]
    secrets: list[str] = []
    for kind, files in ((SECRET, settings.secrets), (CONFIG_MAP, settings.configmaps)):
        for entry in command.platform.get(kind.volumes) or ():
            keys = _keys(kind, files, entry, command)
            secrets += keys.values() if kind is SECRET else ()
            found.append(Mount(_written(_below(folder, _path(entry)), keys), _path(entry), readonly=True))
    for own in _OWN:
        for entry in command.platform.get(own) or ():
            source = _written(_below(folder, _path(entry)), {})
            size = quantity(entry.get("sizeLimit"))
            memory = entry.get("medium") == "Memory"
            found.append(Mount(source, _path(entry), memory=memory, size=int(size) if size else None))
    return Mounts(folder, tuple(found), tuple(secrets))


def _claim(entry: Mapping[str, Any], settings: WorkerSettings) -> Path:
    """The folder of a claim, or one inside it. One that nobody made is made: it may be older than the pipeline."""
    claim = claim_folder(settings, str(entry.get("pvcName") or ""))
    inside = claim / str(entry.get("subPath") or "").lstrip("/")
    if ".." in inside.parts or not inside.resolve().is_relative_to(claim.resolve()):
        raise TaskFailure(f"the sub-path `{entry.get('subPath')}` leads out of the claim `{claim.name}`")
    inside.mkdir(parents=True, exist_ok=True)
    return inside


def _keys(kind: Kind, folder: Path, entry: Mapping[str, Any], command: Execute) -> dict[str, str]:
    name, optional = object_name(kind, entry, command), bool(entry.get("optional", False))
    if not name and not optional:
        raise TaskFailure(f"the task mounts a {kind.words} whose name has no value")
    file = object_file(kind, folder, name) if name else None
    found = env_file(file) if file is not None else None
    if found is None and not optional:
        raise TaskFailure(f"the {kind.words} file {file} does not exist (the task mounts it as a folder)")
    return found or {}


def _written(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with a file for each key, which others on this machine cannot read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if name in {".", ".."}:
            raise TaskFailure(f"the key `{name}` cannot be a file")
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    return folder


def _path(entry: Mapping[str, Any]) -> str:
    """A mount path without what could lead out of its root."""
    return posixpath.normpath("/" + str(entry.get("mountPath", "")).lstrip("/"))


def _below(folder: Path, path: str) -> Path:
    return folder / path.lstrip("/")


def _remove(folder: Path) -> None:
    """What a container's root wrote may be left behind; links to claims go, what they lead to stays."""
    shutil.rmtree(folder, ignore_errors=True)
