"""Fills a store with runs and schedules, quickly, through the functions that kfgit itself writes with."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kfgit.backends.local.backend import LocalBackend, LocalSettings
from kfgit.backends.local.folders import run_folder
from kfgit.backends.local.protocol import Outputs
from kfgit.backends.local.store import (
    artifacts,
    experiments,
    packages,
    pipelines,
    runs,
    schedules,
    tasks,
    transitions,
)
from kfgit.events import Artifact, RunRecord, State, TaskRecord
from kfgit.ir import Package

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 2_000
_PIPELINES, _EXPERIMENTS = 20, 50
_TASKS = ("load", "train", "evaluate")


def opened(root: Path) -> LocalBackend:
    """The store of the environment `local` of the project in a folder."""
    state = root / ".kfgit"
    return LocalBackend.open(
        LocalSettings(
            state / "local", state / "secrets", state / "configmaps", root / "environments", "local", "bench"
        )
    )


def fill(backend: LocalBackend, begin: int, end: int) -> None:
    """The ended runs with these numbers, one a minute: three tasks and an artifact each, and an empty folder."""
    for first in range(begin, end, _BATCH):
        with backend.database.write() as db:
            keys = [packages.save(db, package(_pipeline(number))) for number in range(_PIPELINES)]
            ids = [experiments.ensure(db, _experiment(number), _BEGIN) for number in range(_EXPERIMENTS)]
            for number in range(first, min(first + _BATCH, end)):
                _run(backend, db, number, keys[number % _PIPELINES], ids[number % _EXPERIMENTS])


def schedule(backend: LocalBackend, count: int, since: datetime) -> None:
    """So many schedules of one pipeline that fire each minute, from `since` on."""
    with backend.database.write() as db:
        pipeline = pipelines.ensure(db, "nothing", since)
        pipelines.upload(db, pipeline, package("nothing"), since)
        for number in range(count):
            spec = {
                "pipeline": "nothing", "experiment": "Default", "cron": "0 * * * * *", "timezone": "UTC",
                "maxConcurrency": 1, "catchup": False, "enabled": True,
            }  # fmt: skip
            links = schedules.link(db, spec, since)
            schedules.save(db, f"schedule-{number:06}", f"every-minute-{number}", spec, since, links)


def _pipeline(number: int) -> str:
    return f"pipeline-{number % _PIPELINES}"


def _experiment(number: int) -> str:
    return f"experiment-{number % _EXPERIMENTS}"


def _run(
    backend: LocalBackend, db: sqlite3.Connection, number: int, package_key: str, experiment_id: str
) -> None:
    id_, created = f"{number:08x}-0000-4000-8000-000000000000", _BEGIN + timedelta(minutes=number)
    folder = run_folder(created, _pipeline(number), id_)
    new = runs.NewRun(
        id=id_,
        name=f"run-{number}",
        pipeline=_pipeline(number),
        package=package_key,
        environment="local",
        folder=folder,
        created_at=created,
        inputs={"number": number, "rate": 0.5},
        experiment=_experiment(number),
        experiment_id=experiment_id,
    )
    runs.add(db, new)
    transitions.claim(db, id_, "somebody", created)
    ended = created + timedelta(seconds=40)
    state: State = "FAILED" if number % 12 == 7 else "SUCCEEDED"
    model = Artifact(
        f"{number:08x}-model", "model", "system.Model", str(backend.folders.run(folder) / "model")
    )
    done = [
        TaskRecord(name, "yes", state, attempts=1, started_at=created, finished_at=ended, key=name)
        for name in _TASKS
    ]
    tasks.save(db, id_, 0, [tasks.TaskRow(task, place, task.path) for place, task in enumerate(done)])
    artifacts.add(db, id_, "train", Outputs({}, {"model": (model,)}), ended)
    transitions.finish(
        db,
        RunRecord(
            id_, new.name, new.pipeline, "local", state, created, finished_at=ended, outputs={"accuracy": 0.9}
        ),
    )
    backend.folders.run(folder).mkdir()


def package(name: str) -> Package:
    """A pipeline of one container task that does nothing."""
    return Package(
        name,
        {
            "schemaVersion": "2.1.0",
            "pipelineInfo": {"name": name},
            "components": {"comp-yes": {"executorLabel": "exec-yes"}},
            "deploymentSpec": {
                "executors": {"exec-yes": {"container": {"image": "alpine:3.20", "command": ["true"]}}}
            },
            "root": {
                "dag": {
                    "tasks": {
                        "yes": {
                            "taskInfo": {"name": "yes"},
                            "componentRef": {"name": "comp-yes"},
                            "cachingOptions": {},
                        }
                    }
                }
            },
        },
    )
