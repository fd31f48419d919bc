"""Recurring runs through the API: made, told, switched, deleted; and that what is made here fires."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local import firing
from kfgit.backends.local.store import experiments, pipelines, runs, schedules
from kfgit.ir import Package
from kfgit.server import app
from kfgit.server.routing import Table
from tests.backends import local_samples as samples
from tests.server.calling import Api, api, reference

STAMP = "2026-03-01T12:00:00Z"
PLAIN = samples.package({"a": ([], ())})
TYPED = samples.package({"a": ([], ())}, inputs={"x": "STRING"})
HOURLY = {"periodic_schedule": {"interval_second": "3600"}}


def made(call: Api, **changed: Any) -> Any:
    body = {"display_name": "s", "pipeline_spec": PLAIN.spec, "max_concurrency": "1", "trigger": HOURLY}
    return call(
        "POST",
        "/recurringruns",
        {name: value for name, value in (body | changed).items() if value is not None},
    )


def refused(call: Api, **changed: Any) -> tuple[int, int, str]:
    body = {"display_name": "s", "pipeline_spec": PLAIN.spec, "max_concurrency": "1", "trigger": HOURLY}
    given = {name: value for name, value in (body | changed).items() if value is not None}
    return call.refused("POST", "/recurringruns", given)


def fire(call: Api, until: datetime | None = None) -> list[Any]:
    """Fires what is due now; the runs of all schedules, oldest first."""
    call.now = until or call.now
    while firing.fire(call.backend.database, "local", call.now).looked:
        pass
    return list(call("GET", "/runs", page_size="200").get("runs", []))


def test_a_schedule_of_a_version_is_told_as_kfp_tells_it(tmp_path: Path) -> None:
    call = api(tmp_path)
    version = call.upload(TYPED)
    told = call(
        "POST",
        "/recurringruns",
        {
            "display_name": "weekly",
            "description": "every monday",
            "pipeline_version_reference": reference(version),
            "runtime_config": {"parameters": {"x": "a"}, "pipeline_root": "s3://b"},
            "max_concurrency": 2,
            "mode": "ENABLE",
            "no_catchup": True,
            "service_account": "trainer",
            "trigger": {
                "cron_schedule": {
                    "cron": "0 0 2 * * 1",
                    "start_time": "2030-01-01T01:00:00.5+01:00",
                    "end_time": "2031-01-01T00:00:00Z",
                }
            },
        },
    )
    assert told == {
        "created_at": STAMP,
        "description": "every monday",
        "display_name": "weekly",
        "experiment_id": told["experiment_id"],
        "max_concurrency": "2",
        "mode": "ENABLE",
        "namespace": "kubeflow",
        "no_catchup": True,
        "pipeline_version_reference": reference(version),
        "recurring_run_id": told["recurring_run_id"],
        "runtime_config": {"parameters": {"x": "a"}, "pipeline_root": "s3://b"},
        "service_account": "trainer",
        "status": "ENABLED",
        "trigger": {
            "cron_schedule": {
                "cron": "0 0 2 * * 1",
                "start_time": "2030-01-01T00:00:00Z",
                "end_time": "2031-01-01T00:00:00Z",
            }
        },
        "updated_at": STAMP,
    }
    assert call("GET", f"/recurringruns/{told['recurring_run_id']}") == told
    assert call("GET", "/recurringruns") == {"recurringRuns": [told], "total_size": 1}


def test_what_plan_and_the_scheduler_see_of_it(tmp_path: Path) -> None:
    call = api(tmp_path)
    version = call.upload(PLAIN)
    id_ = made(
        call,
        pipeline_spec=None,
        pipeline_version_reference=reference(version),
        trigger={"cron_schedule": {"cron": "0 2 * * 1"}},
    )["recurring_run_id"]
    with call.backend.database.read() as db:
        stored = schedules.get(db, id_)
    assert stored is not None
    assert stored.spec == {
        "pipeline": "demo",
        "version": version.name,
        "experiment": "Default",
        "cron": "0 2 * * 1 *",
        "every": None,
        "timezone": "UTC",
        "start": None,
        "end": None,
        "catchup": True,
        "maxConcurrency": 1,
        "enabled": False,
        "inputs": {},
    }
    assert stored.links.package == version.package


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"display_name": None}, "name"),
        ({"max_concurrency": None}, "Received 0"),
        ({"max_concurrency": "0"}, "Received 0"),
        ({"max_concurrency": "11"}, "Received 11"),
        ({"max_concurrency": "-1"}, "Received -1"),
        ({"trigger": {"cron_schedule": {"cron": "61 * * * * *"}}}, "cron"),
        ({"trigger": {"cron_schedule": {"cron": "0 0 0 * * 7"}}}, "cron"),
        ({"trigger": {"cron_schedule": {"cron": ""}}}, "cron"),
        ({"trigger": {"cron_schedule": {}}}, "cron"),
        ({"trigger": {"cron_schedule": {"cron": "* * * *"}}}, "cron"),
        ({"trigger": {"cron_schedule": {"cron": "@never"}}}, "cron"),
        ({"trigger": {"cron_schedule": {"cron": "@every soon"}}}, "cron"),
        ({"trigger": {"cron_schedule": {"cron": "TZ=Asia/Tokyo 0 0 0 * * *"}}}, "cron"),
        ({"trigger": {"periodic_schedule": {"interval_second": "0"}}}, "interval 0"),
        ({"trigger": {"periodic_schedule": {}}}, "interval 0"),
        ({"trigger": {"periodic_schedule": {"interval_second": "-5"}}}, "interval -5"),
        ({"trigger": {**HOURLY, "cron_schedule": {"cron": "@daily"}}}, "only one"),
        ({"pipeline_spec": None}, "pipeline"),
        ({"runtime_config": {"parameters": {"zzz": 1}}}, "zzz"),
        ({"pipeline_spec": None, "pipeline_version_reference": {"pipeline_version_id": "none"}}, "none"),
        ({"namespace": "elsewhere"}, "elsewhere"),
        ({"mode": "SOMETIMES"}, "mode"),
        ({"mode": 9}, "mode"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused(tmp_path: Path, changed: Mapping[str, Any], named: str) -> None:
    call = api(tmp_path)
    status, code, text = refused(call, **changed)
    assert (status, code) == (400, 3)
    assert named in text
    assert call("GET", "/recurringruns") == {}


def test_a_pipeline_alone_must_be_there_and_have_a_version(tmp_path: Path) -> None:
    call = api(tmp_path)
    empty = call("POST", "/pipelines", {"name": "empty"})["pipeline_id"]
    for id_ in ("nobody", empty):
        answer = refused(call, pipeline_spec=None, pipeline_version_reference={"pipeline_id": id_})
        assert (*answer[:2], id_ in answer[2]) == (404, 5, True)


def test_the_experiment_and_its_namespace(tmp_path: Path) -> None:
    call = api(tmp_path)
    assert refused(call, experiment_id="nobody")[:2] == (404, 5)
    with call.backend.database.write() as db:
        id_ = experiments.ensure(db, "mine", call.now)
    assert refused(call, experiment_id=id_, namespace="kubeflow")[:2] == (400, 3)
    assert made(call, experiment_id=id_)["experiment_id"] == id_
    assert made(call, namespace="kubeflow")["namespace"] == "kubeflow"
    assert call("GET", "/recurringruns", experiment_id=id_)["total_size"] == 1
    assert call.refused("GET", "/recurringruns", experiment_id="nobody")[:2] == (404, 5)


@pytest.mark.parametrize(
    "text", ["@hourly", "@daily", "@every 45m", "0 0 0 30 2 *", "0 2 * * 1", "? 0 0 1/2 * ?"]
)
def test_crons_are_given_back_as_they_were_written(tmp_path: Path, text: str) -> None:
    call = api(tmp_path)
    told = made(call, trigger={"cron_schedule": {"cron": text}}, mode="ENABLE")
    assert told["trigger"] == {"cron_schedule": {"cron": text}}
    fire(call, call.now + timedelta(hours=1))


def test_an_inline_spec_is_given_back_and_fires(tmp_path: Path) -> None:
    call = api(tmp_path)
    told = made(call, mode="ENABLE")
    assert told["pipeline_spec"]["pipelineInfo"] == {"name": "demo"}
    (run,) = fire(call, call.now + timedelta(hours=1))
    assert (run["recurring_run_id"], run["pipeline_spec"]) == (
        told["recurring_run_id"],
        told["pipeline_spec"],
    )
    assert run["scheduled_at"] == "2026-03-01T13:00:00Z"


def test_a_pinned_schedule_goes_on_when_its_pipeline_is_deleted(tmp_path: Path) -> None:
    call = api(tmp_path)
    version = call.upload(PLAIN)
    made(call, pipeline_spec=None, pipeline_version_reference=reference(version), mode="ENABLE")
    with call.backend.database.write() as db:
        pipelines.remove(db, version.pipeline_id)
    (run,) = fire(call, call.now + timedelta(hours=1))
    assert run["pipeline_version_reference"] == reference(version)


def test_a_schedule_of_a_pipeline_takes_the_newest_version(tmp_path: Path) -> None:
    call = api(tmp_path)
    version = call.upload(PLAIN)
    told = made(
        call,
        pipeline_spec=None,
        pipeline_version_reference={"pipeline_id": version.pipeline_id},
        mode="ENABLE",
    )
    assert told["pipeline_version_reference"] == {"pipeline_id": version.pipeline_id}
    assert "service_account" not in told
    call.later(minutes=1)
    newer = call.upload(Package("demo", samples.package({"b": ([], ())}).spec))
    (run,) = fire(call, call.now + timedelta(hours=1))
    assert run["pipeline_version_reference"] == reference(newer)


def test_without_a_trigger_it_fires_once_at_once(tmp_path: Path) -> None:
    call = api(tmp_path)
    told = made(call, trigger=None, mode="ENABLE")
    assert told["trigger"] == {}
    assert len(fire(call)) == 1
    assert len(fire(call, call.now + timedelta(days=2))) == 1


def test_enable_and_disable(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = made(call)["recurring_run_id"]
    for verb, mode in (
        ("enable", "ENABLE"),
        ("enable", "ENABLE"),
        ("disable", "DISABLE"),
        ("disable", "DISABLE"),
    ):
        call.later(seconds=1)
        assert call("POST", f"/recurringruns/{id_}:{verb}") == {}
        told = call("GET", f"/recurringruns/{id_}")
        assert (told["mode"], told["status"]) == (mode, f"{mode}D")
    assert call("GET", f"/recurringruns/{id_}")["updated_at"] == "2026-03-01T12:00:03Z"


@pytest.mark.parametrize(("no_catchup", "count"), [(False, 5), (True, 1)])
def test_a_schedule_that_is_enabled_late_owes_what_its_rule_says(
    tmp_path: Path, *, no_catchup: bool, count: int
) -> None:
    call = api(tmp_path)
    trigger = {"cron_schedule": {"cron": "0 0 * * * *"}}
    id_ = made(call, no_catchup=no_catchup, trigger=trigger, max_concurrency="10")["recurring_run_id"]
    assert fire(call, call.now + timedelta(hours=5, minutes=30)) == []
    call("POST", f"/recurringruns/{id_}:enable")
    assert len(fire(call)) == count


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (None, "CANCELING"),
        ("BACKGROUND", "CANCELING"),
        ("FOREGROUND", "CANCELING"),
        ("ORPHAN", "PENDING"),
        ("3", "PENDING"),
    ],
)
def test_delete_ends_the_runs_of_a_schedule_unless_they_are_orphaned(
    tmp_path: Path, policy: str | None, state: str
) -> None:
    call = api(tmp_path)
    id_ = made(call, mode="ENABLE")["recurring_run_id"]
    (run,) = fire(call, call.now + timedelta(hours=1))
    assert call("DELETE", f"/recurringruns/{id_}", **({"propagation_policy": policy} if policy else {})) == {}
    assert call("GET", f"/runs/{run['run_id']}")["state"] == state
    assert call.refused("GET", f"/recurringruns/{id_}")[:2] == (404, 5)
    assert len(fire(call, call.now + timedelta(hours=9))) == 1


def test_an_inline_spec_is_given_back_as_it_came(tmp_path: Path) -> None:
    call = api(tmp_path)
    written = {**samples.package({"a": ([], ())}).spec, "defaultPipelineRoot": ""}
    id_ = made(call, pipeline_spec=written)["recurring_run_id"]
    assert call("GET", f"/recurringruns/{id_}")["pipeline_spec"] == written


def test_delete_takes_no_other_policy(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = made(call)["recurring_run_id"]
    for policy in ("MAYBE", "", "9", "orphan"):
        assert call.refused("DELETE", f"/recurringruns/{id_}", propagation_policy=policy)[:2] == (400, 3)
    assert call("GET", f"/recurringruns/{id_}")["display_name"] == "s"


@pytest.mark.parametrize(
    ("method", "verb"), [("GET", ""), ("DELETE", ""), ("POST", ":enable"), ("POST", ":disable")]
)
def test_an_unknown_schedule_is_not_found(tmp_path: Path, method: str, verb: str) -> None:
    status, code, text = api(tmp_path).refused(method, f"/recurringruns/nobody{verb}")
    assert (status, code) == (404, 5)
    assert "Job nobody not found" in text


def test_there_is_no_update() -> None:
    """The server answers 501 then, as KFP does."""
    assert Table(app.routes()).find("PATCH", "/apis/v2beta1/recurringruns/one") == "method"


def test_a_tick_that_the_controller_reports_twice_is_one_run(tmp_path: Path) -> None:
    call = api(tmp_path)
    id_ = made(call)["recurring_run_id"]
    body = {"display_name": "s-1", "pipeline_spec": PLAIN.spec, "recurring_run_id": id_}
    first = call("POST", "/runs", body)
    assert call("POST", "/runs", body) == first
    assert call("GET", "/runs")["total_size"] == 1
    with call.backend.database.read() as db:
        assert runs.active_of(db, id_) == 1


def test_a_schedule_of_apply_is_told_like_any_other(tmp_path: Path) -> None:
    call = api(tmp_path)
    version = call.upload(PLAIN)
    spec: dict[str, Any] = {
        "pipeline": "demo", "version": version.name, "experiment": "exp", "cron": "0 0 2 * * *", "every": None,
        "timezone": "Europe/Berlin", "start": "2026-01-01T00:00:00+00:00", "end": None, "catchup": False,
        "maxConcurrency": 3, "enabled": True, "inputs": {},
    }  # fmt: skip
    with call.backend.database.write() as db:
        schedules.save(db, "one", "nightly", spec, call.now, schedules.link(db, spec, call.now))
    told = call("GET", "/recurringruns/one")
    assert told["trigger"] == {"cron_schedule": {"cron": "0 0 2 * * *", "start_time": "2026-01-01T00:00:00Z"}}
    assert (told["max_concurrency"], told["no_catchup"], told["mode"]) == ("3", True, "ENABLE")
    assert told["pipeline_version_reference"] == reference(version)
    every = {**spec, "cron": None, "every": 90, "start": None}
    with call.backend.database.write() as db:
        schedules.save(db, "two", "often", every, call.now, schedules.link(db, every, call.now))
    assert call("GET", "/recurringruns/two")["trigger"] == {"periodic_schedule": {"interval_second": "90"}}


def test_the_ends_of_time_do_no_harm(tmp_path: Path) -> None:
    call = api(tmp_path)
    for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        told = made(
            call, trigger={"periodic_schedule": {"interval_second": "1", "start_time": at}}, mode="ENABLE"
        )
        assert told["trigger"]["periodic_schedule"]["start_time"] == at
    fire(call, datetime(2026, 3, 1, 13, tzinfo=UTC))
