"""Carries the engine's commands out on threads and answers with signals.

Before the first attempt of a task stands the cache, and before that what the run did before it was retried: `kept`. An
attempt that waits for its turn and is stopped never begins.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from kfgit.backends.local import admission, worker
from kfgit.backends.local.earlier import asked
from kfgit.backends.local.folders import LOG, local_path, task_folder
from kfgit.backends.local.job import Job
from kfgit.backends.local.protocol import (
    Command,
    Execute,
    Failed,
    Import,
    Kept,
    Outputs,
    Signal,
    Started,
    Stop,
    Succeeded,
)
from kfgit.backends.local.room import refused
from kfgit.backends.local.store import artifacts, loans
from kfgit.events import Event, Preparing

_STOPPED = "stopped"
# Of so many tasks it is told that they wait for the same thing.
_TOLD = 3


@dataclass(slots=True, eq=False)
class _Attempt:
    """The newest attempt of a task."""

    command: Execute | Import
    place: worker.AttemptPlace
    stop: threading.Event
    ticket: int | None = None
    under_way: bool = True


class Attempts:
    """The attempts of one run. All methods are called by one thread; `send` and `tell` are called by any."""

    def __init__(self, job: Job, send: Callable[[Signal], None], tell: Callable[[Event], None]) -> None:
        self._job = job
        self._send = send
        self._tell = tell
        self._settings = job.settings
        self._newest: dict[str, _Attempt] = {}
        self._folders: dict[str, str] = dict(job.earlier.folders)
        self._taken: set[str] = set(self._folders.values())
        self._asked: dict[str, str] = {}
        self._refusing = False
        self._awaited: dict[str, set[str]] = {}
        self.notes: dict[str, None] = {}

    def settle(self) -> None:
        """Looks once for what attempts need; raises `TaskFailure` where something was asked for and is missing."""
        if (refusal := self._job.pool.room.refusal(self._job.run.package)) is not None:
            raise worker.TaskFailure(refusal)
        settled = self._job.work.settle(self._job.settings)
        self._settings = replace(settled, workspace=self._job.workspace)
        self.notes.update(dict.fromkeys(worker.run_parity(self._job.run.package)))

    def carry_out(self, command: Execute | Import | Stop) -> None:
        """Begins or stops an attempt; what comes of it is sent as a signal."""
        if isinstance(command, Stop):
            self._stop(command.key)
        elif self._refusing:
            self._send(Failed(command.key, _STOPPED, now()))
        elif (same := self._same(command)) is not None:
            self._send(same)
        else:
            self._begin(command)

    def ended(self, key: str) -> None:
        """The answer of an attempt has arrived."""
        if key in self._newest:
            self._newest[key].under_way = False

    def stop_all(self) -> None:
        """Stops every attempt, and begins none from now on."""
        self._refusing = True
        for key in tuple(self._newest):
            self._stop(key)

    @property
    def idle(self) -> bool:
        """Whether every attempt has answered."""
        return not any(attempt.under_way for attempt in self._newest.values())

    def folder(self, key: str) -> str | None:
        """The task's folder below the run's, None for a task that had no attempt."""
        return self._folders.get(key)

    def log(self, key: str) -> Path | None:
        """Where the newest attempt of a task prints."""
        attempt = self._newest.get(key)
        return None if attempt is None else attempt.place.folder / LOG

    def fingerprint(self, key: str) -> str | None:
        """The cache key of a task that was executed and may be remembered."""
        attempt = self._newest.get(key)
        return attempt.command.fingerprint if attempt and isinstance(attempt.command, Execute) else None

    def asked(self, key: str) -> str:
        """The digest of what a task was asked to do."""
        return self._asked[key]

    def kept(self, command: Command) -> Kept | None:
        """The answer to a command that the run has carried out before it was retried."""
        if self._refusing or not isinstance(command, Execute | Import):
            return None
        if isinstance(command, Execute) and command.attempt:
            return None
        self._asked[command.key] = asked(command)
        return self._job.earlier.answer(command, now())

    def _same(self, command: Execute | Import) -> Succeeded | None:
        needed: tuple[str, ...]
        with self._job.database.read() as db:
            match command:
                case Execute(fingerprint=str() as fingerprint, attempt=0):
                    entry = artifacts.recall(db, self._scope(fingerprint))
                    if entry is None:
                        return None
                    needed, outputs, cached = entry.files, entry.outputs, True
                case Import(reimport=False):
                    path = local_path(command.uri)
                    uri = command.uri if path is None else os.path.normpath(path)
                    same = artifacts.same(db, uri, command.type, command.metadata)
                    if same is None:
                        return None
                    needed = () if path is None else (str(path),)
                    outputs, cached = Outputs({}, {"artifact": (same,)}), False
                case _:
                    return None
        if not (_all_there(needed) and self._take(command, outputs) and _all_there(needed)):
            return None
        return Succeeded(command.key, outputs, now(), cached=cached)

    def _take(self, command: Execute | Import, outputs: Outputs) -> bool:
        """Makes what is given out stay for as long as this run does; False if it is being removed in this moment."""
        with self._job.database.write() as db:
            if isinstance(command, Execute) and command.fingerprint is not None:
                artifacts.use(db, self._scope(command.fingerprint), self._job.id)
            things = (thing for things in outputs.artifacts.values() for thing in things)
            return loans.take(db, self._job.id, things)

    def _scope(self, fingerprint: str) -> tuple[str, str]:
        return self._job.run.package.name, fingerprint

    def _begin(self, command: Execute | Import) -> None:
        folder = self._job.folder / self._task_folder(command)
        number = command.number if isinstance(command, Execute) else 0
        place = worker.AttemptPlace(folder / f"attempt-{number}", folder / "artifacts")
        attempt = _Attempt(command, place, threading.Event())
        self._newest[command.key] = attempt
        ask = admission.NOTHING
        if isinstance(command, Execute):
            ask = admission.asked(command.executor.get("resources") or {})
            if (lack := self._job.pool.room.lack(ask)) is not None:
                self._send(Failed(command.key, refused(f"it {lack}"), now()))
                return
            self.notes.update(dict.fromkeys(self._job.work.parity(command, self._settings)))
            self.notes.update(dict.fromkeys(self._job.pool.room.notes(ask)))
        attempt.ticket = self._job.pool.submit(
            lambda devices: self._send(self._answer(attempt, devices)),
            ask,
            lambda what: self._waits(command, what),
        )

    def _task_folder(self, command: Execute | Import) -> str:
        if command.key not in self._folders:
            # Two tasks may have one path where a package's groups are left out of it.
            wanted = task_folder(command.path or command.key)
            folder = f"{wanted}~{len(self._folders)}" if wanted in self._taken else wanted
            self._taken.add(folder)
            self._folders[command.key] = folder
        return self._folders[command.key]

    def _stop(self, key: str) -> None:
        attempt = self._newest.get(key)
        if attempt is None or not attempt.under_way:
            return
        attempt.stop.set()
        if attempt.ticket is not None and self._job.pool.withdraw(attempt.ticket):
            self._send(Failed(key, _STOPPED, now()))

    def _waits(self, command: Execute | Import, what: str) -> None:
        """Tells it once for each task, not for each iteration of a loop, and of some tasks that wait for the same."""
        name = command.task_name if isinstance(command, Execute) else command.path
        others = self._awaited.setdefault(what, set())
        if name not in others and len(others) <= _TOLD:
            others.add(name)
            who = f"{command.path or command.key} waits" if len(others) <= _TOLD else "others wait"
            self._tell(Preparing(self._job.id, f"{who} for {what}"))

    def _answer(self, attempt: _Attempt, devices: tuple[str, ...]) -> Signal:
        # Runs on a thread of the pool and must not raise: without an answer the run would never end.
        key = attempt.command.key
        try:
            return Succeeded(key, self._outputs(attempt, devices), now())
        except worker.Stopped:
            return Failed(key, _STOPPED, now())
        except worker.TaskFailure as failure:
            return Failed(key, str(failure), now())
        except OSError as fault:
            return Failed(key, f"the task's files cannot be used: {fault}", now())
        except BaseException as fault:  # noqa: BLE001
            return Failed(
                key, f"kfgit itself failed here, which is a bug: {type(fault).__name__}: {fault}", now()
            )

    def _outputs(self, attempt: _Attempt, devices: tuple[str, ...]) -> Outputs:
        if attempt.stop.is_set():
            raise worker.Stopped
        hooks = worker.Hooks(
            started=lambda: self._started(attempt.command),
            say=lambda what: self._tell(Preparing(self._job.id, what)),
            stop=attempt.stop,
            devices=devices,
        )
        if isinstance(attempt.command, Import):
            hooks.started()
            return self._job.work.bring_in(attempt.command, hooks.say)
        attempt.place.folder.mkdir(parents=True, exist_ok=True)
        return self._job.work.attempt(attempt.command, attempt.place, self._settings, hooks)

    def _started(self, command: Execute | Import) -> None:
        number = command.attempt if isinstance(command, Execute) else 0
        self._send(Started(command.key, number, now()))


def _all_there(needed: Sequence[str]) -> bool:
    return all(Path(file).exists() for file in needed)


def files(outputs: Outputs) -> Iterator[Path]:
    """The files of this machine behind a task's artifacts, as far as they exist."""
    for things in outputs.artifacts.values():
        for thing in things:
            path = local_path(thing.uri)
            if path is not None and path.exists():
                yield path


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)
