"""An environment with a pin through the door: every command has the documents of that commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import BASE, CLUSTER, GREET, HELLO, LOCAL, Kfgit, run_document
from tests.project.repository import Git, repository, write

PIN = "environments/prod.yaml"
OLD = {**BASE, "environments/local.yaml": LOCAL, ".gitignore": ".kfgit/\n"}


def prod(pin: str) -> str:
    return LOCAL.replace("name: local", "name: prod") + f"  pin: {{commit: '{pin}'}}\n"


class Story:
    """`prod` has `hello` as it was, everybody else says goodbye."""

    def __init__(self, folder: Path) -> None:
        self.git = repository(folder, OLD)
        self.root = self.git.root
        self.first = self.git("rev-parse", "HEAD")
        self.second = self.git.commit(
            {
                "components/greet.yaml": GREET.replace("Hello, %s!", "Goodbye, %s!"),
                "pipelines/two.yaml": HELLO.replace("hello", "two"),
                PIN: prod(self.first),
            }
        )


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "repo")


def said(kfgit: Kfgit, story: Story) -> object:
    """What a run in `prod` comes to."""
    run = kfgit("run", "hello", "-e", "prod", "-o", "json", cwd=story.root)
    assert run.code == 0
    return run.json["outputs"]["text"]


def test_what_is_looked_at(kfgit: Kfgit, story: Story) -> None:
    short = story.first[:10]
    assert kfgit("validate", "--no-cache", cwd=story.root).code == 0
    told = kfgit("render", "component/greet", "-e", "prod", "--explain", cwd=story.root)
    assert (told.code, told.err) == (0, "")
    assert "Hello, %s!" in told.out
    assert f"# {short}:{next(p for p in BASE if GREET in BASE[p])}:" in told.out
    assert "Goodbye, %s!" in kfgit("render", "component/greet", "-e", "local", cwd=story.root).out
    assert kfgit("graph", "hello", "-e", "prod", cwd=story.root).code == 0
    assert "no pipeline `two`" in kfgit("graph", "two", "-e", "prod", cwd=story.root).err
    assert "Hello, %s!" in kfgit("compile", "-e", "prod", cwd=story.root).out


def test_what_is_planned_applied_and_run(kfgit: Kfgit, story: Story) -> None:
    for at_commit in ((), ("--rev", "HEAD")):
        told = kfgit("plan", "-e", "prod", "-o", "json", *at_commit, cwd=story.root)
        plan = told.json
        assert f"`prod` pins its base documents: those of commit {story.first[:10]}\n" in told.err
        assert [c["name"] for c in plan["changes"]] == ["hello"]
        assert plan["commit"] == story.second
    assert kfgit("apply", "-e", "prod", "--rev", "HEAD", cwd=story.root).code == 0
    # A new commit that says nothing of `prod` changes nothing there; one that moves the pin does.
    moved = story.git.commit({"components/greet.yaml": GREET.replace("Hello", "Ahoy")})
    assert kfgit("plan", "-e", "prod", "--exit-code", "--rev", "HEAD", cwd=story.root).code == 0
    story.git.commit({PIN: prod(moved)})
    assert kfgit("plan", "-e", "prod", "--exit-code", "--rev", "HEAD", cwd=story.root).code == 2
    assert said(kfgit, story) == "Ahoy, world!"
    write(story.root, {PIN: prod(story.first), "components/greet.yaml": "kind: ["})
    assert said(kfgit, story) == "Hello, world!"


def test_going_back_starts_a_run_again_only_if_something_is_new(kfgit: Kfgit, story: Story) -> None:
    run = {"environments/prod/smoke.yaml": run_document("onChange")}
    story.git.commit(run)
    assert kfgit("apply", "-e", "prod", "--rev", "HEAD", cwd=story.root).code == 0
    first = len(kfgit("runs", "list", "-e", "prod", "-o", "json", cwd=story.root).json["items"])
    story.git.commit({"pipelines/hello.yaml": HELLO.replace("Greet", "Say hello to")})
    assert kfgit("apply", "-e", "prod", "--rev", "HEAD", cwd=story.root).code == 0
    assert len(kfgit("runs", "list", "-e", "prod", "-o", "json", cwd=story.root).json["items"]) == first == 1


def test_mistakes_show_the_text_of_the_pinned_commit(kfgit: Kfgit, story: Story) -> None:
    faulty = HELLO.replace("component: greet", "component: gret")
    pinned = story.git.commit({"pipelines/hello.yaml": faulty})
    story.git.commit({"pipelines/hello.yaml": HELLO, PIN: prod(pinned)})
    place = f"{pinned[:10]}:pipelines/hello.yaml:11:18"
    for command in (
        ("validate", "--no-cache"),
        ("validate",),
        ("validate",),  # as it is remembered
        ("plan", "-e", "prod"),
        ("render", "-e", "prod"),
    ):
        told = kfgit(*command, cwd=story.root)
        assert told.code == 1
        text = told.out + told.err
        assert place in text, command
        assert "did you mean `greet`" in text
        assert "component: gret" in text.partition(place)[2]
    assert kfgit("validate", "-e", "local", cwd=story.root).code == 0
    sarif = kfgit("validate", "-o", "sarif", cwd=story.root).json
    location = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == f"{pinned[:10]}%3Apipelines/hello.yaml"


def test_a_pin_that_leads_nowhere_is_told_by_all(kfgit: Kfgit, story: Story) -> None:
    write(story.root, {PIN: prod("f" * 40)})
    for command in (
        ("validate",),
        ("plan", "-e", "prod"),
        ("run", "hello", "-e", "prod"),
        ("compile", "-e", "prod"),
    ):
        told = kfgit(*command, cwd=story.root)
        assert told.code == 1, command
        assert "error[pin-not-found]" in told.out + told.err
        assert "git log" in told.out + told.err
    told = kfgit("render", "-e", "prod", cwd=story.root)
    assert (told.code, "kind: Environment" in told.out) == (1, True)


def test_an_environment_stands_where_the_variables_of_the_pinned_commit_say(
    kfgit: Kfgit, story: Story
) -> None:
    """Without checking anything: `status` finds its way by the same values as `apply`."""
    project = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\nspec: {vars: {where: %s}}\n"
    pinned = story.git.commit({"kfgit.yaml": project % "local"})
    home = prod(pinned).replace("type: local, executor: process", 'type: "{{ vars.where }}"')
    story.git.commit({"kfgit.yaml": project % "cluster", PIN: home})
    assert kfgit("runs", "list", "-e", "prod", cwd=story.root).code == 0
    assert kfgit("plan", "-e", "prod", cwd=story.root).code == 0


def test_a_cluster_gets_the_pinned_documents_of_the_commit(kfgit: Kfgit, story: Story) -> None:
    """Exit code 8, for there is no cluster: everything before it was right."""
    git: Git = story.git
    home = CLUSTER.replace("namespace: ml", 'namespace: ml, kfp: {endpoint: "http://127.0.0.1:1"}')
    git.commit({PIN: f"{home}  pin: {{commit: '{story.first}'}}\n", "pipelines/two.yaml": "kind: ["})
    assert kfgit("plan", "-e", "prod", cwd=story.root).code == 8


def test_nothing_is_imported_to_where_nobody_would_see_it(kfgit: Kfgit, story: Story) -> None:
    told = kfgit("import", "--live", "-e", "prod", cwd=story.root)
    assert (told.code, story.first in told.err) == (3, True)
    assert not (story.root / "pipelines/imported").exists()


def test_a_worktree_has_the_commits_of_its_repository(kfgit: Kfgit, story: Story, tmp_path: Path) -> None:
    story.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    told = kfgit("render", "component/greet", "-e", "prod", cwd=tmp_path / "tree")
    assert (told.code, "Hello, %s!" in told.out) == (0, True)
