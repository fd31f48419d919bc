"""Which files plan and apply read, and when apply refuses to: through the door, with real git repositories.

The cluster of `prod` is not there. So exit code 8 says that a command went past all that it could refuse.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import BASE, HELLO, LOCAL, NIGHTLY, Kfgit, run_document
from tests.project.repository import Git, repository, write

PROD = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  git: {branch: main}
  target: {type: cluster, namespace: ml, kfp: {endpoint: "http://127.0.0.1:1"}}
"""
FILES = {**BASE, "environments/local.yaml": LOCAL, "environments/prod.yaml": PROD}
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: there
clusters: [{name: there, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: me, user: {}}]
contexts: [{name: there, context: {cluster: there, user: me}}]
"""


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    (tmp_path / "kubeconfig").chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "repo", FILES)


# --- local targets


def test_a_local_target_gets_the_folder(kfgit: Kfgit, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    write(git.root, {"pipelines/two.yaml": HELLO.replace("hello", "two")})
    found = kfgit("plan", "-o", "json", cwd=git.root).json
    assert {c["name"] for c in found["changes"]} == {"hello", "two"}
    assert (found["commit"], found["pinned"], found["remarks"]) == (head, False, [])
    git("switch", "-q", "-c", "feature")
    assert kfgit("apply", cwd=git.root).code == 0
    assert kfgit("plan", "--exit-code", cwd=git.root).code == 0


def test_a_local_target_with_a_commit(kfgit: Kfgit, git: Git) -> None:
    head = git("rev-parse", "HEAD")
    write(
        git.root, {"pipelines/two.yaml": HELLO.replace("hello", "two"), "pipelines/hello.yaml": "nonsense: ["}
    )
    found = kfgit("plan", "--rev", "HEAD", "-o", "json", cwd=git.root).json
    assert {c["name"] for c in found["changes"]} == {"hello"}
    assert (found["commit"], found["pinned"], found["remarks"]) == (head, True, [])
    assert kfgit("plan", cwd=git.root).code == 1
    assert kfgit("apply", "--rev", "main", cwd=git.root).code == 0
    assert kfgit("plan", "--exit-code", "--rev", head[:8], cwd=git.root).code == 0
    assert sorted(p.name for p in (git.root / ".kfgit/local").iterdir())
    told = kfgit("plan", "--rev", "nowhere", cwd=git.root)
    assert (told.code, "no commit `nowhere`" in told.err) == (64, True)


def test_mistakes_in_a_commit_are_shown_as_they_stand_there(kfgit: Kfgit, git: Git) -> None:
    git.commit({"pipelines/hello.yaml": HELLO.replace("component: greet", "component: gret")})
    write(git.root, {"pipelines/hello.yaml": "# something else\n" * 20})
    told = kfgit("plan", "--rev", "HEAD", cwd=git.root)
    assert told.code == 1
    assert "component: gret" in told.err
    assert "unknown-component" in told.err


def test_a_saved_plan_of_a_commit_brings_it_along(kfgit: Kfgit, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    kfgit("plan", "--rev", "HEAD", "--out", "plan.json", cwd=git.root)
    git.commit({"pipelines/two.yaml": HELLO.replace("hello", "two")})
    refused = kfgit("apply", "--plan", "plan.json", "--rev", "HEAD", cwd=git.root)
    assert (refused.code, first in refused.err) == (64, True)
    done = kfgit("apply", "--plan", "plan.json", "-o", "json", cwd=git.root).json
    assert (done["commit"], [r["name"] for r in done["results"]]) == (first, ["hello"])


def test_what_runs_ask_for_is_told(kfgit: Kfgit, git: Git) -> None:
    profile = "apiVersion: kfgit.dev/v1\nkind: ResourceProfile\nmetadata: {name: gpu}\n"
    spec = "spec: {accelerator: {resource: nvidia.com/gpu, count: 2}, cost: {perHour: 3.2, currency: EUR}}\n"
    greet = "      component: greet\n"
    assert greet in HELLO
    write(
        git.root,
        {
            "components/gpu.yaml": profile + spec,
            "pipelines/hello.yaml": HELLO.replace(greet, f"{greet}      profile: gpu\n"),
            "pipelines/nightly.yaml": NIGHTLY,
            "pipelines/once.yaml": run_document("once", name="first"),
        },
    )
    told = "      at most 2 GPUs at once: greet 2\n      at most 3.20 EUR per hour\n"
    assert kfgit("plan", cwd=git.root).out.count(told) == 3
    notes = {c["kind"]: c["notes"] for c in kfgit("plan", "-o", "json", cwd=git.root).json["changes"]}
    price = "at most 3.20 EUR per hour"
    assert price in notes["Schedule"]
    widest = "at most 2 GPUs at once: greet 2"
    unknown = "cost of a run unknown: no run has succeeded yet"
    assert notes["Run"] == ["runs hello (once)", widest, price, unknown]
    assert notes["Pipeline"] == [widest, price, unknown]


# --- clusters: what cannot be read


@pytest.mark.parametrize("words", [("plan",), ("apply", "--yes")], ids=" ".join)
def test_a_cluster_needs_git(kfgit: Kfgit, tmp_path: Path, words: tuple[str, ...]) -> None:
    root = tmp_path / "bare"
    write(
        root, {"kfgit.yaml": (repository(tmp_path / "repo", FILES).root / "kfgit.yaml").read_bytes(), **FILES}
    )
    told = kfgit(*words, "-e", "prod", cwd=root)
    assert told.code == 3
    assert "is in no git repository" in told.err
    Git(root)("init", "-q")
    told = kfgit(*words, "-e", "prod", cwd=root)
    assert (told.code, "no commit yet" in told.err) == (3, True)
    assert kfgit("validate", cwd=root).code == 0


def test_an_environment_that_is_not_committed(kfgit: Kfgit, git: Git) -> None:
    write(git.root, {"environments/stage.yaml": PROD.replace("name: prod", "name: stage")})
    told = kfgit("plan", "-e", "stage", cwd=git.root)
    assert told.code == 64
    assert f"there is no environment `stage` in commit {git('rev-parse', 'HEAD')}" in told.err


def test_an_environment_may_stand_anywhere(kfgit: Kfgit, git: Git) -> None:
    git.commit({"pipelines/all.yaml": PROD.replace("name: prod", "name: stage")})
    assert kfgit("plan", "-e", "stage", cwd=git.root).code == 8


# --- clusters: what apply refuses, and plan only notes


def apply(kfgit: Kfgit, git: Git, *flags: str) -> tuple[int, str]:
    told = kfgit("apply", "-e", "prod", "--yes", *flags, cwd=git.root)
    assert told.out == ""
    return told.code, told.err


def test_a_clean_checkout_of_the_branch_passes(kfgit: Kfgit, git: Git) -> None:
    assert apply(kfgit, git)[0] == 8
    assert kfgit("plan", "-e", "prod", cwd=git.root).code == 8


def test_a_dirty_tree(kfgit: Kfgit, git: Git) -> None:
    write(git.root, {"pipelines/hello.yaml": HELLO + "# more\n"})
    code, told = apply(kfgit, git)
    assert (code, "pipelines/hello.yaml" in told, "--allow-dirty" in told) == (3, True, True)
    assert apply(kfgit, git, "--allow-branch", "--allow-older")[0] == 3
    assert apply(kfgit, git, "--allow-dirty")[0] == 8
    assert apply(kfgit, git, "--rev", "HEAD")[0] == 3
    assert kfgit("plan", "-e", "prod", cwd=git.root).code == 8
    git.commit()
    assert apply(kfgit, git)[0] == 8
    write(git.root, {"pipelines/new.yaml": HELLO})
    assert apply(kfgit, git)[0] == 3
    assert apply(kfgit, git, "--rev", "HEAD~1")[0] == 8


def test_kfgits_own_files_make_nothing_dirty(kfgit: Kfgit, git: Git) -> None:
    assert kfgit("apply", cwd=git.root).code == 0
    assert (git.root / ".kfgit/local/state.db").exists()
    assert apply(kfgit, git)[0] == 8


def test_another_branch(kfgit: Kfgit, git: Git) -> None:
    git("switch", "-q", "-c", "feature")
    code, told = apply(kfgit, git)
    assert (code, "`feature`" in told, "`main`" in told, "--allow-branch" in told) == (3, True, True, True)
    assert apply(kfgit, git, "--allow-branch")[0] == 8
    code, told = apply(kfgit, git, "--branch", "main")
    assert (code, "detached" in told) == (3, True)


def test_a_detached_checkout(kfgit: Kfgit, git: Git) -> None:
    git("switch", "-q", "--detach")
    git.commit({"pipelines/two.yaml": HELLO.replace("hello", "two")})
    code, told = apply(kfgit, git)
    assert (code, "--branch NAME" in told, "--allow-branch" in told) == (3, True, True)
    assert apply(kfgit, git, "--branch", "main")[0] == 8
    assert apply(kfgit, git, "--branch", "other")[0] == 3
    assert apply(kfgit, git, "--allow-branch")[0] == 8
    for name in ("-x", "a b", "a..b~", ""):
        assert apply(kfgit, git, "--branch", name)[0] == 64


def test_all_refusals_are_told_at_once(kfgit: Kfgit, git: Git) -> None:
    git("switch", "-q", "-c", "feature")
    write(git.root, {"pipelines/hello.yaml": HELLO + "# more\n"})
    told = kfgit("apply", "-e", "prod", "-o", "json", cwd=git.root)
    assert (told.code, told.json["exitCode"]) == (3, 3)
    assert re.findall(r"--allow-\w+", told.json["message"]) == ["--allow-dirty", "--allow-branch"]


def test_flags_are_variables_too(kfgit: Kfgit, git: Git) -> None:
    git("switch", "-q", "--detach")
    git.commit({"pipelines/two.yaml": HELLO.replace("hello", "two")})
    asked = ("apply", "-e", "prod", "--yes")
    assert kfgit(*asked, cwd=git.root, env={"KFGIT_APPLY_BRANCH": "main"}).code == 8
    assert kfgit(*asked, cwd=git.root, env={"KFGIT_APPLY_ALLOW_BRANCH": "1"}).code == 8


def test_the_commit_decides_where_the_environment_stands(kfgit: Kfgit, git: Git) -> None:
    """The folder has the environment on a cluster, the commit still on this machine."""
    git.commit({"environments/prod.yaml": LOCAL.replace("name: local", "name: prod")})
    write(git.root, {"environments/prod.yaml": PROD})
    found = kfgit("plan", "-e", "prod", "-o", "json", cwd=git.root).json
    assert (found["target"], found["pinned"]) == ("local", True)


# --- the plan as a file


@pytest.fixture
def planned(kfgit: Kfgit, git: Git) -> Path:
    kfgit("plan", "--out", "plan.json", cwd=git.root)
    return git.root / "plan.json"


def test_what_a_plan_file_binds(planned: Path) -> None:
    found = json.loads(planned.read_text())
    assert (found["environment"], found["target"], found["pinned"]) == ("local", "local", False)
    (change,) = found["changes"]
    assert set(change["digests"]) == {"before", "after"}
    assert re.fullmatch("[0-9a-f]{64}", change["digests"]["after"])


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("apiVersion", "kfgit.dev/cli/v9", (64, "of the format `kfgit.dev/cli/v9`")),
        ("kind", "Apply", (64, "is no plan")),
        ("target", "https://other (uid 1)", (5, "is for https://other (uid 1), and `local` is local now")),
        ("digest", "0" * 64, (5, "is stale")),
        ("changes", [{"action": "create"}], (64, "no plan of this version")),
        ("changes", None, (64, "no plan of this version")),
        ("pinned", True, (5, "is stale")),
        ("environment", "nowhere", (64, "there is no environment `nowhere`")),
    ],
)
def test_a_plan_file_that_does_not_fit(
    kfgit: Kfgit, git: Git, planned: Path, key: str, value: object, told: tuple[int, str]
) -> None:
    found = json.loads(planned.read_text())
    found[key] = value
    if key == "pinned":
        git.commit({"pipelines/hello.yaml": HELLO.replace("Greet somebody", "Greet")})
        found["commit"] = git("rev-parse", "HEAD")
    planned.write_text(json.dumps(found))
    refused = kfgit("apply", "--plan", "plan.json", cwd=git.root)
    assert refused.code == told[0]
    assert told[1] in refused.err
    assert kfgit("plan", "--exit-code", cwd=git.root).code == 2


@pytest.mark.parametrize("commit", ["HEAD", "--help", "0" * 40, None, 7])
def test_a_plan_file_with_another_commit(kfgit: Kfgit, git: Git, planned: Path, commit: object) -> None:
    planned.write_text(json.dumps({**json.loads(planned.read_text()), "pinned": True, "commit": commit}))
    assert kfgit("apply", "--plan", "plan.json", cwd=git.root).code == 64


def test_what_makes_a_plan_stale_is_told_object_by_object(kfgit: Kfgit, git: Git) -> None:
    three = {f"pipelines/{n}.yaml": HELLO.replace("hello", n) for n in ("one", "two", "three")}
    write(git.root, three)
    kfgit("apply", cwd=git.root)
    write(git.root, {path: text.replace("Greet", "Meet") for path, text in three.items()})
    (git.root / "pipelines/three.yaml").write_text(HELLO.replace("hello", "three"))
    kfgit("plan", "--out", "plan.json", cwd=git.root)
    write(
        git.root,
        {
            "pipelines/one.yaml": three["pipelines/one.yaml"].replace("Greet", "See"),
            "pipelines/four.yaml": HELLO.replace("hello", "four"),
        },
    )
    (git.root / "pipelines/two.yaml").write_text(three["pipelines/two.yaml"])
    told = kfgit("apply", "--plan", "plan.json", cwd=git.root)
    assert told.code == 5
    assert "pipeline/one: the source wants something else by now" in told.err
    assert "pipeline/two: nothing to do any more" in told.err
    assert "pipeline/four: to create now" in told.err
    assert "pipeline/three" not in told.err
    assert "kfgit plan -e local --out plan.json" in told.err


def test_secrets_are_in_no_plan(kfgit: Kfgit, git: Git) -> None:
    write(git.root, {"pipelines/nightly.yaml": NIGHTLY + f"  inputs: {{name: ghp_{'a' * 36}}}\n"})
    kfgit("apply", cwd=git.root)
    write(git.root, {"pipelines/nightly.yaml": NIGHTLY + f"  inputs: {{name: ghp_{'b' * 36}}}\n"})
    kfgit("plan", "--out", "plan.json", cwd=git.root)
    for output in ("human", "json", "markdown"):
        told = kfgit("plan", "-o", output, cwd=git.root)
        assert "(hidden)" in told.out
        assert "ghp_" not in told.out
    assert "ghp_" not in (git.root / "plan.json").read_text()
    assert kfgit("apply", "--plan", "plan.json", cwd=git.root).code == 0
