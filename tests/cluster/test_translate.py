"""Schedules in KFP's words and back: what nobody changed is as it was, what somebody changed reads as that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.backends.cluster.kfp import messages as kfp_objects, translate
from kfgit.backends.cluster.kfp.translate import Ids, Names
from kfgit.cron import CronError
from kfgit.plan import difference

IDS = Ids("p-1", "v-1", "e-1")
NAMES = Names({"p-1": "train"}, {"v-1": "0123456789ab"}, {"e-1": "nightly"})

JSON = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
SINCE = datetime(1971, 1, 1, tzinfo=UTC)
TIMES = st.one_of(st.none(), st.integers(0, 10**10).map(lambda n: (SINCE + timedelta(seconds=n)).isoformat()))
TRIGGERS = st.one_of(
    st.fixed_dictionaries(
        {"cron": st.sampled_from(("0 0 2 * * *", "0 30 9 * * MON-FRI")), "every": st.none()}
    ),
    st.fixed_dictionaries({"cron": st.none(), "every": st.integers(1, 10**12)}),
)
SPECS = st.builds(
    lambda spec, trigger: spec | trigger,
    st.fixed_dictionaries(
        {
            "pipeline": st.just("train"),
            "version": st.just("0123456789ab"),
            "experiment": st.just("nightly"),
            "timezone": st.sampled_from(("UTC", "Asia/Kolkata")),
            "start": TIMES,
            "end": TIMES,
            "catchup": st.booleans(),
            "maxConcurrency": st.integers(1, 10),
            "enabled": st.booleans(),
            "inputs": st.dictionaries(st.text(min_size=1), JSON, max_size=3),
            "serviceAccount": st.sampled_from((None, "trainer")),
            "pipelineRoot": st.sampled_from((None, "s3://there")),
        }
    ),
    TRIGGERS,
)
SPEC: dict[str, Any] = {
    "pipeline": "train",
    "version": "0123456789ab",
    "experiment": "nightly",
    "cron": "0 0 2 * * *",
    "every": None,
    "timezone": "UTC",
    "start": None,
    "end": None,
    "catchup": False,
    "maxConcurrency": 1,
    "enabled": True,
    "inputs": {"lr": 0.1, "epochs": 3, "tags": ["a", "b"]},
    "serviceAccount": None,
    "pipelineRoot": None,
}


def sent(spec: Mapping[str, Any], zone: str = "UTC") -> dict[str, Any]:
    message = translate.schedule_message("nightly-train", spec, IDS, zone=zone)
    return translate.switched(message, enabled=spec["enabled"])


def kept(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as KFP gives it back, by the recordings: what is empty is gone, what was left to it is there."""
    full = {
        "recurring_run_id": "r-1",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "namespace": "kubeflow",
        "service_account": "pipeline-runner",
        "status": f"{message['mode']}D",
        **message,
    }
    given_back: dict[str, Any] = json.loads(json.dumps({key: value for key, value in full.items() if value}))
    return given_back


def back(message: Mapping[str, Any], reference: Mapping[str, Any], zone: str = "UTC") -> dict[str, Any]:
    found = kfp_objects.schedule(kept(message))
    return translate.schedule_spec(
        found, NAMES, zone, reference, sent(reference, zone) if reference else None
    )


@given(SPECS, st.sampled_from(("UTC", "Asia/Tokyo")))
def test_what_nobody_changed_is_as_it_was(spec: dict[str, Any], zone: str) -> None:
    assert back(sent(spec, zone), spec, zone) == spec


@given(SPECS, st.sampled_from(("UTC", "Asia/Tokyo")))
def test_without_a_word_to_go_by_it_means_the_same(spec: dict[str, Any], zone: str) -> None:
    told = back(sent(spec, zone), {}, zone)
    assert told["serviceAccount"] == (spec["serviceAccount"] or "pipeline-runner")
    assert translate.unlike(sent(told, zone), kept(sent(spec, zone))) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}}}, {"cron": "0 0 3 * * *"}),
        ({"trigger": {"cron_schedule": {"cron": "0 3 * * *"}}}, {"cron": "0 3 * * * *"}),
        ({"trigger": {"periodic_schedule": {"interval_second": "7200"}}}, {"cron": None, "every": 7200}),
        (
            {"trigger": {"cron_schedule": {"cron": "0 0 2 * * *", "start_time": "2026-02-01T00:00:00Z"}}},
            {"start": "2026-02-01T00:00:00+00:00"},
        ),
        ({"runtime_config": {"parameters": {**SPEC["inputs"], "lr": 0.2}}}, {"inputs.lr": 0.2}),
        ({"runtime_config": {"parameters": {"lr": 0.1, "epochs": 3}}}, {"inputs.tags": None}),
        ({"runtime_config": {"parameters": {**SPEC["inputs"], "epochs": True}}}, {"inputs.epochs": True}),
        ({"max_concurrency": "3"}, {"maxConcurrency": 3}),
        ({"no_catchup": False}, {"catchup": True}),
        ({"mode": "DISABLE"}, {"enabled": False}),
        ({"experiment_id": "e-9"}, {"experiment": "e-9 (not found)"}),
        ({"pipeline_version_reference": {"pipeline_id": "p-1"}}, {"version": "latest"}),
        (
            {"pipeline_version_reference": {"pipeline_id": "p-9", "pipeline_version_id": "v-9"}},
            {"pipeline": "p-9 (not found)", "version": "v-9 (not found)"},
        ),
        ({"service_account": "somebody"}, {}),
        ({"runtime_config": {"parameters": SPEC["inputs"], "pipeline_root": "s3://elsewhere"}}, {}),
    ],
)
def test_what_somebody_changed_reads_as_that(change: dict[str, Any], told: dict[str, Any]) -> None:
    live = back({**sent(SPEC), **change}, SPEC)
    assert {each.path: each.after for each in difference(SPEC, live)} == told


