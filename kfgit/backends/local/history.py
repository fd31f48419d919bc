"""The runs of a local environment and what they left behind: records in the store, logs and artifacts in folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kfgit.backend import Ambiguous, MachineFault, NotFound, Refused
from kfgit.backends.local import removing, retention as keeping
from kfgit.backends.local.attempts import now
from kfgit.backends.local.folders import Folders, attempt_log, attempts
from kfgit.backends.local.following import bury
from kfgit.backends.local.store import Database, artifacts, durations, removal, runs, tasks, transitions
from kfgit.durations import RunTimes
from kfgit.events import Artifact, RunRecord, State, StoredArtifact
from kfgit.model import Retention

_SHOWN = 20
_ANY = runs.Filter()


@dataclass(frozen=True, slots=True)
class LocalRuns:
    """See `kfgit.backend.Runs`; `page` is for more runs than anyone wants at once."""

    database: Database
    folders: Folders

    def all(self) -> tuple[RunRecord, ...]:
        """Every run, newest first, without tasks."""
        with self.database.read() as db:
            return runs.everything(db)

    def page(self, limit: int, before: str | None = None, only: runs.Filter = _ANY) -> runs.Page:
        """At most `limit` runs, newest first, from the place that an earlier page named in `next`."""
        with self.database.read() as db:
            return runs.page(db, limit, before, only)

    def newest(self, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs, without tasks."""
        return self.page(limit).items

    def count(self) -> int:
        """How many runs there are."""
        with self.database.read() as db:
            return runs.count(db)

    def by_experiment(self) -> Mapping[str, int]:
        """How many runs there are of each experiment."""
        with self.database.read() as db:
            return runs.by_experiment(db)

    def get(self, id_or_prefix: str) -> RunRecord:
        """One run with its tasks; raises `NotFound`, or `Ambiguous` where several ids begin so."""
        run_id = self.resolve(id_or_prefix)
        with self.database.read() as db:
            found = runs.get(db, run_id)
        if found is None:
            raise NotFound("run", id_or_prefix)
        return found

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """How runs stand, by their whole ids; those that are gone are left out."""
        with self.database.read() as db:
            found = {id_: runs.state(db, id_) for id_ in ids}
        return {id_: state for id_, state in found.items() if state is not None}

    def durations(self, pipelines: Sequence[str], count: int) -> Mapping[str, tuple[RunTimes, ...]]:
        """How long the newest runs of pipelines took that succeeded."""
        with self.database.read() as db:
            found = {name: durations.of_pipeline(db, name, count) for name in pipelines}
        return {name: times for name, times in found.items() if times}

    def resolve(self, id_or_prefix: str) -> str:
        """The whole id; `latest` is the newest run. Raises as `get` does."""
        with self.database.read() as db:
            if id_or_prefix == "latest":
                newest = runs.page(db, 1).items
                if newest:
                    return newest[0].id
            if runs.state(db, id_or_prefix) is not None:
                return id_or_prefix
            found = runs.ids(db, id_or_prefix, _SHOWN) if id_or_prefix else ()
            known = found or tuple(run.id for run in runs.page(db, _SHOWN).items)
        match found:
            case (run_id,):
                return run_id
            case ():
                raise NotFound("run", id_or_prefix, known)
            case _:
                raise Ambiguous("run", id_or_prefix, found)

    def folder(self, id_or_prefix: str) -> Path:
        """Where a run's files are."""
        run_id = self.resolve(id_or_prefix)
        with self.database.read() as db:
            folder = runs.folder(db, run_id)
        if folder is None:
            raise NotFound("run", id_or_prefix)
        return self.folders.run(folder)

    def place(self, id_or_prefix: str) -> str | None:
        """The folder with a run's files."""
        return str(self.folder(id_or_prefix))

    def log_path(self, run_id: str, path: str, attempt: int | None = None) -> Path:
        """The file with what a task printed in its last attempt or the one asked for; raises `NotFound`."""
        folder = self.folder(run_id)
        with self.database.read() as db:
            rows = tasks.of_run(db, self.resolve(run_id))
        found = next((row.folder for row in rows if row.record.path == path and row.folder), None)
        if found is None:
            raise NotFound("log of the task", path, [row.record.path for row in rows if row.folder])
        numbers = attempts(folder / found)
        wanted = attempt if attempt is not None else max(numbers, default=0)
        log = folder / found / attempt_log(wanted)
        if not log.is_file():
            raise NotFound(f"log of `{path}` for attempt", str(wanted), [str(number) for number in numbers])
        return log

    def log(self, run_id: str, path: str, attempt: int | None = None) -> str:
        """What a task printed; raises `NotFound`."""
        return self.log_path(run_id, path, attempt).read_text("utf-8", "replace")

    def cancel(self, run_id: str) -> RunRecord:
        """Asks a run to stop; whoever executes it looks every 300 ms. A finished one stays as it is."""
        whole = self.resolve(run_id)
        with self.database.write() as db:
            transitions.request_cancel(db, whole, now())
            folder, state = runs.folder(db, whole), runs.state(db, whole)
        if folder is not None and state == "CANCELING":
            bury(self.database, self.folders, whole, folder)
        return self.get(whole)

    def retry(self, run_id: str) -> RunRecord:
        """Lets a run that ended badly go on: its tasks that succeeded are kept. Raises `Refused` for any other."""
        whole = self.resolve(run_id)
        with self.database.read() as db:
            folder = runs.folder(db, whole)
        if folder is not None:
            bury(self.database, self.folders, whole, folder)
        with self.database.write() as db:
            if not transitions.retry(db, whole, now()):
                raise Refused(
                    f"run `{whole}` is {runs.state(db, whole)}; only one that failed or was canceled is retried"
                )
        return self.get(whole)

    def delete(self, run_id: str) -> None:
        """Removes a run that is not running, with its files, except for what other runs were given of them."""
        whole = self.resolve(run_id)
        with self.database.read() as db:
            folder = runs.folder(db, whole)
        if folder is None:
            return
        bury(self.database, self.folders, whole, folder)
        if not removing.remove(self.database, self.folders, (whole,), removal.EXECUTED):
            with self.database.read() as db:
                if runs.state(db, whole) is not None:
                    raise Refused(f"run `{whole}` is running; cancel it first")

    def sweep(self, retention: Retention, at: datetime) -> Iterator[tuple[str, ...]]:
        """Removes the ended runs that are not to be kept, and tells the ids of each batch once its runs are gone."""
        return keeping.batches(self, retention, at)

    def discard(self, run_id: str) -> bool:
        """Removes a run whatever its state; who executes it ends it at once, and removes its files. False for none."""
        return bool(removing.remove(self.database, self.folders, (run_id,), frozenset()))

    def artifacts(self, run_id: str | None = None, limit: int = -1) -> tuple[StoredArtifact, ...]:
        """What runs produced, newest first; of one run where it is given, what it took from the cache too."""
        if run_id is None:
            with self.database.read() as db:
                return artifacts.listing(db, None, limit)
        run = self.get(run_id)
        with self.database.read() as db:
            found = {each.artifact.id: each for each in artifacts.listing(db, run.id)}
            for id_ in _given_out(run):
                if id_ not in found:
                    found |= {
                        each.artifact.id: each for each in artifacts.find(db, id_) if each.artifact.id == id_
                    }
        newest = sorted(found.values(), key=lambda each: each.created_at, reverse=True)
        return tuple(newest if limit < 0 else newest[:limit])

    def artifact(self, id_or_prefix: str) -> StoredArtifact:
        """One artifact; raises as `get` does."""
        with self.database.read() as db:
            found = artifacts.find(db, id_or_prefix, _SHOWN) if id_or_prefix else ()
        exact = [each for each in found if each.artifact.id == id_or_prefix] or found
        ids = [each.artifact.id for each in exact]
        if not exact:
            raise NotFound("artifact", id_or_prefix)
        if len(exact) > 1:
            raise Ambiguous("artifact", id_or_prefix, ids)
        return exact[0]

    def copy(self, artifact: StoredArtifact, target: Path) -> None:
        """Copies a file or folder to `target`, where nothing is yet; raises `MachineFault` for what is gone."""
        found = artifact.artifact
        source = Path(found.custom_path or found.uri.removeprefix("file://"))
        if not source.exists():
            raise MachineFault(f"{found.uri} is not there any more, or was never a file")
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _given_out(run: RunRecord) -> Iterator[str]:
    """The ids of the artifacts that a run's tasks gave out."""
    for task in run.tasks:
        for value in task.outputs.values():
            yield from (
                each.id
                for each in (value if isinstance(value, tuple) else (value,))
                if isinstance(each, Artifact)
            )
