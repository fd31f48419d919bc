"""Runs that people start on a cluster: by a version where its content is live, else with a spec of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault, Refused, RunRequest
from kfgit.backends.cluster.changes import starting
from kfgit.backends.cluster.changes.applying import Calls
from kfgit.backends.cluster.changes.starting import Standing
from kfgit.backends.cluster.connection.wire import Wire
from kfgit.backends.cluster.kfp.api import KfpApi, RunQuery
from kfgit.ir import Package
from tests.cluster import carrying
from tests.cluster.carrying import Fated, Target, package, resource

HELLO = package("hello")


def request(**given: Any) -> RunRequest:
    """A run of the package that says hello."""
    asked = {"name": "now", "pipeline": f"pipe-{uuid4().hex[:8]}", "package": HELLO, **given}
    return RunRequest(str(uuid4()), parameters={"who": "me"}, **asked)


def live(target: Target, made_of: Package) -> str:
    """The name of a pipeline that is applied."""
    name = f"pipe-{uuid4().hex[:8]}"
    spec = {"displayName": "", "description": "", "digest": made_of.digest}
    target.apply([resource("Pipeline", name, spec, made_of)])
    return name


def test_a_run_refers_to_the_version_that_is_live(target: Target) -> None:
    name = live(target, HELLO)
    asked = request(pipeline=name, experiment=f"exp-{uuid4().hex[:8]}")
    run = starting.start(Calls(target.kfp), asked, Standing("gs://bucket/runs", "runner"))
    pipeline = target.kfp.pipeline_named(name)
    version = pipeline and target.kfp.version_named(pipeline.pipeline_id, HELLO.digest[:12])
    experiment = target.kfp.experiment_named(asked.experiment)
    assert pipeline
    assert version
    assert experiment
    assert run.run_id == asked.id
    assert (run.pipeline_id, run.pipeline_version_id) == (pipeline.pipeline_id, version.pipeline_version_id)
    assert run.experiment_id == experiment.experiment_id
    assert run.raw["service_account"] == "runner"
    assert run.raw["runtime_config"] == {"parameters": {"who": "me"}, "pipeline_root": "gs://bucket/runs"}


@pytest.mark.parametrize("given", [{"package": package("what nobody applied")}, {"cache": False}])
def test_a_run_of_something_else_carries_it(target: Target, given: dict[str, Any]) -> None:
    asked = request(pipeline=live(target, HELLO), **given)
    run = starting.start(Calls(target.kfp), asked, Standing())
    assert run.pipeline_id is None
    spec = run.raw["pipeline_spec"]
    assert spec["deploymentSpec"] == asked.package.spec["deploymentSpec"]
    cached = spec["root"]["dag"]["tasks"]["say"]["cachingOptions"].get("enableCache", False)
    assert cached is asked.cache


def test_platform_settings_go_along(target: Target) -> None:
    platform = {
        "platforms": {
            "kubernetes": {"deploymentSpec": {"executors": {"exec-say": {"imagePullPolicy": "Always"}}}}
        }
    }
    asked = request(package=replace(HELLO, platform=platform))
    run = starting.start(Calls(target.kfp), asked, Standing())
    assert run.raw["pipeline_spec"]["platform_spec"] == platform
    assert run.raw["pipeline_spec"]["pipeline_spec"]["pipelineInfo"] == {"name": "greet"}


def test_without_the_cache_no_task_looks_for_earlier_results() -> None:
    deep = {"cachingOptions": {"enableCache": True}, "componentRef": {"name": "comp-say"}}
    inner = {"dag": {"tasks": {"deep": deep}}}
    spec = {**HELLO.spec, "components": {**HELLO.spec["components"], "comp-inner": inner}}
    found = starting.inline(Package("greet", spec), cache=False)
    for dag in found["root"], found["components"]["comp-inner"]:
        assert [each["cachingOptions"] for each in dag["dag"]["tasks"].values()] == [{"enableCache": False}]
    assert found["components"]["comp-say"] == HELLO.spec["components"]["comp-say"]
    assert deep["cachingOptions"] == {"enableCache": True}


def test_artifacts_cannot_be_given(target: Target) -> None:
    with pytest.raises(Refused, match=r"takes no artifacts .*\(data\)"):
        starting.start(Calls(target.kfp), request(artifacts={"data": "s3://x"}), Standing())


def test_the_same_id_starts_one_run(target: Target) -> None:
    asked = request(name=f"once-{uuid4().hex[:8]}")
    calls = Calls(target.kfp)
    assert starting.start(calls, asked, Standing()).run_id == starting.start(calls, asked, Standing()).run_id
    assert len(target.kfp.runs(RunQuery(display_name=asked.name))) == 1


@pytest.mark.parametrize("fate", ["cut_after", "broken_after", "doubled", "late"])
def test_a_run_whose_answer_is_lost_is_found(target: Target, fate: str) -> None:
    asked = request(name=f"lost-{uuid4().hex[:8]}")
    wire = Fated(target.wire, fate=carrying.FATES[fate], on="/runs")
    run = starting.start(_calls(wire), asked, Standing())
    assert run.run_id == asked.id
    assert len(target.kfp.runs(RunQuery(display_name=asked.name))) == 1
    assert [each for each in wire.writes if each.endswith("/runs")] == ["POST /apis/v2beta1/runs"]


@pytest.mark.parametrize("fate", ["cut_before", "broken"])
def test_a_run_that_may_not_have_started_is_not_asked_for_twice(target: Target, fate: str) -> None:
    asked = request()
    wire = Fated(target.wire, fate=carrying.FATES[fate], on="/runs")
    with pytest.raises(MachineFault):
        starting.start(_calls(wire), asked, Standing())
    assert [each for each in wire.writes if each.endswith("/runs")] == ["POST /apis/v2beta1/runs"]


def _calls(wire: Fated) -> Calls:
    naps: list[float] = []
    return Calls(KfpApi(cast("Wire", wire)), sleep=naps.append)