def test_what_was_said_and_is_otherwise_now_has_drifted() -> None:
    said = {**SPEC, "serviceAccount": "trainer", "pipelineRoot": "s3://there"}
    live = back({**sent(said), "service_account": "pipeline-runner"}, said)
    assert [(each.path, each.after) for each in difference(said, live)] == [
        ("serviceAccount", "pipeline-runner")
    ]


def test_what_is_left_to_the_server_again_is_a_change() -> None:
    applied = {**SPEC, "serviceAccount": "trainer"}
    there = kept(sent(applied))
    assert translate.unlike(sent(SPEC), there) == ()
    assert translate.unlike(sent(SPEC), there, applied) == ("serviceAccount",)


def test_a_cron_changed_in_the_controllers_zone_reads_in_the_documents() -> None:
    spec = {**SPEC, "timezone": "Asia/Kolkata"}
    assert sent(spec)["trigger"] == {"cron_schedule": {"cron": "0 30 20 * * *"}}
    live = back({**sent(spec), "trigger": {"cron_schedule": {"cron": "0 30 21 * * *"}}}, spec)
    assert [(each.path, each.before, each.after) for each in difference(spec, live)] == [
        ("cron", "0 0 2 * * *", "0 0 3 * * *")
    ]


def test_a_cron_that_the_documents_zone_has_no_words_for_is_told_in_the_controllers() -> None:
    spec = {**SPEC, "timezone": "Asia/Tokyo"}
    live = back({**sent(spec), "trigger": {"cron_schedule": {"cron": "0 0 23 28 2 *"}}}, spec)
    assert (live["cron"], live["timezone"]) == ("0 0 23 28 2 *", "UTC")


def test_a_schedule_goes_on_where_another_ended_unless_the_document_starts_it_later() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)

    def start(written: str | None) -> Any:
        message = translate.schedule_message("n", {**SPEC, "start": written}, IDS, zone="UTC", start=at)
        return message["trigger"]["cron_schedule"].get("start_time")

    assert start(None) == start("2026-01-01T00:00:00+01:00") == "2026-05-01T00:00:00Z"
    assert start("2026-06-01T02:00:00+02:00") == "2026-06-01T00:00:00Z"


def test_what_is_sent_is_as_kfp_wants_it() -> None:
    spec = {**SPEC, "every": 3600, "cron": None, "end": "2030-01-01T00:00:00Z", "pipelineRoot": "s3://there"}
    assert sent(spec) == {
        "display_name": "nightly-train",
        "experiment_id": "e-1",
        "pipeline_version_reference": {"pipeline_id": "p-1", "pipeline_version_id": "v-1"},
        "runtime_config": {"parameters": SPEC["inputs"], "pipeline_root": "s3://there"},
        "max_concurrency": "1",
        "trigger": {"periodic_schedule": {"end_time": "2030-01-01T00:00:00Z", "interval_second": "3600"}},
        "mode": "ENABLE",
        "no_catchup": True,
    }


def test_a_run_has_the_id_that_was_chosen() -> None:
    message = translate.run_message("smoke", SPEC, IDS, "0f0f0f0f-1111-4222-8333-444444444444", "of a test")
    assert message == {
        "run_id": "0f0f0f0f-1111-4222-8333-444444444444",
        "display_name": "smoke",
        "description": "of a test",
        "experiment_id": "e-1",
        "pipeline_version_reference": {"pipeline_id": "p-1", "pipeline_version_id": "v-1"},
        "runtime_config": {"parameters": SPEC["inputs"]},
    }


def test_a_cron_without_words_there_is_no_message() -> None:
    with pytest.raises(CronError):
        sent({**SPEC, "timezone": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (2**53, 2**53 + 1, True),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        ("1", 1, False),
        ([1, {"a": 2}], [1.0, {"a": 2.0}], True),
        ([1, 2], [1], False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (10**400, 10**400, True),
    ],
)
def test_values_are_protobufs(one: Any, other: Any, *, same: bool) -> None:
    assert translate.same_value(one, other) is same
