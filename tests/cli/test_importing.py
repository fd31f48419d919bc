"""`kfgit import --live` and `kfgit adopt` through the door, on a local target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import by_hand
from tests.by_hand import Made, Server
from tests.e2e.door import Project
from tests.serving import serving

SAID = {"schedule/inline", "schedule/strange"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.new(tmp_path / "team")


@pytest.fixture
def server(project: Project) -> Iterator[Server]:
    with serving(project, "--no-engine") as running:
        yield Server(running.url)


@pytest.fixture
def made(server: Server) -> Made:
    return by_hand.make(server)


def imported(project: Project, *words: str) -> dict[str, dict[str, str]]:
    told = project.kfgit("import", "--live", *words, "-o", "json").json
    return {f"{each['kind'].lower()}/{each['name']}": each for each in told["documents"]}


def test_what_is_imported_and_adopted_is_as_it_was(project: Project, server: Server, made: Made) -> None:
    before = server.everything()
    found = imported(project)
    assert {name for name, each in found.items() if each["error"]} == {*SAID, "schedule/twice-2"}
    project.kfgit("fmt", "--check")
    project.kfgit("validate")
    told = project.kfgit("adopt", "*")
    assert "schedule/twice is left out: several schedules are called `twice`" in told.err
    project.kfgit("adopt", f"schedule/{found['schedule/twice']['id']}")
    # One takes whatever is newest, for which the language has no word.
    plan = project.kfgit("plan", "-o", "json").json
    (change,) = (each for each in plan["changes"] if each["action"] != "unchanged")
    assert (change["action"], change["name"], change["cause"]) == ("replace", "follows", "adoption")
    assert [each["path"] for each in change["diff"]] == ["version"]
    assert server.everything() == before
    assert {f"{each['kind'].lower()}/{each['name']}" for each in plan["foreign"]} == SAID
    # And it stays so: what is applied next begins where this is.
    project.kfgit("apply")
    assert project.kfgit("plan", "-o", "json").json["summary"]["unchanged"] == len(plan["changes"])
    after = server.everything()
    assert before.keys() - after.keys() <= {made.follower}
    assert imported(project, "--out", "pipelines/again").keys() == SAID


def test_documents_say_what_is_there_in_the_language(project: Project, made: Made) -> None:
    assert made.follower
    imported(project)
    folder = project.root / "pipelines" / "imported"
    nightly = (folder / "schedules" / "nightly.yaml").read_text()
    assert "  cron: 0 2 * * *\n" in nightly or '  cron: "0 2 * * *"\n' in nightly
    assert "  experiment: growth-team-2\n" in nightly
    every = (folder / "schedules" / "every-day.yaml").read_text()
    for line in ("pipeline: churn-model-prod", "version: Churn Model (prod)", 'every: "2h"', "catchup: true",
                 "maxConcurrency: 3", "enabled: false", "externalName: Every Day!"):  # fmt: skip
        assert f"  {line}\n" in every
    strange = (folder / "schedules" / "strange.yaml").read_text()
    assert all(line.startswith("#") for line in strange.splitlines())
    assert "never fires" in strange
    follows = (folder / "schedules" / "follows.yaml").read_text()
    assert "# Beware: it takes the newest version at each start" in follows


def test_no_file_is_written_over(project: Project, made: Made) -> None:
    assert made.follower
    mine = project.write("pipelines/imported/pipelines/churn.yaml", "# mine\n")
    told = project.kfgit("import", "--live", code=3)
    assert mine.read_text() == "# mine\n"
    assert "pipelines/imported/pipelines/churn.yaml is there already" in told.err
    assert not (project.root / "pipelines/imported/experiments").exists()
    project.kfgit("import", "--live", "--force")
    assert "churn" in mine.read_text()


@pytest.mark.parametrize("out", ["elsewhere", "../outside", "environments/prod"])
def test_nothing_is_written_where_kfgit_does_not_read(project: Project, server: Server, out: str) -> None:
    assert server.url
    project.kfgit("import", "--live", "--out", out, code=64)
    assert not (project.root / out).exists()


@pytest.mark.parametrize("words", [(), ("component.yaml",), ("pipeline.py", "--live")])
def test_only_a_target_can_be_imported(project: Project, words: tuple[str, ...]) -> None:
    told = project.kfgit("import", *words, code=64)
    assert "kfgit imports what is on a target, and needs --live for that" in told.err


def test_names_that_mean_nothing_are_told_apart(project: Project, server: Server) -> None:
    pipeline = server.pipeline("Churn", by_hand.ir("churn"))["pipeline_id"]
    server.schedule("nightly", pipeline)
    project.document("Experiment", "growth", "description: mine")
    project.pipeline("churn", "tasks: {work: {component: echo}}")
    project.component("echo", "container: {image: alpine}")
    for name, code, said in (
        ("pipeline/churn", 3, "the server has pipeline/Churn, not `churn`"),
        ("pipeline/nope", 64, "no pipeline `nope`"),
        ("experiment/growth", 3, "there is no experiment/growth to take over: an apply makes it"),
        ("schedule/nightly", 3, "no document wants schedule/nightly"),
        ("schedul/nightly", 64, "there is no kind `schedul` here; did you mean `schedule`?"),
        ("nightly", 64, "`nightly` names nothing: write KIND/NAME"),
        ("run/*", 64, "nothing that is there and that a document wants is named by `run/*`"),
    ):
        told = project.kfgit("adopt", name, code=code)
        assert said in told.err


def test_what_differs_is_shown_and_left_to_the_next_apply(project: Project, server: Server) -> None:
    server.experiment("growth", "theirs")
    pipeline = server.pipeline("churn", by_hand.ir("churn"))["pipeline_id"]
    project.document("Experiment", "growth", "description: mine")
    project.component("echo", "container: {image: alpine}")
    project.pipeline("churn", "tasks: {work: {component: echo}}")
    before = server.everything()
    told = project.kfgit("adopt", "experiment/growth", "pipeline/churn", "-o", "json").json
    fields = {each["name"]: {d["path"] for d in each["diff"]} for each in told["changes"]}
    assert fields["growth"] == {"description"}
    assert "digest" in fields["churn"]
    assert any(path.startswith("deploymentSpec") for path in fields["churn"])
    assert server.everything() == before
    assert "is this project's already" in project.kfgit("adopt", "pipeline/churn").err
    project.kfgit("apply")
    project.kfgit("plan", "--exit-code")
    assert len(server.versions(pipeline)) == 2


def test_what_another_project_keeps_is_taken_only_with_a_word(project: Project) -> None:
    project.document("Experiment", "growth", "description: mine")
    project.kfgit("apply")
    text = (project.root / "kfgit.yaml").read_text()
    project.write("kfgit.yaml", text.replace("name: demo", "name: renamed"))
    told = project.kfgit("adopt", "experiment/growth", code=3)
    assert "experiment/growth belongs to project `demo`" in told.err
    project.kfgit("adopt", "experiment/growth", "--from-other")
    project.kfgit("plan", "--exit-code")
    project.write("kfgit.yaml", text)
    assert "left alone" in project.kfgit("plan").out
