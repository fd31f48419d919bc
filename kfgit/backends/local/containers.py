"""docker and podman: whether one answers, and how an attempt is run in it.

A task's files are mounted at the paths they have on this machine, so that one executor input serves both worlds. Every
variable reaches the container through the client's environment (`--env NAME`) or a private file, never through an
argument that anyone can list with `ps`. The container has a name, because killing the client leaves it running.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kfgit.backends.local.cgroups import UNLIMITED, Limits
from kfgit.backends.local.launcher import TaskFailure

Tool = Literal["docker", "podman"]
# docker's and podman's own exit code when the container could not be made (docs.docker.com, "Exit status").
CANNOT_START = 125
_PROBE_SECONDS = 3.0
_INFO_SECONDS = 10.0
_LEAST_MEMORY = 6 << 20
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where POSIX shared memory is in a container


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that answers."""

    tool: Tool
    binary: Path


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume: a folder of this machine, or so many bytes of memory, at a path of the container."""

    source: Path
    target: str
    readonly: bool = False
    memory: bool = False
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """One attempt as a container. `private` names a file that may hold secrets until the container has started.

    `devices` are GPUs, by their UUIDs.
    """

    name: str
    image: str
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    writable: tuple[Path, ...]
    readable: tuple[Path, ...]
    private: Path
    pull: str | None = None
    mounts: tuple[Mount, ...] = ()
    limits: Limits = UNLIMITED
    devices: tuple[str, ...] = ()


def find(wanted: str, path: str | None) -> Engine | None:
    """The engine to use for `executor: wanted`: None means host processes. Looked for once in a process.

    Raises `TaskFailure` if docker or podman was asked for by name and does not answer.
    """
    tools: tuple[Tool, ...] = ("docker", "podman")
    for tool in (each for each in tools if wanted in ("auto", each)):
        if (found := _answering(tool, path if path is not None else os.environ.get("PATH", ""))) is not None:
            return found
    if wanted in tools:
        raise TaskFailure(f"{wanted} was asked for but does not answer on this machine")
    return None


@functools.cache
def _answering(tool: Tool, path: str) -> Engine | None:
    binary = shutil.which(tool, path=path)
    if binary is None:
        return None
    argv = [
        binary,
        "version",
        "--format",
        "{{.Server.Version}}" if tool == "docker" else "{{.Client.Version}}",
    ]
    try:
        subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PROBE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Engine(tool, Path(binary))


def command_line(engine: Engine, container: Container) -> tuple[str, ...]:
    """The client's arguments. The image's own entrypoint is replaced, as KFP's launcher replaces it."""
    program, *rest = container.argv
    mounts = [
        *(Mount(path, str(path)) for path in container.writable),
        *(Mount(path, str(path), readonly=True) for path in container.readable),
        *container.mounts,
    ]
    parts = [
        str(engine.binary),
        "run",
        "--rm",
        "--name",
        container.name,
        "--label",
        "app.kubernetes.io/managed-by=kfgit",
    ]
    if container.pull is not None:
        parts += ["--pull", {"Always": "always", "Never": "never"}.get(container.pull, "missing")]
    parts += _resources(engine, container)
    for mount in mounts:
        parts += _mounted(mount)
    for name in container.variables:
        parts += [] if _is_the_clients(name) else ["--env", name]
    if any(_is_the_clients(name) for name in container.variables):
        parts += ["--env-file", str(container.private)]
    return (*parts, "--entrypoint", program, container.image, *rest)


@dataclass(frozen=True, slots=True)
class Ability:
    """Which limits an engine can set, and how many processors it has; 0 where it does not say."""

    memory: bool = True
    swap: bool = True
    cpu: bool = True
    cpus: int = 0


@functools.cache
def ability(engine: Engine) -> Ability:
    """Asked once in a process, and only for tasks with limits: without its cgroup controllers podman refuses them."""
    argv = [str(engine.binary), "info", "--format", "{{json .}}"]
    try:
        done = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=_INFO_SECONDS, check=True
        )
        return _ability(engine.tool, json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, AttributeError):
        return Ability()


