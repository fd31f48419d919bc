"""Runs of a cluster, looked at and followed: KFP's side is a table of answers, time stands still unless it is slept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from kfgit.backend import Ambiguous, Gone, MachineFault, NotFound, Refused
from kfgit.backends.cluster.connection.wire import Answer, Unreachable, Wire
from kfgit.backends.cluster.history import run_calls
from kfgit.backends.cluster.history.runs import ClusterRuns
from kfgit.backends.cluster.history.watching import LONGEST_PAUSE, PATIENCE_SECONDS, Clock, watch
from kfgit.backends.cluster.kfp.api import KfpApi
from kfgit.events import Event, Preparing, RunFinished, RunStarted, TaskChanged
from kfgit.model import Retention
from tests.cluster.test_nodes import package
from tests.cluster.workflows import details, run

RUN = "0f0f0f0f-1111-4222-8333-444444444444"
OTHER = "0f0f0f0f-2222-4222-8333-444444444444"
POD = "twice-x7k2p-system-container-impl-1"


NOT_THERE = {
    "code": 5,
    "message": "ResourceNotFoundError: it was not found",
    "details": [{"@type": "type.googleapis.com/google.rpc.Status", "code": 5, "message": "it was not found"}],
}


class Kfp:
    """Answers by method and path; of a list of answers one after the other, the last one for ever."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = {
            key: list(found) if isinstance(found, list) else [found] for key, found in answers.items()
        }
        self.asked: list[str] = []
        self.place = "http://kfp"

    def read(self, method: str, path: str, query: Mapping[str, str] | None = None, **_: Any) -> Answer:
        key = f"{method} {path.removeprefix('/apis/v2beta1')}"
        self.asked.append(key + (f"?{query['filter']}" if query and "filter" in query else ""))
        known = self.answers.get(key, [(404, NOT_THERE)])
        found = known.pop(0) if len(known) > 1 else known[0]
        if isinstance(found, Exception):
            raise found
        status, body = found if isinstance(found, tuple) else (200, found)
        return Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), self.place)

    def write(self, method: str, path: str, *_: Any, **more: Any) -> Answer:
        return self.read(method, path, **{key: value for key, value in more.items() if key == "query"})


def runs(answers: Mapping[str, Any], **more: Any) -> tuple[ClusterRuns, Kfp]:
    kfp = Kfp(answers)
    return ClusterRuns(KfpApi(cast("Wire", kfp)), "prod", lambda _: None, **more), kfp


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.slept.append(seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)


def leaf(state: str) -> list[dict[str, Any]]:
    """A run with one task, `work`."""
    return details(
        "work-x7k2p",
        {
            "": ("RUNNING", ["root-driver"]),
            "root-driver": ("SUCCEEDED", ["root"]),
            "root": ("RUNNING", ["root.work-driver"]),
            "root.work-driver": ("SUCCEEDED", ["root.work"]),
            "root.work": (state, ["root.work.executor"]),
            "root.work.executor": (state, []),
        },
    )


SPEC = {
    "pipelineInfo": {"name": "work"},
    "root": {"dag": {"tasks": {"work": {"componentRef": {"name": "comp-work"}}}}},
    "components": {"comp-work": {"executorLabel": "exec-work"}},
    "deploymentSpec": {"executors": {"exec-work": {"container": {"image": "x"}}}},
}


def message(state: str, task: str | None = None, **more: Any) -> dict[str, Any]:
    return run(leaf(task) if task else [], state, pipeline_spec=SPEC, **more)


def shown(events: Iterator[Event]) -> list[str]:
    told = []
    for event in events:
        match event:
            case TaskChanged(task=task):
                told.append(f"{task.path} {task.state}")
            case RunFinished(run=ended):
                told.append(f"finished {ended.state}")
            case RunStarted():
                told.append("started")
            case Preparing(what=what):
                told.append(what)
            case _:
                raise AssertionError(event)
    return told


def test_a_run_is_followed_to_its_end_and_asked_for_ever_less_often() -> None:
    time = Time()
    states = (
        [message("PENDING")] * 2 + [message("RUNNING", "RUNNING")] * 9 + [message("SUCCEEDED", "SUCCEEDED")]
    )
    found, _ = runs({f"GET /runs/{RUN}": states})
    assert shown(watch(found, RUN, time.clock())) == [
        "work PENDING", "started", "work RUNNING", "work SUCCEEDED", "finished SUCCEEDED",
    ]  # fmt: skip
    assert time.slept[:2] == [1.0, 1.5]
    assert time.slept[2] == 1.0, "something happened: it may go on soon"
    assert time.slept[-1] == LONGEST_PAUSE
    assert time.slept[2:] == sorted(time.slept[2:])


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    time = Time()
    away = Unreachable("http://kfp cannot be reached: it is away")
    answers = [message("RUNNING", "RUNNING"), away, away, (503, b"busy"), message("SUCCEEDED", "SUCCEEDED")]
    found, _ = runs({f"GET /runs/{RUN}": answers})
    told = shown(watch(found, RUN, time.clock()))
    assert told[-1] == "finished SUCCEEDED"
    assert sum("cannot be reached" in each for each in told) == 1, "said once"


