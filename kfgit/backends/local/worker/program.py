"""Which program an attempt is: in an image, in a virtual environment, or this machine's own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kfgit.backends.local import containers, environments
from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker.memory import limits
from kfgit.backends.local.worker.mounts import Mounts
from kfgit.backends.local.worker.settings import Attempt, AttemptPlace, WorkerSettings
from kfgit.backends.local.worker.variables import Variables
from kfgit.backends.local.worker.visible import gpu_variables
from kfgit.ir import SDK_VERSION

_ALLOWED = ("PATH", "TZ", "LANG", *environments.PROXIES, *environments.CERTIFICATES)
_ALLOWED_PREFIXES = ("LC_", "CUDA", "NVIDIA_")
_KFP_MAIN = "kfp.dsl.executor_main"


@dataclass(frozen=True, slots=True)
class Program:
    """What is started: its arguments, its whole environment, and the container it lives in, if any."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    container: containers.Container | None = None
    engine: containers.Engine | None = None


def decide(
    attempt: Attempt, image: str, argv: tuple[str, ...], variables: Variables, scratch: Path, mounts: Mounts
) -> Program:
    """Decides between image, environment and machine."""
    command, place, settings, hooks = attempt.command, attempt.place, attempt.settings, attempt.hooks
    work = place.folder / "work"
    engine = settings.engine
    if engine is not None and (settings.executor != "auto" or not is_python(argv)):
        container = replace(_container(attempt, image, argv, variables), mounts=mounts.found)
        env = containers.client_variables(container, os.environ)
        return Program(containers.command_line(engine, container), env, work, container, engine)
    if runs_kfp(argv) and not _carries_code(argv):
        raise TaskFailure(
            f"its code is inside the image `{image}`, which cannot be used without docker or podman"
        )
    host = _host_variables(place, scratch, settings)
    if is_python(argv):
        installs, argv = _python(argv)
        workshop = environments.Workshop(
            settings.environments, settings.python, environments.find_uv(settings.path)
        )
        venv = environments.environment(installs, workshop, hooks.say, hooks.stop)
        path = f"{venv / 'bin'}{os.pathsep}{host['PATH']}"
        host |= {"VIRTUAL_ENV": str(venv), "PATH": path}
    before, told = mounts.for_process(settings)
    gpus = gpu_variables(hooks.devices, variables.values)
    env = {**host, **told, **variables.values, **gpus}
    _must_be_there(argv[0], env, work, command)
    return Program((*before, *argv), env, work)


def is_python(argv: tuple[str, ...]) -> bool:
    """Whether a task needs an environment: it installs packages first, or runs KFP's executor with code it carries."""
    return environments.pip_script(argv) is not None or (runs_kfp(argv) and _carries_code(argv))


def runs_kfp(argv: tuple[str, ...]) -> bool:
    """Whether a task is started through KFP's executor."""
    return any(_KFP_MAIN in part for part in argv)


def _carries_code(argv: tuple[str, ...]) -> bool:
    return any("--component_module_path" in part for part in argv)


def _python(argv: tuple[str, ...]) -> tuple[tuple[environments.Install, ...], tuple[str, ...]]:
    """The packages of a python component. KFP itself is added where the component counts on its image for it."""
    installs, rest = environments.pip_script(argv) or ((), argv)
    names = {
        re.split(r"[^A-Za-z0-9_.-]", each, maxsplit=1)[0].lower() for i in installs for each in i.requirements
    }
    if runs_kfp(rest) and not any(name.startswith(("kfp", "git+")) for name in names):
        installs = (*installs, environments.Install((SDK_VERSION.replace("-", "=="),), no_deps=True))
    return installs, rest


def _host_variables(place: AttemptPlace, scratch: Path, settings: WorkerSettings) -> dict[str, str]:
    """What a task may know of this machine. HOME is its own; pip refuses to change a Python that is not a venv."""
    kept = {k: v for k, v in os.environ.items() if k in _ALLOWED or k.startswith(_ALLOWED_PREFIXES)}
    path = settings.path if settings.path is not None else kept.get("PATH", os.defpath)
    home = {"HOME": str(place.folder / "home"), "TMPDIR": str(scratch), "PIP_REQUIRE_VIRTUALENV": "true"}
    return {"LANG": "C.UTF-8", **kept, "PATH": path, **home}


def _must_be_there(program: str, env: Mapping[str, str], work: Path, command: Execute) -> None:
    if shutil.which(work / program if "/" in program else program, path=env.get("PATH")) is None:
        why = (
            ""
            if command.executor.get("command")
            else "; the component has no command, and KFP takes the first of its args instead"
        )
        raise TaskFailure(f"`{program}` is not a program of this machine{why}")


def _workspace(attempt: Attempt) -> tuple[Path, ...]:
    """The workspace, where an input holds its path: so decides KFP's driver (`driver.go`, needsWorkspaceMount)."""
    folder = attempt.settings.workspace
    given = (value for value in attempt.command.parameters.values() if isinstance(value, str))
    return (folder,) if folder is not None and any(str(folder) in value for value in given) else ()


def _container(
    attempt: Attempt, image: str, argv: tuple[str, ...], variables: Variables
) -> containers.Container:
    place = attempt.place
    uris = [each.uri for many in attempt.command.artifacts.values() for each in many]
    return containers.Container(
        name=f"kfgit-{variables.uid}",
        image=image,
        argv=argv,
        variables=variables.values,
        writable=(place.folder, place.artifacts, *_workspace(attempt)),
        readable=tuple(
            Path(uri) for uri in dict.fromkeys(uris) if uri.startswith("/") and Path(uri).exists()
        ),
        private=place.folder / "tmp" / "variables.env",
        pull=attempt.command.platform.get("imagePullPolicy"),
        limits=limits(attempt.command),
        devices=attempt.hooks.devices,
    )