def _ability(tool: Tool, told: Any) -> Ability:
    if tool == "docker":
        memory, swap, cpu = (bool(told.get(key, True)) for key in ("MemoryLimit", "SwapLimit", "CpuCfsQuota"))
        return Ability(memory, swap, cpu, int(told.get("NCPU") or 0))
    host = told.get("host") or {}
    controllers = host.get("cgroupControllers")
    if controllers is None:
        return Ability(cpus=int(host.get("cpus") or 0))
    memory = "memory" in controllers
    return Ability(memory, memory, "cpu" in controllers, int(host.get("cpus") or 0))


def _resources(engine: Engine, container: Container) -> list[str]:
    """Limits and GPUs. A pod has no swap; docker takes no less than 6 MiB and no more processors than there are."""
    parts, limits = [], container.limits
    can = ability(engine) if limits != UNLIMITED else Ability()
    if limits.memory is not None and can.memory:
        memory = str(max(limits.memory, _LEAST_MEMORY))
        parts += ["--memory", memory, *(["--memory-swap", memory] if can.swap else [])]
    if limits.cpu is not None and can.cpu:
        cpus = max(limits.cpu / 1000, 0.01)
        parts += ["--cpus", f"{min(cpus, can.cpus or cpus):g}"]
    if container.devices and engine.tool == "docker":
        # A comma ends a field of what docker reads there, but for the quotes.
        parts += ["--gpus", f'"device={",".join(container.devices)}"']
    elif container.devices:
        for device in container.devices:
            parts += ["--device", f"nvidia.com/gpu={device}"]
    return parts


def client_variables(container: Container, environ: Mapping[str, str]) -> dict[str, str]:
    """The client's environment: its own settings and the container's variables, which it passes on by name."""
    own = {name: value for name, value in environ.items() if _is_the_clients(name)}
    return own | {name: value for name, value in container.variables.items() if not _is_the_clients(name)}


def write_private(container: Container) -> None:
    """Writes the variables that would mean something to the client itself into a file that only we can read."""
    theirs = {name: value for name, value in container.variables.items() if _is_the_clients(name)}
    for name, value in theirs.items():
        if "\n" in value or "\r" in value:
            raise TaskFailure(
                f"the variable `{name}` has several lines, which the container client cannot pass on"
            )
    descriptor = os.open(container.private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in theirs.items())


def send(engine: Engine, name: str, number: int) -> None:
    """Sends a signal to a container; one that is gone already is fine."""
    argv: Sequence[str] = (
        str(engine.binary),
        "kill",
        "--signal",
        signal.Signals(number).name.removeprefix("SIG"),
        name,
    )
    try:
        subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return


def _mounted(mount: Mount) -> list[str]:
    """`--mount` takes one line of CSV, so that colons and commas in a path are safe."""
    if mount.memory and mount.size is not None and mount.target == _SHARED_MEMORY:
        return ["--shm-size", str(mount.size)]
    fields = ["type=tmpfs"] if mount.memory else ["type=bind", f"source={mount.source}"]
    fields += [f"target={mount.target}", *(["readonly"] if mount.readonly else [])]
    fields += [f"tmpfs-size={mount.size}"] if mount.memory and mount.size is not None else []
    return ["--mount", _csv(fields)]


def _csv(fields: Sequence[str]) -> str:
    return ",".join(
        '"' + each.replace('"', '""') + '"' if set(each) & set(',"\n') else each for each in fields
    )


_CLIENTS = frozenset({"PATH", "HOME", "TMPDIR", "USER", "LANG", "TZ", "NO_COLOR", "SSH_AUTH_SOCK"})
_CLIENTS_PREFIXES = (
    "DOCKER_",
    "CONTAINER",
    "XDG_",
    "LD_",
    "DYLD_",
    "GO",
    "BUILDKIT_",
    "REGISTRY_",
    "SSL_CERT_",
)
_PROXY_NAMES = frozenset(
    n for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy") for n in (name, name.upper())
)


def _is_the_clients(name: str) -> bool:
    return name in _CLIENTS or name in _PROXY_NAMES or name.startswith(_CLIENTS_PREFIXES)
