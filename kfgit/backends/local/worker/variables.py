"""The declared variables of a container: constants, secrets, config maps and the downward API."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfgit.backends.local import launcher
from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker.env_files import env_file
from kfgit.backends.local.worker.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Variables:
    """The declared variables of the container, and the pod's uid, which marks its processes.

    `secrets` are the values to mask, `hidden` the names that hold them and where they come from.
    """

    values: Mapping[str, str]
    uid: str
    secrets: tuple[str, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)


def declared(command: Execute, settings: WorkerSettings) -> Variables:
    """Constants, secrets, config maps and fields, in the driver's order; a later one wins, as on Kubernetes.

    kubelet expands `$(NAME)` in a constant with the variables before it.
    """
    pod = _pod(command, settings)
    values = {"KFP_POD_NAME": pod["metadata.name"], "KFP_POD_UID": pod["metadata.uid"]}
    if command.retries:
        values["KFP_RETRY_INDEX"] = str(command.attempt)
    for constant in command.executor.get("env") or ():
        values[str(constant["name"])] = launcher.expand(str(constant.get("value", "")), values)
    secrets, hidden = [], {}
    for kind in (SECRET, CONFIG_MAP):
        folder = settings.secrets if kind is SECRET else settings.configmaps
        for name, value, source in _referenced(kind, folder, command):
            values[name] = value
            if kind is SECRET:
                secrets.append(value)
                hidden[name] = source
    for entry in command.platform.get("fieldPathAsEnv") or ():
        values[str(entry["name"])] = _field(str(entry.get("fieldPath", "")), pod, command.platform)
    return Variables(values, pod["metadata.uid"], tuple(secrets), hidden)


@dataclass(frozen=True, slots=True)
class Kind:
    """Secrets or config maps, and how a KubernetesExecutorConfig calls what it says of them."""

    words: str
    entries: str
    volumes: str
    names: tuple[str, ...]
    parameter: str
    keys: tuple[str, ...]


# kubernetes_platform/proto/kubernetes_executor_config.proto: the plain name is deprecated but still written.
SECRET = Kind(
    "secret", "secretAsEnv", "secretAsVolume", ("secretName",), "secretNameParameter", ("secretKey",)
)
CONFIG_MAP = Kind(
    "config map",
    "configMapAsEnv",
    "configMapAsVolume",
    ("configMapName", "configName"),
    "configMapNameParameter",
    ("configMapKey",),
)


def _referenced(kind: Kind, folder: Path, command: Execute) -> Iterator[tuple[str, str, str]]:
    """Variable, value and source for each key that a task takes from secrets or config maps."""
    for entry in command.platform.get(kind.entries) or ():
        optional = bool(entry.get("optional", False))
        name = object_name(kind, entry, command)
        if not name:
            if optional:
                continue
            raise TaskFailure(f"the task takes variables from a {kind.words} whose name has no value")
        found = env_file(object_file(kind, folder, name))
        for pair in entry.get("keyToEnv") or ():
            key, variable = str(next(pair[k] for k in kind.keys if k in pair)), str(pair["envVar"])
            if found is not None and key in found:
                yield variable, found[key], f"{kind.words} {name}, key {key}"
            elif not optional:
                where = (
                    f"has no key `{key}`"
                    if found is not None
                    else f"does not exist (it needs the key `{key}`)"
                )
                raise TaskFailure(f"the {kind.words} file {folder / f'{name}.env'} {where}")


def object_file(kind: Kind, folder: Path, name: str) -> Path:
    """The file that stands in for a secret or config map."""
    if "/" in name or name in (".", ".."):
        raise TaskFailure(f"{name!r} cannot be the name of a {kind.words}")
    return folder / f"{name}.env"


def object_name(kind: Kind, entry: Mapping[str, Any], command: Execute) -> str:
    """A constant, an input of the task or the output of another task, else the deprecated plain name."""
    given = entry.get(kind.parameter) or {}
    candidates = [(given.get("runtimeValue") or {}).get("constant")]
    if source := given.get("componentInputParameter"):
        candidates += [command.parameters.get(source), command.parameters.get(f"pipelinechannel--{source}")]
    if output := given.get("taskOutputParameter"):
        name = f"pipelinechannel--{output.get('producerTask')}-{output.get('outputParameterKey')}"
        candidates.append(command.parameters.get(name))
    candidates += [entry.get(name) for name in kind.names]
    return next((str(each) for each in candidates if each), "")


def _pod(command: Execute, settings: WorkerSettings) -> dict[str, str]:
    host = socket.gethostname()
    task = re.sub(r"[^a-z0-9]+", "-", command.task_name.lower()).strip("-")
    return {
        "metadata.name": f"{task[:40]}-{settings.run_id[:8]}-{command.attempt}",
        "metadata.uid": str(uuid.uuid4()),
        "metadata.namespace": settings.namespace,
        "spec.nodeName": host,
        "spec.serviceAccountName": "pipeline-runner",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }


def _field(path: str, pod: Mapping[str, str], platform: Mapping[str, Any]) -> str:
    """The downward API: a label or annotation that is not there is empty text."""
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        return str(((platform.get("podMetadata") or {}).get(match[1]) or {}).get(match[2], ""))
    if path not in pod:
        raise TaskFailure(f"the field path `{path}` is not one that Kubernetes gives to a container")
    return pod[path]
