"""`kfgit diff` through the door, with real git repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import BASE, GREET, HELLO, LOCAL, NIGHTLY, STAGING, Kfgit, run_document
from tests.project.repository import Git, repository, write

FILES = {**BASE, "environments/local.yaml": LOCAL, "environments/staging/environment.yaml": STAGING}
WRONG = HELLO.replace("component: greet", "component: gret")


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "repo", FILES)


def test_what_a_commit_changes(kfgit: Kfgit, git: Git) -> None:
    base = git("rev-parse", "HEAD")
    task = "    later: {component: greet, after: [greet]}\n"
    head = git.commit({"pipelines/hello.yaml": HELLO + task, "pipelines/nightly.yaml": NIGHTLY})
    told = kfgit("diff", "HEAD~1", "-o", "json", cwd=git.root)
    assert (told.code, told.err) == (0, "")
    found = told.json
    assert found["kind"] == "Diff"
    assert (found["base"], found["head"]) == (
        {"label": "HEAD~1", "commit": base},
        {"label": "HEAD", "commit": head},
    )
    assert [each["environment"] for each in found["environments"]] == ["local", "staging"]
    [one, other] = found["environments"]
    assert one["changes"] == other["changes"]
    assert one["changes"][0] == {
        "action": "changed",
        "kind": "Pipeline",
        "name": "hello",
        "file": "pipelines/hello.yaml",
        "line": 3,
        "diff": [],
        "tasks": [{"path": "later", "action": "added", "needs": ["greet"], "needsNoMore": [], "diff": []}],
        "because": [],
    }
    assert one["firings"] == [
        {
            "kind": "Schedule",
            "name": "nightly",
            "pipeline": "hello",
            "why": "is new: fires daily at 02:00 UTC",
        }
    ]
    assert one["summary"] == {"added": 1, "changed": 1, "removed": 0}
    assert (one["breaks"], one["diagnostics"], one["notes"]) == ([], [], [])


def test_people_and_pull_requests_read_the_same(kfgit: Kfgit, git: Git) -> None:
    git.commit({"components/greet.yaml": GREET.replace("alpine:3.20", "alpine:3.21")})
    for form in ("human", "markdown"):
        told = kfgit("diff", "HEAD~1", "-o", form, cwd=git.root)
        assert told.code == 0
        for text in ("greet", "hello", "spec.container.image", "alpine:3.20", "alpine:3.21"):
            assert text in told.out


def test_exit_codes(kfgit: Kfgit, git: Git) -> None:
    git.commit({"pipelines/nightly.yaml": NIGHTLY})
    assert kfgit("diff", "HEAD~1", cwd=git.root).code == 0
    assert kfgit("diff", "HEAD~1", "--exit-code", cwd=git.root).code == 2
    assert kfgit("diff", "HEAD", "--exit-code", cwd=git.root).code == 0
    assert "nothing" in kfgit("diff", "HEAD", cwd=git.root).out.lower()


@pytest.mark.parametrize("form", ["human", "json", "markdown"])
def test_mistakes_are_told_in_every_format(kfgit: Kfgit, git: Git, form: str) -> None:
    git.commit({"pipelines/hello.yaml": WRONG, "pipelines/nightly.yaml": NIGHTLY})
    told = kfgit("diff", "HEAD~1", "--exit-code", "-o", form, cwd=git.root)
    assert told.code == 1
    assert "unknown-component" in told.out
    assert "nightly" in told.out
    mended = kfgit("diff", "HEAD", "HEAD~1", "-o", form, cwd=git.root)
    assert mended.code == 0
    assert "only what is sound there is compared" in mended.out


def test_names_of_commits(kfgit: Kfgit, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    git("switch", "-q", "-c", "feature")
    git.commit({"pipelines/nightly.yaml": NIGHTLY})
    git("switch", "-q", "main")
    second = git.commit({"pipelines/two.yaml": HELLO.replace("hello", "two")})

    def names(*words: str) -> tuple[str, dict[str, str]]:
        found = kfgit("diff", "-e", "local", *words, "-o", "json", cwd=git.root).json
        [environment] = found["environments"]
        return found["base"]["commit"], {c["name"]: c["action"] for c in environment["changes"]}

    assert names("main", "feature") == (second, {"two": "removed", "nightly": "added"})
    assert names("main..feature") == names("main", "feature")
    assert names("main...feature") == (first, {"nightly": "added"})
    assert names("feature...") == (first, {"two": "added"})
    assert names("...feature") == names("main...feature")
    assert names(first[:8]) == (first, {"two": "added"})


def test_the_folder_is_not_compared(kfgit: Kfgit, git: Git) -> None:
    git.commit({"pipelines/nightly.yaml": NIGHTLY})
    write(git.root, {"pipelines/hello.yaml": "nonsense: [", "README.md": "Read me."})
    told = kfgit("diff", "HEAD~1", "-o", "json", cwd=git.root)
    assert told.code == 0
    assert "not compared: " in told.err
    assert "pipelines/hello.yaml" in told.err
    assert [c["name"] for c in told.json["environments"][0]["changes"]] == ["nightly"]
    assert kfgit("-q", "diff", "HEAD~1", cwd=git.root).err == ""
    assert kfgit("diff", "HEAD", "HEAD~1", cwd=git.root).err == ""


def test_two_environments(kfgit: Kfgit, git: Git) -> None:
    git.commit({"environments/staging/nightly.yaml": NIGHTLY})
    told = kfgit("diff", "--from-env", "local", "--to-env", "staging", "-o", "json", cwd=git.root).json
    assert (told["base"]["label"], told["head"]["label"]) == ("local", "staging")
    [found] = told["environments"]
    assert [(c["action"], c["kind"]) for c in found["changes"]] == [("added", "Schedule")]
    assert [f["why"] for f in found["firings"]] == ["fires only in staging: daily at 02:00 UTC"]
    before = kfgit(
        "diff", "--from-env", "local", "--to-env", "staging", "HEAD~1", "--exit-code", cwd=git.root
    )
    assert before.code == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "compare with what?"),
        (("a", "b", "c"), "a comparison has two sides"),
        (("nope",), "there is no commit `nope` here; `git branch --all`"),
        (("nope...HEAD",), "there is no commit `nope` here"),
        (("HEAD", "nope"), "there is no commit `nope` here"),
        (("--", "--all"), "there is no commit `--all` here"),
        (("HEAD", "-e", "stagin"), "no environment `stagin`"),
        (("--from-env", "local"), "give both --from-env and --to-env"),
        (("--from-env", "local", "--to-env", "stagin"), "no environment `stagin`"),
        (("--from-env", "local", "--to-env", "staging", "HEAD", "HEAD"), "at one commit"),
        (("--from-env", "local", "--to-env", "staging", "-e", "local"), "at one commit"),
    ],
)
def test_wrong_usage(kfgit: Kfgit, git: Git, words: tuple[str, ...], why: str) -> None:
    told = kfgit("diff", *words, cwd=git.root)
    assert (told.code, told.out) == (64, "")
    assert why in told.err


def test_a_shallow_clone_says_how_to_get_the_rest(kfgit: Kfgit, git: Git, tmp_path: Path) -> None:
    first = git("rev-parse", "HEAD")
    git("switch", "-q", "-c", "old")
    git.commit({"README.md": "Read me."})
    git("switch", "-q", "main")
    git.commit({"pipelines/nightly.yaml": NIGHTLY})
    git("clone", "-q", "--depth", "1", "--no-single-branch", f"file://{git.root}", str(tmp_path / "clone"))
    for words in ((first,), ("HEAD~1",), ("origin/old...HEAD",)):
        told = kfgit("diff", *words, cwd=tmp_path / "clone")
        assert told.code == 64
        assert "git fetch --unshallow" in told.err
        assert "fetch-depth: 0" in told.err
    assert kfgit("diff", "origin/old", cwd=tmp_path / "clone").code == 0


def test_commits_without_a_common_one(kfgit: Kfgit, git: Git) -> None:
    git("switch", "-q", "--orphan", "other")
    git.commit({"kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"})
    told = kfgit("diff", "main...other", cwd=git.root)
    assert (told.code, "no commit in common" in told.err) == (64, True)


def test_outside_of_git(kfgit: Kfgit, tmp_path: Path) -> None:
    write(
        tmp_path / "plain",
        {"kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"},
    )
    told = kfgit("diff", "HEAD", cwd=tmp_path / "plain")
    assert (told.code, told.out) == (3, "")
    assert "in no git repository" in told.err


def test_a_variable_does_not_narrow_it(kfgit: Kfgit, git: Git) -> None:
    found = kfgit("diff", "HEAD", "-o", "json", cwd=git.root, env={"KFGIT_ENV": "local"}).json
    assert [each["environment"] for each in found["environments"]] == ["local", "staging"]


@pytest.mark.parametrize("form", ["human", "json", "markdown"])
def test_equal_commits_give_equal_bytes(process: Kfgit, git: Git, form: str) -> None:
    """Whatever the order in which this machine's Python goes through sets."""
    inputs = "".join(f"    {name}: {{type: string, default: x}}\n" for name in "qwertyuiop")
    more = HELLO.replace("  inputs:\n", f"  inputs:\n{inputs}").replace("hello", "more")
    git.commit({"pipelines/more.yaml": more, "pipelines/nightly.yaml": NIGHTLY})
    git.commit({
        "pipelines/more.yaml": more.replace("default: x", "default: y"),
        "components/greet.yaml": GREET.replace("3.20", "3.21"),
    })  # fmt: skip
    told = {
        process("diff", "HEAD~1", "-o", form, cwd=git.root, env={"PYTHONHASHSEED": seed}).out
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    assert "hello" in told.pop()


def test_shells_complete_commits_and_environments(process: Kfgit, git: Git) -> None:
    git("tag", "v1.4")

    def offered(words: str) -> set[str]:
        env = {
            "_KFGIT_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        return set(process(cwd=git.root, env=env).out.split())

    assert {"plain,main", "plain,v1.4", "plain,HEAD"} >= offered("kfgit diff m") == {"plain,main"}
    assert offered("kfgit diff --to-env st") == {"plain,staging"}


def test_completion_knows_revisions_on_both_sides_of_dots(kfgit: Kfgit, git: Git) -> None:
    git("branch", "feature")
    for begun, offered in (("fea", "feature"), ("main..fea", "main..feature"), ("...fea", "...feature")):
        line = f"kfgit diff {begun}"
        asked = {"_KFGIT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "2"}
        assert kfgit(cwd=git.root, env=asked).out.split() == [f"plain,{offered}"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pipelines/hello.yaml", HELLO.replace("name: hello", "name: hello, labels: {team: a}", 1)),
        ("pipelines/hello.yaml", HELLO.replace("Greet somebody", "Greet all")),
        ("pipelines/hello.yaml", HELLO.replace("default: world", "default: moon")),
        ("components/greet.yaml", GREET.replace("Hello, %s!", "Hi, %s!")),
        ("pipelines/nightly.yaml", NIGHTLY),
        ("environments/local.yaml", f"{LOCAL}  mode: development\n"),
        ("environments/local.yaml", f"{LOCAL}  vars: {{unused: 1}}\n"),
        ("README.md", "Read me."),
    ],
)
def test_runs_that_a_diff_tells_are_those_that_a_plan_starts(
    kfgit: Kfgit, tmp_path: Path, path: str, text: str
) -> None:
    """On a target that has the older commit; here `local`, whose state is what is wanted and no commit."""
    runs = {
        f"pipelines/{each}.yaml": run_document(each, name=each.lower())
        for each in ("onChange", "onApply", "once")
    }
    git = repository(tmp_path / "repo", {**FILES, **runs, ".gitignore": ".kfgit/\n"})
    assert kfgit("apply", "-e", "local", "--rev", "HEAD", cwd=git.root).code == 0
    git.commit({path: text})
    [found] = kfgit("diff", "HEAD~1", "-e", "local", "-o", "json", cwd=git.root).json["environments"]
    told = {each["name"] for each in found["firings"] if each["kind"] == "Run"}
    plan = kfgit("plan", "-e", "local", "--rev", "HEAD", "-o", "json", cwd=git.root).json
    begun = {each["name"] for each in plan["changes"] if (each["action"], each["kind"]) == ("create", "Run")}
    prefix = "local-" if "development" in text else ""
    assert {f"{prefix}{name}" for name in told} == begun
