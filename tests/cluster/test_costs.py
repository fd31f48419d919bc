"""Costs on a cluster: how long runs took is read off KFP's tasks, with few requests, and a budget refuses there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.site import COMPONENTS, PIPELINES, SCHEDULES, Site, site

PROFILE = """\
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: big}
spec: {requests: {cpu: 100m}, cost: {perHour: 3600}}
"""
PRICED = PIPELINES.replace("train: {component: greet", "train: {component: greet, profile: big").replace(
    "full: {component: greet", "full: {component: greet, profile: big"
)
# KFP's times are whole seconds.
SLOW = COMPONENTS.replace('echo "greeting $(inputs.name)"', 'sleep 1.1; echo "greeting $(inputs.name)"')
HOME = "environments/prod.yaml"


@pytest.fixture(scope="module")
def prod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster where everything is applied, and nothing has run."""
    with site(cluster, tmp_path_factory.mktemp("site")) as found:
        found.commit({"components/all.yaml": SLOW + PROFILE, "pipelines/all.yaml": PRICED})
        found("apply", "--yes")
        yield found


def costs(prod: Site) -> Any:
    return prod.json("plan")["costs"]


def ran(prod: Site) -> Any:
    """A run that is over, as `runs show` tells it."""
    known = {each["id"] for each in prod.json("runs", "list")["items"]}
    prod("schedules", "trigger", "nightly")
    [new] = [each["id"] for each in prod.json("runs", "list")["items"] if each["id"] not in known]
    prod("runs", "watch", new)
    return prod.json("runs", "show", new)


def took(task: Any) -> float:
    start, end = (datetime.fromisoformat(task[key]) for key in ("startedAt", "finishedAt"))
    return (end - start).total_seconds()


def test_costs_and_budget(prod: Site) -> None:
    asked_before = prod.json("plan")["requests"]
    found = costs(prod)
    [flow] = found["pipelines"]
    assert (flow["name"], flow["perRun"], found["unknown"]) == ("flow", None, ["nightly"])

    run = ran(prod)
    assert run["state"] == "SUCCEEDED"
    found = costs(prod)
    [flow] = found["pipelines"]
    priced = [each for each in run["tasks"] if each["path"].endswith(("/train", "gate/full"))]
    assert len(priced) == 3
    assert flow["perRun"]["USD"] == pytest.approx(sum(took(each) for each in priced), abs=0.001)
    assert flow["runs"] == 1
    assert flow["perRun"]["USD"] > 0
    # Disabled ones and those without a price cost nothing.
    assert {each["name"]: each["fires"] for each in found["schedules"]} == {"nightly": 30, "berlin": 0}
    assert found["perMonth"]["USD"] == pytest.approx(30 * flow["perRun"]["USD"], abs=0.01)
    # A list of pipelines and one of runs; then also one version.
    assert prod.json("plan")["requests"] == asked_before + 1

    home = (prod.project.root / HOME).read_text()
    prod.commit(
        {
            HOME: f"{home.rstrip()}\n  policies: {{budgetPerMonth: 0}}\n",
            "pipelines/schedules.yaml": SCHEDULES.replace("0 2 * * *", "0 * * * *"),
        }
    )
    told = prod("plan", code=3)
    assert "the schedules of `prod` would cost " in told.err
    assert ", until now " in told.out
    told = prod("apply", "--yes", code=3)
    assert "the policies of `prod` forbid this: policy-budget-per-month" in told.err
    prod.commit({HOME: home})
    prod("apply", "--yes")
    assert prod.json("plan")["summary"]["unchanged"]


def test_no_price_no_request(prod: Site) -> None:
    assert ran(prod)["state"] == "SUCCEEDED"
    priced = prod.json("plan")
    prod.commit({"components/all.yaml": SLOW + PROFILE.replace(", cost: {perHour: 3600}", "")})
    plain = prod.json("plan")
    assert plain["costs"] is None
    assert priced["requests"] - plain["requests"] == 3
