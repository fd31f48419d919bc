"""What a server does with an environment's `retention`, and what it makes of an environment that is not sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfgit import driver
from kfgit.cli.standing import retention_of
from kfgit.model import Retention
from tests.e2e.door import Project, until
from tests.serving import serving

HELLO = "tasks: {one: {component: nothing}}"
HEAD = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: local}\nspec:\n  "


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.new(tmp_path / "project")
    made.component("nothing", "container: {image: alpine, command: ['true']}")
    return made


def policy(project: Project, text: str) -> Retention | None:
    _write(project, text)
    return retention_of(driver.load(project.root), "local")


def _write(project: Project, text: str) -> None:
    (project.root / "environments").mkdir(exist_ok=True)
    (project.root / "environments" / "local.yaml").write_text(text)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("target: {type: local}", Retention()),
        ("retention: {runs: {}}", Retention()),
        ("retention: {runs: {count: 100}}", Retention(count=100)),
        ("retention: {runs: {age: 1d12h}}", Retention(age=36 * 3600)),
        ("retention: {runs: {count: 5, age: 30d}}", Retention(5, 30 * 24 * 3600)),
        ("{vars: {keep: 7}, retention: {runs: {count: '{{ vars.keep }}'}}}", Retention(count=7)),
    ],
)
def test_the_policy_is_that_of_the_environment(project: Project, spec: str, wanted: Retention) -> None:
    text = HEAD.rstrip() + f" {spec}\n" if spec.startswith("{") else f"{HEAD}{spec}\n"
    assert policy(project, text) == wanted


def test_without_a_document_everything_is_kept(project: Project) -> None:
    assert retention_of(driver.load(project.root), "local") == Retention()


def test_mistakes_elsewhere_change_nothing(project: Project) -> None:
    project.pipeline("broken", "tasks: {one: {component: nobody}}")
    (project.root / "pipelines" / "worse.yaml").write_text("{")
    assert policy(project, f"{HEAD}retention: {{runs: {{count: 3}}}}\n") == Retention(count=3)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}retention: {{runs: {{count: 0}}}}\n",
        f"{HEAD}retention: {{runs: {{count: 3, age: soon}}}}\n",
        f"{HEAD}retention: {{runs: {{count: 3}}}}\n  retentoin: {{}}\n",
        f"{HEAD}retention: {{runs: {{count: '{{{{ vars.nothing }}}}'}}}}\n",
        f"{HEAD}retention: {{runs: {{count: 3}}}}\n  retention: {{runs: {{age: 1d}}}}\n",
        f"{HEAD}retention: {{runs: {{count: 3}}\n",
    ],
)
def test_mistakes_in_the_document_leave_the_policy_unknown(project: Project, text: str) -> None:
    assert policy(project, text) is None


def test_a_server_removes_what_is_not_kept(project: Project) -> None:
    project.pipeline("hello", HELLO)
    ids = [project.run("hello").id for _ in range(3)]
    _write(project, f"{HEAD}retention: {{runs: {{count: 2, age: 30d}}}}\n")
    with serving(project) as server:
        until(lambda: len(_listed(project)) == 2, "the sweep")
        assert _listed(project) == ids[:0:-1]
        assert "`local` keeps the newest 2 ended runs for 30d\n" in server.told.read_text()
        assert server.stop() == 0


def test_a_server_says_that_it_does_not_know_and_keeps_everything(project: Project) -> None:
    project.pipeline("hello", HELLO)
    ids = [project.run("hello").id for _ in range(2)]
    _write(project, f"{HEAD}retention: {{runs: {{count: 1, age: soon}}}}\n")
    with serving(project) as server:
        assert "no old runs are removed" in server.told.read_text()
        assert server.stop() == 0
    assert _listed(project) == ids[::-1]


def _listed(project: Project) -> list[str]:
    return [run["id"] for run in project.kfgit("runs", "list", "-o", "json").json["items"]]
