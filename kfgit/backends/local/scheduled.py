"""The next run of a schedule: what it runs, whether that can be, and the record of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from kfgit import cron, ticks
from kfgit.backend import MachineFault, Refused, RunRequest
from kfgit.backends.local import engine, starting
from kfgit.backends.local.store import experiments, packages, pipelines, runs
from kfgit.backends.local.store.schedules import Schedule
from kfgit.ir import DEFAULT_EXPERIMENT, Package

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Source:
    """What a schedule runs: the key of a package, and the version it came from. `pipeline` is empty for a bare spec."""

    package: str
    pipeline: str
    pipeline_id: str | None = None
    version_id: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The next run as it was checked: of that pipeline, with those inputs."""

    source: Source
    pipeline: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """Id and name of a run; a run that no tick started has none."""

    id: str
    name: str
    tick: datetime | None = None


def rule_of(schedule: Schedule) -> ticks.Rule:
    """When a schedule fires; raises `CronError`."""
    return ticks.read(schedule.spec, enabled=schedule.enabled)


def standing_of(schedule: Schedule, rule: ticks.Rule) -> ticks.Standing:
    """How far a schedule has come. One whose trigger was changed owes nothing of before, whatever its `start`."""
    since = schedule.since
    changed = since != schedule.created_at and (rule.start is None or rule.start <= since)
    return ticks.Standing(since, schedule.last_tick or (since if changed else None))


def concurrency(schedule: Schedule) -> int:
    """How many of its runs may go on at once; KFP's bounds."""
    return min(max(int(schedule.spec.get("maxConcurrency") or 1), 1), 10)


def zone_of(schedule: Schedule) -> str:
    """Its time zone; KFP's API has none."""
    return str(schedule.spec.get("timezone") or "UTC")


def of_tick(schedule: Schedule, tick: datetime) -> Named:
    """The run of a tick: the same whoever fires it, called by the time of the schedule's own zone."""
    identity = f"{schedule.id}/{tick.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return Named(
        str(uuid5(NAMESPACE_URL, f"https://kfgit.dev/tick/{identity}")), run_name(schedule, tick), tick
    )


def run_name(schedule: Schedule, at: datetime) -> str:
    """`nightly-2026-03-01-0200`; with seconds where there are any, and in UTC where the zone is unknown."""
    local = at.astimezone(UTC)
    with suppress(cron.CronError):
        local = at.astimezone(cron.zone_of(zone_of(schedule)))
    seconds = f"{local:%S}" if local.second else ""
    return f"{schedule.name[:_LONGEST_NAME]}-{local:%Y-%m-%d-%H%M}{seconds}"


def source_of(db: sqlite3.Connection, schedule: Schedule) -> Source | Refused:
    """What the schedule would run now, or why it can run nothing."""
    links, name, wanted = (
        schedule.links,
        str(schedule.spec.get("pipeline") or ""),
        schedule.spec.get("version"),
    )
    if links.package is not None:
        # Pinned: it goes on when its version or its pipeline is deleted, as on KFP.
        return Source(links.package, name, links.pipeline_id, links.version_id, wanted)
    found = pipelines.get(db, links.pipeline_id) if links.pipeline_id else None
    if found is None:
        return Refused(f"the pipeline `{name}` does not exist")
    if wanted in {None, "", "latest"}:
        version = pipelines.latest(db, found.id)
    else:
        version = pipelines.named_version(db, found.id, str(wanted))
    if version is None:
        missing = "version" if wanted in {None, "", "latest"} else f"version `{wanted}`"
        return Refused(f"the pipeline `{found.name}` has no {missing}")
    return Source(version.package, found.name, found.id, version.id, version.name)


class Programs:
    """Packages of the store with their programs, each loaded once."""

    def __init__(self, db: sqlite3.Connection, keys: Iterable[str]) -> None:
        self._packages = {key: packages.get(db, key) for key in keys}
        self._loaded: dict[str, engine.Program] = {}

    def prepare(self, schedule: Schedule, source: Source) -> Prepared | Refused:
        """The schedule's next run, checked, or why there can be none. Reads files; not for a transaction."""
        try:
            package, program = self._get(source)
            pipeline = source.pipeline or package.name
            parameters, artifacts = starting.given(package, schedule.spec.get("inputs") or {})
            request = RunRequest("", schedule.name, pipeline, package, parameters, artifacts)
            return Prepared(source, pipeline, starting.checked(request, program))
        except Refused as refusal:
            return refusal
        except MachineFault:
            raise
        except Exception as fault:  # noqa: BLE001 - one schedule must not stop the others
            return Refused(f"kfgit broke off: {fault!r}")

    def _get(self, source: Source) -> tuple[Package, engine.Program]:
        package = self._packages[source.package]
        if package is None:
            raise Refused(f"the package of `{source.pipeline}` is gone")
        if source.package not in self._loaded:
            self._loaded[source.package] = starting.loaded(source.pipeline or package.name, package)
        return package, self._loaded[source.package]


def record(
    db: sqlite3.Connection, schedule: Schedule, prepared: Prepared, run: Named, environment: str, at: datetime
) -> bool:
    """Writes the run as PENDING; False when its id is known already."""
    source, links = prepared.source, schedule.links
    known = experiments.get(db, links.experiment_id) if links.experiment_id else None
    experiment = known.name if known else str(schedule.spec.get("experiment") or DEFAULT_EXPERIMENT)
    # An inline spec as the client of the API wrote it, for it is told so of the run as well.
    written = (links.written or {}).get("pipeline_spec")
    return runs.add(
        db,
        runs.NewRun(
            id=run.id,
            name=run.name,
            pipeline=prepared.pipeline,
            package=source.package,
            environment=environment,
            folder=starting.free_folder(db, prepared.pipeline, run.id, at),
            created_at=at,
            inputs=prepared.inputs,
            options={"cache": True, "executor": "auto"} | ({"pipeline_spec": written} if written else {}),
            experiment=experiment,
            version=source.version,
            scheduled_at=run.tick,
            schedule=schedule.id,
            experiment_id=known.id if known else experiments.ensure(db, experiment, at),
            pipeline_id=source.pipeline_id,
            version_id=source.version_id,
            service_account=links.service_account,
            pipeline_root=links.pipeline_root,
        ),
    )
