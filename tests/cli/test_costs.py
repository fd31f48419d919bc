"""What plans say that runs and schedules cost, by runs that really ran, and what a budget makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LOCAL, Kfgit, MakeProject

# A cent in a hundredth of a second: 3600 an hour are one a second.
SOURCES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: big}
spec: {limits: {cpu: 100m}, cost: {perHour: 3600}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: unpriced}
spec: {accelerator: {resource: nvidia.com/gpu}}
---
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: work}
spec:
  inputs: {word: {type: string}}
  container: {image: "e.com/a:1", script: "sleep 0.2; echo $(inputs.word)"}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: flow}
spec:
  tasks:
    sweep:
      forEach: [a, b]
      tasks: {train: {component: work, profile: big, inputs: {word: $(item)}}}
    gate:
      switch:
        - when: 1 == 1
          tasks: {taken: {component: work, inputs: {word: x}}}
        - tasks: {other: {component: work, profile: big, inputs: {word: y}}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec: {pipeline: flow, cron: "0 2 * * *"}
"""
ANOTHER = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: other}
spec: {tasks: {a: {component: work, profile: %(profile)s, inputs: {word: x}}}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: hourly}
spec: {pipeline: other, cron: "0 * * * *", enabled: %(enabled)s}
"""

EUROS = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: euros}
spec: {cost: {perHour: 1, currency: EUR}}
---
"""


def files(budget: str = "", **more: str) -> Mapping[str, str]:
    policies = f"\n  policies: {{budgetPerMonth: {budget}}}\n" if budget else "\n"
    home = LOCAL.rstrip() + policies
    return {"environments/local.yaml": home, "pipelines/p.yaml": SOURCES, **more}


def costs(kfgit: Kfgit, root: Path) -> Any:
    return json.loads(kfgit("plan", "-o", "json", cwd=root).out)["costs"]


@pytest.fixture
def ran(kfgit: Kfgit, project: MakeProject) -> MakeProject:
    """A project whose pipeline `flow` has run; nothing is applied."""
    root = project(files())
    assert kfgit("run", "flow", "--no-cache", cwd=root).code == 0
    return project


