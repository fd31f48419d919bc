"""Claims: KFP's volume components, which have an image that does not exist, and the folders that stand in for volumes.

KFP's driver does the work of these components (backend/src/v2/driver/k8s.go, createPVC and deletePVC). Here a claim is
the folder `pvcs/NAME` beside those of secrets and config maps; what a cluster refuses, such as a second claim of one
name, is refused here, too.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfgit.backends.local import launcher
from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.worker.settings import WorkerSettings

CREATE_IMAGE, DELETE_IMAGE = VOLUME_IMAGES = ("argostub/createpvc", "argostub/deletepvc")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")


def volume_outputs(image: str, command: Execute, settings: WorkerSettings) -> Outputs:
    """Makes or deletes a claim. Raises `TaskFailure`."""
    if image == DELETE_IMAGE:
        _delete(claim_folder(settings, str(command.parameters.get("pvc_name") or "")))
        return Outputs()
    name = _create(command.parameters, settings)
    return Outputs(dict.fromkeys(launcher.output_parameters(command), name))


def claim_folder(settings: WorkerSettings, name: str) -> Path:
    """The folder of a claim, whether it is there or not."""
    if not _NAME.match(name):
        raise TaskFailure(f"{name!r} cannot be the name of a claim")
    return settings.claims / name


def _create(given: Mapping[str, Any], settings: WorkerSettings) -> str:
    name, suffix = given.get("pvc_name") or "", given.get("pvc_name_suffix") or ""
    if name and suffix:
        raise TaskFailure("a claim has a name or a suffix for a name, not both")
    name = str(name or f"{uuid.uuid4()}{suffix}")
    folder = claim_folder(settings, name)
    source = given.get("data_source") or {}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if source.get("kind") == "PersistentVolumeClaim":
            _copy(claim_folder(settings, str(source.get("name", ""))), folder)
        else:
            folder.mkdir()
    except FileExistsError:
        raise TaskFailure(f"the claim `{name}` exists already, as {folder}") from None
    except OSError as error:
        raise TaskFailure(f"the folder {folder} of a claim cannot be made: {error.strerror}") from error
    return name


def _copy(source: Path, folder: Path) -> None:
    if not source.is_dir():
        raise TaskFailure(f"there is no claim `{source.name}` to copy: {source} does not exist")
    folder.mkdir()
    shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)


def _delete(folder: Path) -> None:
    if not folder.is_dir():
        raise TaskFailure(f"there is no claim `{folder.name}`: {folder} does not exist")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise TaskFailure(f"the folder {folder} of a claim cannot be deleted: {error}") from error