def test_a_server_that_is_away_for_good_is_given_up() -> None:
    time = Time()
    found, _ = runs({f"GET /runs/{RUN}": [message("RUNNING", "RUNNING"), Unreachable("away")]})
    with pytest.raises(Unreachable):
        list(watch(found, RUN, time.clock()))
    assert PATIENCE_SECONDS < time.at < PATIENCE_SECONDS + 3 * LONGEST_PAUSE


def test_a_run_that_is_deleted_meanwhile_is_not_waited_for() -> None:
    gone = (404, NOT_THERE)
    found, _ = runs({f"GET /runs/{RUN}": [message("RUNNING", "RUNNING"), gone], "GET /runs": {}})
    with pytest.raises(NotFound):
        list(watch(found, RUN, Time().clock()))


def test_what_was_asked_to_stop_ends_as_canceled_though_kfp_says_failed() -> None:
    found, _ = runs({f"GET /runs/{RUN}": [message("CANCELING", "RUNNING"), message("FAILED", "FAILED")]})
    assert shown(watch(found, RUN, Time().clock()))[-1] == "finished CANCELED"
    assert found.get(RUN).state == "CANCELED"


def test_a_task_that_failed_comes_with_the_end_of_its_log() -> None:
    found, kfp = runs({f"GET /runs/{RUN}": message("FAILED", "FAILED")})
    pod = found.reader(RUN)()[1][0].logs[-1]
    log = f"GET /apis/v1alpha1/runs/{RUN}/nodes/{pod}/log"
    kfp.answers[log] = [(200, b"".join(b"line %d\n" % n for n in range(99)))]
    events = list(watch(found, RUN, Time().clock()))
    (failed,) = [each for each in events if isinstance(each, TaskChanged)]
    assert failed.log_tail[-1] == "line 98"
    assert len(failed.log_tail) == 15
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.run.error == "work failed"


GONE = b'{"error_message":"Failed to read logs for run r: pods not found","error_details":"at some line"}'


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((200, b"hello\n"), "hello\n"),
        ((200, b""), ""),
        ((200, GONE), None),
        ((200, b"hello\n" + GONE), "hello\n"),
        ((200, b'{"error_message":"of the program itself"'), '{"error_message":"of the program itself"'),
        ((200, b'{"error_message":"x", "metric": 1}'), '{"error_message":"x", "metric": 1}'),
        ((404, b"{}"), None),
    ],
    ids=str,
)
def test_kfp_says_that_a_log_is_gone_behind_a_good_status(
    answer: tuple[int, bytes], text: str | None
) -> None:
    _, kfp = runs({f"GET /apis/v1alpha1/runs/{RUN}/nodes/{POD}/log": answer})
    assert run_calls.log(KfpApi(cast("Wire", kfp)), RUN, POD) == text


def test_a_log_that_is_gone_is_told_so() -> None:
    found, _ = runs({f"GET /runs/{RUN}": message("SUCCEEDED", "SUCCEEDED")})
    with pytest.raises(Gone, match=r"`work` is gone: .*pod work-x7k2p-system-container-impl-"):
        found.log(RUN, "work")
    with pytest.raises(NotFound, match="attempt"):
        found.log(RUN, "work", 3)
    with pytest.raises(NotFound) as missing:
        found.log(RUN, "wrok")
    assert missing.value.known == ("work",)


def test_runs_are_named_by_the_beginning_of_their_ids() -> None:
    both = {"runs": [message("RUNNING"), message("RUNNING") | {"run_id": OTHER}]}
    found, kfp = runs({"GET /runs": both})
    with pytest.raises(Ambiguous, match=OTHER):
        found.resolve("0f0f")
    assert '"IS_SUBSTRING"' in kfp.asked[-1]
    assert found.resolve("0f0f0f0f-2") == OTHER
    assert found.resolve("latest") == RUN
    with pytest.raises(NotFound):
        found.resolve("ffff")
    with pytest.raises(NotFound):
        found.resolve("%")


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "CANCELING", "SUCCEEDED"])
def test_only_what_ended_badly_is_retried(state: str) -> None:
    found, kfp = runs({f"GET /runs/{RUN}": message(state)})
    with pytest.raises(Refused, match=state):
        found.retry(RUN)
    assert not any("retry" in each for each in kfp.asked)


def test_a_run_that_goes_on_is_not_deleted() -> None:
    found, kfp = runs({f"GET /runs/{RUN}": message("RUNNING")})
    with pytest.raises(Refused, match="cancel it first"):
        found.delete(RUN)
    assert not any(each.startswith("DELETE") for each in kfp.asked)


def test_canceling_what_has_ended_asks_for_nothing() -> None:
    found, kfp = runs({f"GET /runs/{RUN}": message("SUCCEEDED", "SUCCEEDED")})
    assert found.cancel(RUN).state == "SUCCEEDED"
    assert not any("terminate" in each for each in kfp.asked)


