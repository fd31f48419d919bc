"""A project in which much happens at once: schedules each second, of `apply` and of the API, and small tasks.

Each task writes the id of its run into a file when it begins, so that a run which is executed twice is seen.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.door import Project
from tests.killing.clients import Client

_WORK = """
tasks:
  work:
    cache: false
    component:
      container:
        image: alpine
        script: |
          echo $(run.id) >> {executed}
          sleep 0.{tenths}
"""
# Both kinds of trigger, with catch-up and without; `slow` hardly keeps up with one run at a time.
_SCHEDULES = {
    "steady": "{pipeline: quick, every: 2s, catchup: true, maxConcurrency: 2}",
    "clock": "{pipeline: quick, cron: '* * * * * *', maxConcurrency: 1}",
    "even": "{pipeline: quick, cron: '*/2 * * * * *', catchup: true, maxConcurrency: 3}",
    "slow": "{pipeline: slow, cron: '* * * * * *', catchup: true, maxConcurrency: 1}",
}


def build(root: Path) -> Project:
    """The project, applied: its schedules fire from now on."""
    project = Project.new(root)
    for name, tenths in (("quick", 1), ("slow", 9)):
        project.pipeline(name, _WORK.format(executed=executed_file(project), tenths=tenths))
    for name, spec in _SCHEDULES.items():
        project.document("Schedule", name, spec)
    project.kfgit("apply", "--yes")
    project.kfgit("compile", "--out", str(root / "compiled"))
    return project


def package(project: Project) -> dict[str, Any]:
    """The package that clients post."""
    (file,) = (project.root / "compiled").rglob("quick.yaml")
    found = next(iter(yaml.safe_load_all(file.read_text())))
    assert isinstance(found, dict)
    return found


def add_recurring_runs(client: Client, spec: dict[str, Any]) -> None:
    """Schedules as KFP's clients make them."""
    for name, trigger, catchup, most in (
        ("api-interval", {"periodic_schedule": {"interval_second": "1"}}, True, 3),
        ("api-cron", {"cron_schedule": {"cron": "*/3 * * * *"}}, True, 1),
        ("api-newest", {"periodic_schedule": {"interval_second": "1"}}, False, 2),
    ):
        body = {
            "display_name": name, "pipeline_spec": spec, "trigger": trigger, "mode": "ENABLE",
            "no_catchup": not catchup, "max_concurrency": str(most),
        }  # fmt: skip
        status, answer = client.call("POST", "recurringruns", body)
        assert status == 200, answer


def executed_file(project: Project) -> Path:
    """Where tasks write the ids of their runs."""
    return project.root / "executed.txt"


def executed(project: Project) -> Counter[str]:
    """How often each run was executed."""
    file = executed_file(project)
    return Counter(file.read_text().split()) if file.exists() else Counter()
