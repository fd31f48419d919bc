"""Where a run's files are: `runs/<created>-<pipeline>-<id>/<task>/attempt-<n>/`, made for people to read.

Names come from documents and packages, so every part of a path is made harmless first; what is changed or cut
gets a piece of its digest, so that two names never meet in one folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from kfgit.backend import MachineFault
from kfgit.backends.local.store import codec
from kfgit.events import Artifact, RunRecord, TaskRecord

LOG = "log.txt"
LOG_TAIL_LINES = 15
_TAIL_BYTES = 64 * 1024
_LINE_CHARACTERS = 2000
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 100
_RESERVED = frozenset({"latest", "run.json", "workspace"})


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one environment; `state` is `.kfgit/ENV`."""

    state: Path

    @property
    def runs(self) -> Path:
        """All runs."""
        return self.state / "runs"

    @property
    def _graves(self) -> Path:
        """What is being removed; not beside the runs, which may be very many to look through."""
        return self.state / "deleted"

    def run(self, folder: str) -> Path:
        """One run; a name that is no plain one, as only a forged state file holds it, is refused."""
        if part(folder) != folder:
            raise MachineFault(f"the state file names `{folder}` as the folder of a run, which it cannot be")
        return self.runs / folder

    def lock(self, folder: str) -> Path:
        """The file that whoever executes the run has locked."""
        return self.run(folder) / ".lock"

    def prepare(self) -> None:
        """Makes the folders, hides them from git, and ends deletions that were cut off."""
        try:
            for folder in (self.state.parent, self.state, self.runs):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_once(self.state.parent / ".gitignore", "*\n")
        except OSError as fault:
            raise MachineFault(f"{self.state} cannot be used: {fault.strerror or fault}") from fault
        for leftover in self._graves.glob("*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def point_latest(self, folder: str) -> None:
        """Makes `runs/latest` a link to this run."""
        link = self.runs / ".latest"  # one name, so that those who are killed here leave one link at most
        # Whoever comes between begins a run at the same instant, and points to that.
        with suppress(FileExistsError, FileNotFoundError):
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
            link.replace(self.runs / "latest")

    def delete(self, folder: str) -> None:
        """Removes a run's folder at once; what a crash leaves, `prepare` removes."""
        grave = self._graves / f"{folder}-{uuid4().hex[:8]}"
        try:
            self._graves.mkdir(exist_ok=True, mode=0o700)
            self.run(folder).replace(grave)
        except FileNotFoundError:
            return
        shutil.rmtree(grave, ignore_errors=True)
        latest = self.runs / "latest"
        if latest.is_symlink() and not latest.exists():
            latest.unlink(missing_ok=True)


def part(name: str) -> str:
    """One part of a path: letters, digits, `.`, `_`, `-`, no leading dot, at most 100 characters."""
    clean = _UNSAFE.sub("_", name)
    if (
        clean == name
        and name
        and not name.startswith(".")
        and len(name) <= _LONGEST
        and name not in _RESERVED
    ):
        return name
    return f"{clean.lstrip('.')[: _LONGEST - 7]}-{_short_digest(name, 6)}"


def attempt_log(number: int) -> str:
    """Where an attempt's log is below its task's folder."""
    return f"attempt-{number}/{LOG}"


def attempts(folder: Path) -> tuple[int, ...]:
    """The numbers of the attempts in a task's folder."""
    found = (re.fullmatch(r"attempt-(\d+)", each.name) for each in folder.glob("attempt-*"))
    return tuple(sorted(int(match[1]) for match in found if match))


def task_folder(path: str) -> str:
    """A task's folder below its run's: the parts of its path."""
    return "/".join(part(piece) for piece in path.split("/"))


def run_folder(created: datetime, pipeline: str, run_id: str, *, whole_id: bool = False) -> str:
    """A run's folder below `runs/`; `whole_id` where the short one is taken, be it by a deleted run of the same id."""
    short = run_id[:8] if re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", run_id) else _short_digest(run_id, 8)
    identity = _short_digest(f"{run_id} {codec.stamp(created)}", 32) if whole_id else short
    return f"{created.astimezone(UTC):%Y%m%d-%H%M%S}-{part(pipeline)[:40]}-{identity}"


def tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log; none where there is no log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return tuple(line[:_LINE_CHARACTERS] for line in lines[-LOG_TAIL_LINES:])


def local_path(uri: str) -> Path | None:
    """The file behind a URI, None for what is elsewhere."""
    if uri.startswith("/"):
        return Path(uri)
    pieces = urlsplit(uri)
    return (
        Path(unquote(pieces.path)) if pieces.scheme == "file" and pieces.netloc in {"", "localhost"} else None
    )


def write_run(folder: Path, run: RunRecord) -> None:
    """Writes `run.json`: the run as `kfgit runs show -o json` tells it, for those who read folders."""
    document = json.dumps(_run(run), indent=2, ensure_ascii=True, default=str)
    temporary = folder / f".run.json-{uuid4().hex}"
    temporary.write_text(document + "\n")
    temporary.replace(folder / "run.json")


def _short_digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _write_once(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        return


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "apiVersion": "kfgit.dev/cli/v1",
        "kind": "Run",
        "id": run.id,
        "name": run.name,
        "pipeline": run.pipeline,
        "environment": run.environment,
        "experiment": run.experiment,
        "state": run.state,
        "inputs": _values(run.inputs),
        "outputs": _values(run.outputs),
        "createdAt": codec.stamp(run.created_at),
        "startedAt": codec.stamp_or_none(run.started_at),
        "finishedAt": codec.stamp_or_none(run.finished_at),
        "error": run.error,
        "notes": list(run.notes),
        "tasks": [_task(task) for task in run.tasks],
    }


def _task(task: TaskRecord) -> dict[str, Any]:
    return {
        "path": task.path,
        "component": task.component,
        "state": task.state,
        "cached": task.cached,
        "attempts": task.attempts,
        "startedAt": codec.stamp_or_none(task.started_at),
        "finishedAt": codec.stamp_or_none(task.finished_at),
        "inputs": _values(task.inputs),
        "outputs": _values(task.outputs),
        "error": task.error,
    }


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    match value:
        case Artifact():
            return {"type": value.type, "uri": value.uri, "metadata": dict(value.metadata)}
        case tuple():
            return [_value(item) for item in value]
        case _:
            return value