def test_before_any_run_nobody_knows(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(files())
    told = kfgit("plan", cwd=root)
    assert told.code == 0
    assert "cost of a run unknown: no run has succeeded yet" in told.out
    assert "What they will cost is not known of nightly (no run has succeeded yet)." in told.out
    found = costs(kfgit, root)
    assert (found["perMonth"], found["unknown"]) == ({}, ["nightly"])
    assert found["pipelines"] == [
        {"name": "flow", "perRun": None, "runs": 0, "seconds": None, "unknown": "no run has succeeded yet"}
    ]


def test_then_each_run_and_schedule_has_its_price(kfgit: Kfgit, ran: MakeProject) -> None:
    root = ran(files())
    told = kfgit("plan", cwd=root)
    assert "by the last run that succeeded" in told.out
    assert "USD in 30 days, in which it fires 30 times" in told.out
    found = costs(kfgit, root)
    [pipeline], [schedule] = found["pipelines"], found["schedules"]
    [record] = kfgit("runs", "list", "-o", "json", cwd=root).json["items"]
    tasks = kfgit("runs", "show", record["id"], "-o", "json", cwd=root).json["tasks"]
    assert {each["path"]: each["state"] for each in tasks}["gate/other"] == "SKIPPED"
    # Both iterations, and neither the task without a price nor the branch that was not taken.
    assert 0.3 <= pipeline["perRun"]["USD"] == pytest.approx(sum(map(took, tasks)), abs=0.01)
    assert pipeline["runs"] == 1
    assert schedule["fires"] == 30
    assert schedule["perMonth"]["USD"] == pytest.approx(30 * pipeline["perRun"]["USD"], abs=0.01)
    assert found["perMonth"] == schedule["perMonth"]
    assert found["before"] == {}
    page = kfgit("plan", "-o", "markdown", cwd=root).out
    assert "in 30 days, in which it fires 30 times" in page
    assert "- All schedules cost " in page


def took(task: Mapping[str, Any]) -> float:
    from datetime import datetime

    if not task["path"].endswith("train"):
        return 0.0
    start, end = (datetime.fromisoformat(task[key]) for key in ("startedAt", "finishedAt"))
    return (end - start).total_seconds()


def test_what_the_cache_gave_costs_nothing(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(files())
    assert kfgit("run", "flow", cwd=root).code == 0
    dear = costs(kfgit, root)["pipelines"][0]["perRun"]["USD"]
    for _ in range(2):
        assert kfgit("run", "flow", cwd=root).code == 0
    found = costs(kfgit, root)["pipelines"][0]
    assert (found["runs"], found["perRun"]) == (3, {"USD": 0.0})
    assert dear > 0.1


def test_another_price_counts_at_once_and_another_task_only_when_it_has_run(
    kfgit: Kfgit, ran: MakeProject
) -> None:
    before = costs(kfgit, ran(files()))["perMonth"]["USD"]
    dearer = files()["pipelines/p.yaml"].replace("perHour: 3600", "perHour: 7200")
    root = ran({**files(), "pipelines/p.yaml": dearer})
    assert costs(kfgit, root)["perMonth"]["USD"] == pytest.approx(2 * before, abs=0.01)
    renamed = SOURCES.replace("{train: ", "{fit: ")
    found = costs(kfgit, ran({**files(), "pipelines/p.yaml": renamed}))
    assert found["pipelines"][0]["unknown"] == "no run has succeeded yet since its tasks have changed"


def test_without_a_price_nothing_is_told(kfgit: Kfgit, ran: MakeProject) -> None:
    root = ran({**files(), "pipelines/p.yaml": SOURCES.replace(", cost: {perHour: 3600}", "")})
    assert costs(kfgit, root) is None
    assert "cost" not in kfgit("plan", cwd=root).out


# --- the budget


def test_above_the_budget_the_plan_is_shown_and_refused(kfgit: Kfgit, ran: MakeProject) -> None:
    root = ran(files("10"))
    told = kfgit("plan", "--out", "plan.json", cwd=root)
    assert told.code == 3
    assert "create   schedule/nightly" in told.out
    assert "the schedules of `local` would cost " in told.err
    assert "in 30 days; the budget is 10" in told.err
    assert "environments/local.yaml:6:30" in told.err
    assert not (root / "plan.json").exists()
    told = kfgit("apply", cwd=root)
    assert told.code == 3
    assert "the policies of `local` forbid this: policy-budget-per-month" in told.err
    assert kfgit("schedules", "list", "-o", "json", cwd=root).json["items"] == []
    assert "refused by policy-budget-per-month" in kfgit("plan", "-o", "markdown", cwd=root).out


def test_within_the_budget_and_where_it_only_warns(kfgit: Kfgit, ran: MakeProject) -> None:
    told = kfgit("plan", cwd=ran(files("1000")))
    assert (told.code, "policy-budget" in told.err) == (0, False)
    root = ran(files("{value: 10, level: warn}"))
    told = kfgit("apply", cwd=root)
    assert told.code == 0
    assert "warning[policy-budget-per-month]" in told.err


def test_what_lowers_the_costs_or_changes_nothing_is_only_warned(kfgit: Kfgit, ran: MakeProject) -> None:
    assert kfgit("apply", cwd=ran(files("1000"))).code == 0
    root = ran(files("1"))
    told = kfgit("plan", cwd=root)
    assert (told.code, "warning[policy-budget-per-month]" in told.err) == (0, True)
    less = SOURCES.replace("0 2 * * *", "0 2 * * 1")
    root = ran({**files("1"), "pipelines/p.yaml": less})
    told = kfgit("plan", cwd=root)
    assert (told.code, "warning[policy-budget-per-month]" in told.err) == (0, True)
    assert ", until now " in told.out
    root = ran({**files("1"), "pipelines/p.yaml": SOURCES.replace("0 2 * * *", "0 3 * * *")})
    assert kfgit("plan", cwd=root).code == 3


def test_what_nobody_knows_is_a_warning_and_named(kfgit: Kfgit, ran: MakeProject) -> None:
    root = ran(files("1000", **{"pipelines/q.yaml": ANOTHER % {"profile": "unpriced", "enabled": "true"}}))
    told = kfgit("plan", cwd=root)
    assert told.code == 0
    assert "nobody knows whether the schedules stay within the budget of 1,000" in told.err
    assert "`hourly`: no profile says what its tasks cost" in told.err
    assert "What they will cost is not known of hourly (no profile says what its tasks cost)." in told.out
    # One that does not fire costs nothing, whatever a run would.
    root = ran(files("1000", **{"pipelines/q.yaml": ANOTHER % {"profile": "unpriced", "enabled": "false"}}))
    assert "policy-budget" not in kfgit("plan", cwd=root).err


def test_a_budget_has_no_currency(kfgit: Kfgit, ran: MakeProject) -> None:
    other = EUROS + ANOTHER % {"profile": "euros", "enabled": "true"}
    root = ran(files("1000", **{"pipelines/q.yaml": other}))
    assert kfgit("run", "other", "--no-cache", cwd=root).code == 0
    told = kfgit("plan", cwd=root)
    assert told.code == 0
    assert "a budget has no currency, and schedules cost money of 2" in told.err


def test_runs_that_pile_up(kfgit: Kfgit, ran: MakeProject) -> None:
    slow = SOURCES.replace("sleep 0.2", "sleep 1.1").replace('cron: "0 2 * * *"', 'cron: "* * * * * *"')
    root = ran({**files(), "pipelines/p.yaml": slow})
    assert kfgit("run", "flow", "--no-cache", cwd=root).code == 0
    assert kfgit("run", "flow", "--no-cache", cwd=root).code == 0
    told = kfgit("plan", cwd=root).out
    assert "runs pile up: one takes " in told
    assert "and it fires every 1s" in told
    assert "and there is time for " in told
