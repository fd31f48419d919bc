"""How long runs took, as KFP tells it of workflows: with what questions, and in whose words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from kfgit.backends.cluster.history.run_times import durations
from kfgit.backends.cluster.kfp import messages as kfp_objects
from kfgit.backends.cluster.kfp.api import KfpApi, KfpPipeline, KfpRun, KfpVersion, RunQuery
from kfgit.durations import RunTimes
from kfgit.ir import Package
from tests.cluster.test_nodes import flow, package
from tests.cluster.workflows import MADE, details, run


@dataclass
class Server:
    """What a KFP server has, and what it was asked. Without `hydrated` its lists have no tasks."""

    messages: Sequence[Mapping[str, Any]]
    versions: Mapping[str, Package]
    hydrated: bool = True
    asked: list[str] = field(default_factory=list)

    def pipelines(self) -> tuple[KfpPipeline, ...]:
        self.asked.append("pipelines")
        names = {"id-of-flow": "flow", "id-of-other": "other"}
        return tuple(kfp_objects.pipeline({"pipeline_id": id_, "name": name}) for id_, name in names.items())

    def each_run(self, query: RunQuery, limit: int) -> Iterator[KfpRun]:
        assert query.state == "SUCCEEDED"
        self.asked.append("runs")
        for message in self.messages[:limit]:
            told = message if self.hydrated else {**message, "run_details": {}}
            self.asked.append("one more")
            yield kfp_objects.run(told)

    def run(self, id_: str) -> KfpRun | None:
        self.asked.append(f"run {id_}")
        return next(kfp_objects.run(each) for each in self.messages if each["run_id"] == id_)

    def version(self, pipeline_id: str, id_: str) -> KfpVersion | None:
        self.asked.append(f"version {id_}")
        if id_ not in self.versions:
            return None
        known = {"pipeline_version_id": id_, "pipeline_id": pipeline_id, "name": id_}
        return kfp_objects.version({**known, "pipeline_spec": self.versions[id_].spec})


def workflow(number: int, version: str = "v1", pipeline: str = "id-of-flow") -> dict[str, Any]:
    """A run of the whole workflow: each of its nodes took ten seconds, the run a minute."""
    told = details("flow-x7k2p", flow())
    for each in told:
        each["end_time"] = MADE.replace("10:00:00", "10:00:10")
    reference = {"pipeline_id": pipeline, "pipeline_version_id": version}
    message = run(
        told, pipeline_version_reference=reference, run_id=f"{number:08}-0000-4000-8000-000000000000"
    )
    return {**message, "finished_at": MADE.replace("10:00:00", "10:01:00")}


def asked(
    server: Server, count: int = 10, names: Sequence[str] = ("flow",), ours: Package | None = None
) -> Mapping[str, tuple[RunTimes, ...]]:
    return durations(cast("KfpApi", server), names, count, lambda _name: ours)


V1 = {"v1": package("flow")}


def test_tasks_are_told_in_the_words_of_the_checkout() -> None:
    [found] = asked(Server([workflow(1)], V1), ours=package("flow"))["flow"]
    assert found.seconds == 60
    assert found.tasks == {
        "first": 10, "sweep": 10, "sweep/0/train": 10, "sweep/0/check": 10, "sweep/1/train": 0,
        "sweep/1/check": 10, "gate": 10, "gate/full": 10, "gate/small": 0, "last": 0, "onExit": 10,
    }  # fmt: skip


def test_what_the_checkout_has_not_is_told_by_the_names_that_it_has() -> None:
    [found] = asked(Server([workflow(1)], V1), ours=package("twice"))["flow"]
    assert found.tasks["first"] == 10
    assert "for-loop-3/0/train" in found.tasks


@pytest.mark.parametrize("hydrated", [True, False])
def test_each_run_is_asked_for_only_where_lists_have_no_tasks(*, hydrated: bool) -> None:
    server = Server([workflow(1), workflow(2)], V1, hydrated)
    assert len(asked(server)["flow"]) == 2
    runs = sum(each.startswith("run ") for each in server.asked)
    assert (runs, server.asked.count("version v1")) == (0 if hydrated else 2, 1)


def test_no_more_is_asked_than_needed() -> None:
    server = Server([workflow(n) for n in range(50)], V1)
    assert len(asked(server)["flow"]) == 10
    assert server.asked.count("one more") == 10
    server = Server([workflow(n) for n in range(500)], V1)
    assert "other" not in asked(server, names=("flow", "other"))
    assert server.asked.count("one more") == 400
    server = Server([], V1)
    assert asked(server, names=("unknown",)) == {}
    assert server.asked == ["pipelines"]


def test_runs_of_others_and_of_versions_that_are_gone_are_left_out() -> None:
    runs = [workflow(1, pipeline="id-of-other"), workflow(2, "gone"), workflow(3)]
    assert len(asked(Server(runs, V1))["flow"]) == 1
    assert asked(Server([workflow(2, "gone")], V1)) == {}


def test_only_the_newest_versions_are_asked_for() -> None:
    server = Server([workflow(n, f"v{n}") for n in range(9)], {f"v{n}": package("flow") for n in range(9)})
    assert len(asked(server)["flow"]) == 3
    assert [each for each in server.asked if each.startswith("version")] == [
        "version v0",
        "version v1",
        "version v2",
    ]
