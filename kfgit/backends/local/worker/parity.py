"""What a setting means on a cluster and not here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from kfgit.backends.local import launcher
from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker.memory import limit_notes
from kfgit.backends.local.worker.mounts import VARIABLE, mount_paths, shown_to_processes
from kfgit.backends.local.worker.program import is_python, runs_kfp
from kfgit.backends.local.worker.settings import WorkerSettings
from kfgit.backends.local.worker.volumes import CREATE_IMAGE, VOLUME_IMAGES
from kfgit.ir import SDK_VERSION, Package

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where POSIX shared memory is, in a pod and here
_NO_EFFECT = {
    "tolerations": "tolerations have no effect",
    "nodeSelector": "the node selector has no effect",
    "nodeAffinity": "node affinity has no effect",
    "podAffinity": "pod affinity has no effect",
    "podMetadata": "pod labels and annotations are seen by nobody but the task",
    "imagePullSecret": "image pull secrets are not used",
    "securityContext": "the security context has no effect",
    "enabledSharedMemory": "the shared memory size has no effect",
    "initContainers": "init containers do not run",
}


def parity(command: Execute, settings: WorkerSettings) -> tuple[str, ...]:
    """What this task's settings mean on a cluster and not here, one sentence each; `settings` from `settle`."""
    image = str(command.executor.get("image", ""))
    if image in VOLUME_IMAGES:
        return tuple(_claim_notes(image, command.parameters))
    argv = tuple(str(part) for part in command.executor.get("command") or ())
    try:
        needs_python = is_python(argv)
    except TaskFailure:
        needs_python = True
    in_image = settings.engine is not None and (settings.executor != "auto" or not needs_python)
    where = _environment_notes if needs_python else _machine_notes
    notes = [] if in_image else where(image, argv)
    if not in_image and command.platform.get("imagePullPolicy"):
        notes.append("the image pull policy has no effect")
    notes += [text for key, text in _NO_EFFECT.items() if command.platform.get(key)]
    paths = list(mount_paths(command.platform))
    hidden = [] if in_image or not paths or shown_to_processes(settings, paths) else paths
    notes += _volume_notes(command.platform, settings, hidden, in_image=in_image)
    notes += limit_notes(command, settings.groups, settings.engine if in_image else None)
    return (*notes, *_argument_notes(command))


def run_parity(package: Package) -> tuple[str, ...]:
    """The same of what holds for a whole run."""
    config = package.pipeline_config
    notes = []
    if config.get("workspace"):
        notes.append("the workspace is a folder of this machine, whose size has no limit")
    if any(key.startswith("resourceTtl") for key in config):
        notes.append("`ttl` has no effect: how long runs are kept says `retention` of the environment")
    return tuple(notes)


def _machine_notes(image: str, _: tuple[str, ...]) -> list[str]:
    return [f"the image `{image}` is not used: the task is a process of this machine"]


def _environment_notes(image: str, argv: tuple[str, ...]) -> list[str]:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    notes = [f"the image `{image}` is not used: the task runs in an environment of Python {here}"]
    if (found := re.search(r"python[:-](\d)\.?(\d+)", image)) and f"{found[1]}.{found[2]}" != here:
        notes.append(f"the image `{image}` has Python {found[1]}.{found[2]}, the task runs on {here}")
    if runs_kfp(argv) and "kfp" not in " ".join(argv[:3]):
        notes.append(f"the image is expected to have kfp in it; here it is {SDK_VERSION}")
    return notes


def _claim_notes(image: str, given: Mapping[str, Any]) -> Iterator[str]:
    if image == CREATE_IMAGE:
        yield "a claim is a folder below `.kfgit/pvcs`: size, access modes and storage class have no effect"
    source = given.get("data_source") or {}
    if source and source.get("kind") != "PersistentVolumeClaim":
        yield f"the {source.get('kind')} `{source.get('name')}` is not here: the claim begins empty"


def _volume_notes(
    platform: Mapping[str, Any], settings: WorkerSettings, hidden: list[str], *, in_image: bool
) -> Iterator[str]:
    for name in dict.fromkeys(str(entry.get("pvcName") or "") for entry in platform.get("pvcMount") or ()):
        if not (settings.claims / name).is_dir():
            yield f"the claim `{name}` is not here: it begins as the empty folder `.kfgit/pvcs/{name}`"
    if platform.get("genericEphemeralVolume"):
        yield "ephemeral volumes are folders: size, access modes and storage class have no effect"
    folders = (entry for entry in platform.get("emptyDirMounts") or () if entry.get("sizeLimit"))
    if any(not in_image or entry.get("medium") != "Memory" for entry in folders):
        yield "the size limits of empty folders have no effect"
    for path in hidden:
        if path == _SHARED_MEMORY:
            yield f"`{path}` is this machine's own"
        else:
            yield f"`{path}` cannot be mounted for a process of this machine, which finds it at `${VARIABLE}{path}`"


def _argument_notes(command: Execute) -> Iterator[str]:
    program = [str(each) for each in command.executor.get("command") or ()]
    args = [str(each) for each in command.executor.get("args") or ()]
    unresolved = [*program, *(arg for arg in args if not launcher.is_conditional(arg))]
    if any(launcher.is_concat(part) for part in (*program, *args)):
        yield "a Concat argument is joined here, but reaches the program as JSON text on a cluster"
    if any(part.lstrip().startswith('{"IfPresent":') for part in unresolved):
        yield "an IfPresent in the command or with an output in it stays JSON text, here and on a cluster"
