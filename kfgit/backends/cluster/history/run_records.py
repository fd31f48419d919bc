"""A run of KFP as the record that kfgit shows, its tasks in the author's words; pure."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, get_args

from kfgit.backends.cluster.history import nodes
from kfgit.backends.cluster.history.places import DEEPEST, Place, Step, steps
from kfgit.backends.cluster.history.task_rows import Row, Seen, rows
from kfgit.backends.cluster.kfp.messages import KfpRun, KfpVersion, part, text, time
from kfgit.backends.cluster.kfp.translate import Names
from kfgit.events import FINAL, RunRecord, State, TaskRecord
from kfgit.ir import DEFAULT_EXPERIMENT, ROOT, Package

_STATES = frozenset(get_args(State))
_NO_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """A task of a run; `logs` are what its attempts' logs are asked by, `node` what its artifacts are."""

    record: TaskRecord
    logs: tuple[str, ...] = ()
    outputs: Mapping[str, str] | None = None


def state_of(run: KfpRun, stopped: Container[str] = ()) -> State:
    """The state of a run; `stopped` are the ids of those that are known to have been asked to end.

    KFP ends a run that was terminated as FAILED, and its history does not say more (storage/run_store.go). A kfgit that
    serves says it of the tasks.
    """
    if run.state == "FAILED" and (
        run.run_id in stopped or any(row.state == "CANCELED" for row in rows(run.raw))
    ):
        return "CANCELED"
    return run.state if run.state in _STATES else "PENDING"  # type: ignore[return-value]


def record(
    run: KfpRun, environment: str, names: Names, tasks: Sequence[Told] = (), stopped: Container[str] = ()
) -> RunRecord:
    """The record. What `names` does not know is told by its id."""
    state = state_of(run, stopped)
    failed = next(
        (one.record for one in tasks if one.record.state == "FAILED" and one.record.component), None
    )
    return RunRecord(
        id=run.run_id,
        name=run.display_name,
        pipeline=pipeline_of(run, names),
        environment=environment,
        state=state,
        created_at=run.created_at or run.scheduled_at or _NO_TIME,
        experiment=names.experiments.get(run.experiment_id, run.experiment_id) or DEFAULT_EXPERIMENT,
        version=names.versions.get(run.pipeline_version_id or ""),
        inputs=run.parameters,
        started_at=_started(run),
        finished_at=run.finished_at if state in FINAL else None,
        scheduled_at=run.scheduled_at if run.recurring_run_id else None,
        tasks=tuple(one.record for one in tasks),
        error=run.error or (_why(failed) if state == "FAILED" and failed else None),
    )


def pipeline_of(run: KfpRun, names: Names) -> str:
    """The name of the pipeline that it runs."""
    if run.pipeline_id:
        return names.pipelines.get(run.pipeline_id, run.pipeline_id)
    spec = part(run.raw, "pipeline_spec")
    return text(part(part(spec, "pipeline_spec") or spec, "pipelineInfo"), "name") or "?"


def package_of(run: KfpRun, version: KfpVersion | None) -> Package | None:
    """What it runs, as far as the server tells: the spec that it carries, or that of its version."""
    spec: Mapping[str, Any] = part(run.raw, "pipeline_spec") or (version.spec if version else {})
    if not spec:
        return None
    whole = part(spec, "pipeline_spec") or spec
    name = text(part(whole, "pipelineInfo"), "name")
    return Package(name, whole, part(spec, "platform_spec") or None)


def tasks_of(run: KfpRun, package: Package | None, state: State) -> tuple[Told, ...]:
    """Its tasks in the order of the source; where nobody knows the pipeline, what KFP tells."""
    if package is None:
        return tuple(_bare(run, state))
    walk = _Walk(package, nodes.seen(run.raw, package), state)
    return tuple(walk.dag(ROOT, (), ""))


@dataclass(frozen=True, slots=True)
class _Walk:
    package: Package
    seen: Mapping[Place, Seen]
    run: State

    def dag(self, component: str, place: Place, path: str, depth: int = 0) -> Iterator[Told]:
        """The tasks of a DAG, those of a group right after it."""
        for step in steps(self.package, component) if depth < DEEPEST else ():
            here = (*place, step.name)
            below = f"{path}/{step.label}" if path and step.label else step.label or path
            if step.label:
                title = None if step.loop else step.title
                yield self._told(step, here, below, title)
            if step.loop:
                yield from self._iterations(step, here, below, depth)
            elif step.kind == "dag":
                yield from self.dag(step.component, here, below, depth + 1)

    def _iterations(self, step: Step, place: Place, path: str, depth: int) -> Iterator[Told]:
        reached = {
            each[len(place)] for each in self.seen if each[: len(place)] == place and len(each) > len(place)
        }
        for index in sorted(one for one in reached if isinstance(one, int)):
            if step.kind == "dag":
                yield from self.dag(step.component, (*place, index), f"{path}/{index}", depth + 1)
            else:
                yield self._told(step, (*place, index), f"{path}/{index}", step.title)

    def _told(self, step: Step, place: Place, path: str, title: str | None) -> Told:
        told = _task(self.run, self.seen.get(place, Seen("")), path, title, "/".join(map(str, place)))
        return replace(told, outputs=step.outputs) if title is not None else told


def _task(run: State, found: Seen, path: str, title: str | None, key: str) -> Told:
    state = _state(run, found)
    began = title is not None and found.started_at is not None and state not in {"PENDING", "SKIPPED"}
    task = TaskRecord(
        path,
        title,
        state,
        cached=found.cached,
        attempts=max(1, len(found.logs)) if began and not found.cached else 0,
        started_at=found.started_at,
        finished_at=found.finished_at if state in FINAL else None,
        error=found.error,
        key=key,
    )
    return Told(task, found.logs)


def _state(run: State, found: Seen) -> State:
    """What has not ended when the run has never will; what KFP has no word for was not reached."""
    if run in FINAL and found.state not in FINAL:
        return run if found.state in {"RUNNING", "CANCELING"} else "SKIPPED"
    return found.state if found.state in _STATES else "PENDING"  # type: ignore[return-value]


def _bare(run: KfpRun, state: State) -> Iterator[Told]:
    """Rows by their own names, without what KFP adds to the tasks of a pipeline."""
    told = rows(run.raw)
    above = {row.id: row for row in told if row.id}
    for row in told:
        if not _is_added(row, told):
            path = "/".join(reversed(list(_names(row, above))))
            found = Seen(row.state, row.started_at, row.finished_at, row.error, (row.id,))
            yield _task(state, found, path, row.name, row.id)


def _names(row: Row, above: Mapping[str, Row]) -> Iterator[str]:
    """The name of a row and of those that it stands in, but not of the run as a whole."""
    for _ in range(DEEPEST):
        yield row.name
        if row.parent not in above or not above[row.parent].parent:
            return
        row = above[row.parent]


def _is_added(row: Row, told: Sequence[Row]) -> bool:
    if any(each.parent for each in told):
        return not row.parent
    names = {nodes.workflow_of(told), "root", "executor"}
    return row.name in names or row.name.endswith(("-driver", "-iterations", ".onExit"))


def _started(run: KfpRun) -> datetime | None:
    history = run.raw.get("state_history") or ()
    began = [
        time(each, "update_time")
        for each in history
        if isinstance(each, Mapping) and text(each, "state") == "RUNNING"
    ]
    times = [at for at in began if at is not None] or [
        row.started_at for row in rows(run.raw) if row.started_at
    ]
    return min(times) if times else None


def _why(task: TaskRecord) -> str:
    return f"{task.path} failed: {task.error}" if task.error else f"{task.path} failed"
