"""The runs of a KFP server: those of everybody in its namespace, for KFP knows no projects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kfgit.backend import Ambiguous, Gone, MachineFault, NotFound, Refused
from kfgit.backends.cluster.connection.wire import Ambiguous as InDoubt
from kfgit.backends.cluster.history import naming, run_calls, run_times
from kfgit.backends.cluster.history.places import is_same
from kfgit.backends.cluster.history.run_records import (
    Told,
    package_of,
    pipeline_of,
    record,
    state_of,
    tasks_of,
)
from kfgit.backends.cluster.kfp.answers import KfpFault
from kfgit.backends.cluster.kfp.api import PAGE_SIZE, KfpApi, KfpRun
from kfgit.backends.cluster.kfp.translate import Names
from kfgit.backends.cluster.records import marks
from kfgit.durations import RunTimes
from kfgit.events import FINAL, Artifact, RunRecord, State, StoredArtifact
from kfgit.ir import Package
from kfgit.model import Retention

_SHOWN = 20
_AT_ONCE = 8
_BATCH = 50
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The package that the checkout has of a pipeline of that name: it knows the author's words.
Packages = Callable[[str], Package | None]


def no_packages(_pipeline: str) -> Package | None:
    """Where nobody has a checkout."""
    return None


@dataclass(frozen=True, slots=True)
class ClusterRuns:
    """See `kfgit.backend.Runs`. `owned` tells the ids of this project's pipelines.

    `stopped` are runs that were seen to be asked to end: KFP tells their end as a failure.
    """

    api: KfpApi
    environment: str
    packages: Packages = no_packages
    owned: Callable[[], Iterable[str]] = tuple
    stopped: set[str] = field(default_factory=set)

    def all(self) -> tuple[RunRecord, ...]:
        """Every run, newest first, without tasks."""
        return self._records(self.api.runs())

    def newest(self, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs, without tasks."""
        return self._records(self.api.runs(limit=limit))

    def count(self) -> int:
        """How many runs there are."""
        return run_calls.count(self.api)

    def by_experiment(self) -> Mapping[str, int]:
        """How many runs there are of each experiment: a question for each of them, or all runs where that is less."""
        found = self.api.experiments()
        if self.count() < len(found) * PAGE_SIZE:
            names = {one.experiment_id: one.display_name for one in found}
            return Counter(names.get(run.experiment_id, run.experiment_id) for run in self.api.runs())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            counts = pool.map(lambda one: run_calls.count(self.api, one.experiment_id), found)
            return {one.display_name: count for one, count in zip(found, counts, strict=True)}

    def get(self, id_or_prefix: str) -> RunRecord:
        """One run with its tasks; raises `NotFound`, or `Ambiguous` where several ids begin so."""
        return self.reader(self.resolve(id_or_prefix))()[0]

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """How runs stand, by their whole ids, with a request for each; those that are gone are left out."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = [run for run in pool.map(self.api.run, ids) if run is not None]
        return {run.run_id: state_of(run, self.stopped) for run in found}

    def durations(self, pipelines: Sequence[str], count: int) -> Mapping[str, tuple[RunTimes, ...]]:
        """How long the newest runs of pipelines took that succeeded, found among the newest of all."""
        return run_times.durations(self.api, pipelines, count, self.packages)

    def reader(self, run_id: str) -> Callable[[], tuple[RunRecord, tuple[Told, ...]]]:
        """What asks for a run time and again, and for what it runs only once."""
        known: list[tuple[Names, Package | None]] = []

        def read() -> tuple[RunRecord, tuple[Told, ...]]:
            run = self.run(run_id)
            with run_calls.strictly(self.api, f"run {run_id}"):
                if not known:
                    known.append(self._content(run))
                names, package = known[0]
                tasks = tasks_of(run, package, state_of(run, self.stopped))
                return record(run, self.environment, names, tasks, self.stopped), tasks

        return read

    def resolve(self, id_or_prefix: str) -> str:
        """The whole id; `latest` is the newest run. Raises as `get` does."""
        if _ID.fullmatch(id_or_prefix):
            return id_or_prefix
        if id_or_prefix == "latest":
            newest = self.api.runs(limit=1)
            if newest:
                return newest[0].run_id
        if re.fullmatch(r"[A-Za-z0-9-]+", id_or_prefix):
            found = [run.run_id for run in run_calls.beginning(self.api, id_or_prefix, 200)]
            if len(found) == 1 or id_or_prefix in found:
                return id_or_prefix if id_or_prefix in found else found[0]
            if found:
                raise Ambiguous("run", id_or_prefix, found[:_SHOWN])
        raise NotFound("run", id_or_prefix, [run.run_id for run in self.api.runs(limit=_SHOWN)])

    def place(self, id_or_prefix: str) -> str | None:  # noqa: ARG002 - wherever the cluster keeps them
        """Not on this machine."""
        return None

    def log(self, run_id: str, path: str, attempt: int | None = None) -> str:
        """What a task printed, for as long as the cluster keeps its pod; raises `NotFound`."""
        whole = self.resolve(run_id)
        _, tasks = self.reader(whole)()
        told = next((one for one in tasks if one.record.path == path and one.logs), None)
        if told is None:
            raise NotFound("log of the task", path, [one.record.path for one in tasks if one.record.attempts])
        if attempt is not None and attempt >= len(told.logs):
            raise NotFound(
                f"log of `{path}` for attempt", str(attempt), list(map(str, range(len(told.logs))))
            )
        pod = told.logs[-1 if attempt is None else attempt]
        text = run_calls.log(self.api, whole, pod)
        if text is None:
            why = f"KFP reads it from the pod {pod}, which is cleared away, or never was where the cache had the result"
            raise Gone("log", path, why)
        return text

    def cancel(self, run_id: str) -> RunRecord:
        """Asks a run to stop; a finished one stays as it is."""
        whole = self.resolve(run_id)
        if self._state(whole) not in {*FINAL, "CANCELING"}:
            self._terminate(whole)
        return self.get(whole)

    def retry(self, run_id: str) -> RunRecord:
        """Lets a run that ended badly go on: its tasks that succeeded are kept. Raises `Refused` for any other."""
        whole = self.resolve(run_id)
        state = self._state(whole)
        if state not in {"FAILED", "CANCELED"}:
            raise Refused(f"run `{whole}` is {state}; only one that failed or was canceled is retried")
        self.stopped.discard(whole)
        try:
            self.api.retry(whole)
        except InDoubt:
            if self._state(whole) in FINAL:
                raise
        return self.get(whole)

    def delete(self, run_id: str) -> None:
        """Removes a run that is not running; what it made stays in the artifact store."""
        whole = self.resolve(run_id)
        if self.run(whole).state not in {*FINAL, "CANCELING"}:
            raise Refused(f"run `{whole}` is running; cancel it first")
        self.api.delete_run(whole)

    def sweep(self, retention: Retention, at: datetime) -> Iterator[tuple[str, ...]]:
        """Removes ended runs of this project's pipelines that are not to be kept; other runs are others'."""
        if retention == Retention():
            return
        ours = frozenset(self.owned())
        ended = [run for run in self.api.runs() if run.pipeline_id in ours and run.state in FINAL]
        gone = ended if retention.count is None else ended[retention.count :]
        before = None if retention.age is None else _earlier(at, retention.age)
        ids = [run.run_id for run in gone if before is None or (run.finished_at and run.finished_at < before)]
        for start in range(0, len(ids), _BATCH):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                batch = ids[start : start + _BATCH]
                list(pool.map(self.api.delete_run, batch))
            yield tuple(batch)

    def artifacts(self, run_id: str | None = None, limit: int = -1) -> tuple[StoredArtifact, ...]:
        """What the tasks of a run gave out, by the names of their pipeline: KFP's API lists no artifacts."""
        if run_id is None:
            raise Refused(
                "KFP's API lists no artifacts; those of one run are told: kfgit artifacts list --run RUN"
            )
        run, tasks = self.reader(self.resolve(run_id))()
        found = [each for one in tasks for each in _given_out(run, one)]
        return tuple(found if limit < 0 else found[:limit])

    def artifact(self, id_or_prefix: str) -> StoredArtifact:
        """One artifact, by `RUN/TASK/NAME`; raises as `get` does."""
        run_id, _, rest = id_or_prefix.partition("/")
        if not rest:
            raise NotFound("artifact", id_or_prefix)
        found = self.artifacts(run_id)
        exact = [each for each in found if each.artifact.id.partition("/")[2] == rest]
        if not exact:
            raise NotFound("artifact", id_or_prefix, [each.artifact.id for each in found])
        return exact[0]

    def copy(self, artifact: StoredArtifact, target: Path) -> None:
        """Fetches a file to `target`; raises `MachineFault` for what the server cannot read."""
        _, tasks = self.reader(artifact.run_id)()
        nodes = next((one.logs for one in tasks if one.record.path == artifact.task), ())
        data = run_calls.artifact(self.api, artifact.run_id, nodes[-1], artifact.output) if nodes else None
        if data is None:
            raise MachineFault(
                f"KFP's API cannot read `{artifact.artifact.id}`: it is in the artifact store; "
                "fetch it from there, or from KFP's page of the run"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def run(self, run_id: str) -> KfpRun:
        """A run as KFP tells it; raises `NotFound`."""
        found = self.api.run(run_id)
        if found is None:
            raise NotFound("run", run_id, [run.run_id for run in self.api.runs(limit=_SHOWN)])
        if found.state == "CANCELING":
            self.stopped.add(run_id)
        return found

    def names(self, found: Iterable[KfpRun]) -> Names:
        """What the pipelines and experiments of runs are called."""
        runs = list(found)
        return naming.names(self.api, (run.pipeline_id for run in runs), (run.experiment_id for run in runs))

    def _records(self, found: Sequence[KfpRun]) -> tuple[RunRecord, ...]:
        names = self.names(found)
        with run_calls.strictly(self.api, "a run"):
            return tuple(record(run, self.environment, names, stopped=self.stopped) for run in found)

    def _content(self, run: KfpRun) -> tuple[Names, Package | None]:
        """What a run's things are called, and what it runs."""
        names = self.names([run])
        version = None
        if run.pipeline_id and run.pipeline_version_id:
            version = self.api.version(run.pipeline_id, run.pipeline_version_id)
        ran = package_of(run, version)
        ours = self.packages(pipeline_of(run, names)) if ran is not None else None
        if version is not None:
            names = replace(names, versions={version.pipeline_version_id: version.name})
        if ours is None or ran is None:
            return names, ran
        same = version is not None and marks.version_name(ours.digest) == version.name
        return names, ours if same or is_same(ours, ran) else ran

    def _terminate(self, run_id: str) -> None:
        try:
            self.api.terminate(run_id)
        except (KfpFault, InDoubt):
            # It may have ended in this moment, or the answer was lost.
            if self._state(run_id) not in {*FINAL, "CANCELING"}:
                raise
        else:
            self.stopped.add(run_id)

    def _state(self, run_id: str) -> str:
        run = self.run(run_id)
        with run_calls.strictly(self.api, f"run {run_id}"):
            return state_of(run, self.stopped)


def _earlier(at: datetime, seconds: int) -> datetime:
    try:
        return at - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _given_out(run: RunRecord, told: Told) -> Iterator[StoredArtifact]:
    task = told.record
    if task.state != "SUCCEEDED":
        return
    for name, type_ in (told.outputs or {}).items():
        thing = Artifact(f"{run.id}/{task.path}/{name}", name, type_, "")
        yield StoredArtifact(thing, run.id, task.path, name, task.finished_at or run.created_at)