def test_what_ended_while_it_was_asked_to_stop_is_no_mistake() -> None:
    refused = (400, {"code": 3, "message": "Row not found", "details": []})
    states = [message("RUNNING"), message("SUCCEEDED", "SUCCEEDED")]
    found, _ = runs({f"GET /runs/{RUN}": states, f"POST /runs/{RUN}:terminate": refused})
    assert found.cancel(RUN).state == "SUCCEEDED"
    states = [message("RUNNING")]
    found, _ = runs({f"GET /runs/{RUN}": states, f"POST /runs/{RUN}:terminate": refused})
    with pytest.raises(MachineFault, match="Row not found"):
        found.cancel(RUN)


def aged(id_: str, pipeline: str, days: int, state: str = "SUCCEEDED") -> dict[str, Any]:
    at = (datetime(2026, 3, 1, tzinfo=UTC) - timedelta(days=days)).isoformat()
    return {
        "run_id": id_, "display_name": id_, "state": state, "created_at": at, "finished_at": at,
        "pipeline_version_reference": {"pipeline_id": pipeline, "pipeline_version_id": "v"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("retention", "gone"),
    [
        (Retention(), []),
        (Retention(count=1), ["old", "older"]),
        (Retention(age=86400 * 5), ["older"]),
        (Retention(count=2, age=86400), ["older"]),
    ],
    ids=str,
)
def test_the_sweep_leaves_the_runs_of_others_alone(retention: Retention, gone: list[str]) -> None:
    all_ = [
        aged("running", "ours", 0, "RUNNING"), aged("new", "ours", 1), aged("theirs", "other", 2),
        aged("old", "ours", 3), aged("older", "ours", 9),
    ]  # fmt: skip
    answers = {"GET /runs": {"runs": all_}, **{f"DELETE /runs/{each['run_id']}": {} for each in all_}}
    found, kfp = runs(answers, owned=lambda: ["ours"])
    batches = list(found.sweep(retention, datetime(2026, 3, 1, tzinfo=UTC)))
    assert [id_ for batch in batches for id_ in batch] == gone
    assert sorted(each for each in kfp.asked if each.startswith("DELETE")) == [
        f"DELETE /runs/{id_}" for id_ in gone
    ]


def test_a_run_shows_the_names_of_what_it_refers_to() -> None:
    told = run([], "SUCCEEDED", pipeline_version_reference={"pipeline_id": "p", "pipeline_version_id": "v"})
    version = {"pipeline_id": "p", "pipeline_version_id": "v", "name": "abc", "pipeline_spec": SPEC}
    named: dict[str, Callable[[], Any] | Any] = {
        f"GET /runs/{RUN}": told,
        "GET /runs": {"runs": [told]},
        "GET /pipelines/p": {"pipeline_id": "p", "name": "work"},
        "GET /experiments/e": {"experiment_id": "e", "display_name": "course"},
        "GET /pipelines/p/versions/v": version,
    }
    found, _ = runs(named)
    one = found.get(RUN)
    assert (one.pipeline, one.experiment, one.version) == ("work", "course", "abc")
    assert [task.path for task in one.tasks] == ["work"]
    assert found.newest(5)[0].pipeline == "work"


def test_the_checkouts_package_tells_the_tasks_where_it_is_that_of_the_run() -> None:
    spec = {**package("flow").spec}
    spec["root"] = json.loads(json.dumps(spec["root"]).replace('"enableCache": true', '"enableCache": false'))
    told = run([], "RUNNING", pipeline_spec=spec)
    for known, first in ((package("flow"), "gate"), (package("twice"), "condition-branches-4")):
        kfp = Kfp({f"GET /runs/{RUN}": told})
        found = ClusterRuns(KfpApi(cast("Wire", kfp)), "prod", lambda _, known=known: known)  # type: ignore[misc]
        paths = {task.path for task in found.get(RUN).tasks}
        assert ("gate" in paths) == (first == "gate")


@pytest.mark.parametrize(
    "odd",
    [
        {"run_details": {"task_details": 7}},
        {"run_details": {"task_details": [{"display_name": "x", "start_time": "soon"}]}},
        {"state_history": [{"state": "RUNNING", "update_time": 7}]},
        {"pipeline_spec": {"pipelineInfo": {"name": 7}}},
    ],
    ids=str,
)
def test_a_message_that_is_not_kfps_is_a_fault_and_no_traceback(odd: dict[str, Any]) -> None:
    told = message("FAILED", "FAILED") | odd
    found, _ = runs({f"GET /runs/{RUN}": told, "GET /runs": {"runs": [told]}})
    with pytest.raises(MachineFault, match="not KFP's"):
        found.get(RUN)
    if "pipeline_spec" not in odd:
        with pytest.raises(MachineFault, match="not KFP's"):
            found.newest(3)


def test_what_is_not_there_is_not_said_to_be_deleted() -> None:
    found, _ = runs({"GET /runs": {}})
    with pytest.raises(NotFound):
        found.delete(RUN)
