"""`kfgit promote` through the door: both layouts, a real remote, real applies and runs."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import GREET, HELLO, Kfgit
from tests.docs.markdown import ROOT, fences
from tests.docs.test_transcripts import pattern, steps
from tests.e2e.door import Project, until
from tests.github.fake import FakeGitHub
from tests.project.repository import Git, repository, write
from tests.promotion.stand import BRANCHES, ONE_BRANCH, WHO, Stand, environment, standing


@pytest.fixture
def stand(kfgit: Kfgit, tmp_path: Path) -> Stand:
    """A branch for each environment."""
    return standing(kfgit, tmp_path, BRANCHES)


@pytest.fixture
def single(kfgit: Kfgit, tmp_path: Path) -> Stand:
    """One branch for all."""
    return standing(kfgit, tmp_path, ONE_BRANCH)


def test_a_promotion_is_a_merge_with_exactly_the_files_of_the_commit(stand: Stand) -> None:
    first = stand.green("One")
    found = stand.promote("staging", "prod", "--yes", "-o", "json").json
    assert (found["kind"], found["result"], found["layout"]) == ("Promotion", "promoted", "branches")
    assert (found["from"], found["to"], found["branch"], found["commit"]) == (
        "staging",
        "prod",
        "prod",
        first,
    )
    assert stand.at("prod") == found["promotion"] == first
    second = stand.green("Two")
    told = stand.promote("staging", "prod", "--yes")
    made = stand.at("prod")
    assert stand.git("rev-parse", f"{made}^1", f"{made}^2").split() == [first, second]
    assert stand.tree(made) == stand.tree(second)
    assert "pipeline/hello" in told.out
    message = stand.git("log", "-1", "--format=%an <%ae>%n%B", made)
    assert message.splitlines()[:2] == ["ada <ada@example.com>", f"Promote {second[:10]} to prod"]
    assert message.splitlines()[-2:] == ["Kfgit-Promoted-From: staging", f"Kfgit-Promoted-Commit: {second}"]
    assert stand.promote("staging", "prod", "--yes", "-o", "json").json["result"] == "unchanged"
    assert stand.at("prod") == made
    assert stand.git("status", "--porcelain") == ""


def test_going_back_is_a_new_promotion_of_an_earlier_commit(stand: Stand) -> None:
    first, second = stand.green("One"), stand.green("Two")
    stand.promote("staging", "prod", "--yes")
    before = stand.at("prod")
    # A workflow's input that was left empty names no commit.
    same = stand.promote("staging", "prod", "--yes", "-o", "json", env={"KFGIT_PROMOTE_COMMIT": ""})
    assert (same.json["result"], same.json["commit"]) == ("unchanged", second)
    stand.promote("staging", "prod", "--yes", env={"KFGIT_PROMOTE_COMMIT": first[:12]})
    made = stand.at("prod")
    assert stand.git("rev-parse", f"{made}^1", f"{made}^2").split() == [before, first]
    assert stand.tree(made) == stand.tree(first)
    stand.promote("staging", "prod", "--yes")
    assert stand.tree(stand.at("prod")) == stand.tree(second)


def test_one_branch_is_pinned(single: Stand) -> None:
    first = single.green("One")
    single.change("Two")
    found = single.promote("staging", "prod", "--yes", "-o", "json").json
    assert (found["result"], found["layout"], found["branch"]) == ("promoted", "pin", "main")
    (changed,) = found["diff"]["environments"]
    assert [each["kind"] for each in changed["changes"]] == ["Pipeline", "Environment"]
    made = single.at("main")
    assert single.git("rev-parse", "HEAD") == made == found["promotion"]
    diff = single.git("diff", "HEAD~1", "HEAD")
    changed = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    assert changed == [f"+  pin: {{commit: {first}}}"]
    assert single.git("status", "--porcelain") == ""
    assert "what counts" in (single.git.root / "environments/prod.yaml").read_text()
    assert single.promote("staging", "prod", "--yes", "-o", "json").json["result"] == "unchanged"
    rendered = single.kfgit("render", "pipeline/hello", "-e", "prod", cwd=single.git.root)
    assert "description: One" in rendered.out


# --- what is refused


def refused(stand: Stand, *words: str, env: dict[str, str] | None = None) -> str:
    """What a refusal says; nothing is changed by it."""
    heads = (
        stand.remote("for-each-ref"),
        stand.git("for-each-ref", "refs/heads"),
        stand.git("status", "--porcelain"),
    )
    told = stand.promote("staging", "prod", *words, code=3, env=env).err
    assert heads == (
        stand.remote("for-each-ref"),
        stand.git("for-each-ref", "refs/heads"),
        stand.git("status", "--porcelain"),
    )
    return told


def test_only_what_ran_green_goes(stand: Stand) -> None:
    told = refused(stand, "--yes")
    assert "has applied no commit yet" in told
    assert "kfgit apply -e staging --rev HEAD" in told
    first = stand.green("One")
    stand.git.commit({"components/greet.yaml": GREET.replace("printf '# Hello'", "exit 4; printf '# Hello'")})
    bad = stand.apply(code=7)
    told = refused(stand, "--yes")
    assert f"commit {bad[:10]} may not go from `staging` to `prod` yet" in told
    assert "green: run/smoke of hello FAILED: kfgit runs show" in told
    assert f"the newest commit that may: kfgit promote staging prod --commit {first[:10]}" in told
    later = stand.change(GREET, path="components/greet.yaml")
    told = refused(stand, "--commit", "main", "--yes")
    assert f"applied: staging has not applied commit {later[:10]}" in told
    assert f"kfgit apply -e staging --rev {later[:10]}" in told
    stand.promote("staging", "prod", "--require", "applied", "--yes")
    assert stand.tree(stand.at("prod")) == stand.tree(bad)


def test_a_folder_is_no_commit(stand: Stand) -> None:
    stand.change("One")
    assert stand.kfgit("apply", "-e", "staging", cwd=stand.git.root).code == 0
    told = refused(stand, "--yes")
    assert "was of a folder, which may have differed from the commit" in told
    head = stand.apply()
    assert f"--rev {head[:10]}" in told
    stand.promote("staging", "prod", "--yes")


def test_soak_and_every_pipeline(stand: Stand) -> None:
    two = stand.git.commit({"pipelines/two.yaml": HELLO.replace("name: hello", "name: two")}, "Another")
    stand.git("push", "-q")
    stand.apply()
    assert "green: " not in refused(stand, "--soak", "2h", "--yes")
    assert "soak 2h: it stands since" in refused(stand, "--soak", "2h", "--yes")
    told = refused(stand, "--require", "all", "--yes")
    assert "pipeline/two: no run of it as this commit has it succeeded: kfgit run two -e staging" in told
    assert "pipeline/hello" not in told
    assert "has no pipeline `four`" in refused(stand, "--require", "pipeline/four", "--yes")
    found = stand.promote("staging", "prod", "--require", "pipeline/hello", "--yes", "-o", "json").json
    assert [each["name"] for each in found["requirements"]] == ["applied", "green", "pipeline/hello"]
    assert all(each["met"] for each in found["requirements"])
    assert found["commit"] == two


def test_what_an_environment_requires_stands_in_its_document(stand: Stand) -> None:
    home = BRANCHES["environments/prod.yaml"].replace(
        "promotesFrom: staging", "promotesFrom: staging, soak: 1h"
    )
    stand.green("One")
    stand.promote("staging", "prod", "--yes")
    stand.change(home, path="environments/prod.yaml")
    stand.apply()
    # What counts is what prod has, not what it shall get.
    stand.promote("staging", "prod", "--yes")
    stand.green("Three")
    assert "soak 1h: it stands since" in refused(stand, "--yes")
    stand.promote("staging", "prod", "--soak", "0s", "--yes")


def test_promoting_the_wrong_way(stand: Stand) -> None:
    stand.git.commit({"environments/dev.yaml": environment("dev", "  git: {branch: dev}\n")}, "dev")
    told = stand.promote("dev", "prod", "--yes", code=3).err
    assert "`prod` takes its commits from `staging` (`spec.git.promotesFrom`), not from `dev`" in told
    assert "kfgit promote staging prod" in told
    assert stand.promote("prod", "prod", code=64).err.count("`prod` is both FROM and TO") == 1
    assert "did you mean `prod`" in stand.promote("staging", "prd", code=64).err


def test_what_prod_has_alone_is_not_lost(stand: Stand) -> None:
    stand.green("One")
    stand.promote("staging", "prod", "--yes")
    stand.git("fetch", "-q", "origin")
    stand.git("switch", "-q", "-c", "prod", "origin/prod")
    fix = stand.change("Mended at night", branch="prod")
    stand.green("Two")
    told = refused(stand, "--yes")
    assert f"{fix[:10]} Mended at night" in told
    assert "merge `prod` into `main`" in told
    stand.git("merge", "-q", "-s", "ours", "prod", "-m", "Bring it along")
    stand.git("push", "-q")
    # The branch has it now, but staging has not applied that: what it has run goes without the mend.
    assert f"{fix[:10]} Mended at night" in refused(stand, "--yes")
    stand.apply()
    stand.promote("staging", "prod", "--yes")
    assert stand.tree(stand.at("prod")) == stand.tree("main")


def test_what_staging_went_back_from_was_there(stand: Stand) -> None:
    """Staging has had what prod has: going back with it loses nothing that nobody knows of."""
    first = stand.green("One")
    stand.green("Two")
    stand.promote("staging", "prod", "--yes")
    stand.apply(rev=first)
    stand.promote("staging", "prod", "--yes")
    assert stand.tree(stand.at("prod")) == stand.tree(first)


def test_a_freeze(stand: Stand) -> None:
    stand.green("One")
    stand.promote("staging", "prod", "--yes")
    home = BRANCHES["environments/prod.yaml"]
    frozen = stand.change(home + "  policies: {freeze: true}\n", path="environments/prod.yaml")
    stand.apply()
    told = refused(stand, "--yes")
    assert "`prod` is frozen (environments/prod.yaml:7)" in told
    assert "`prod` is frozen" in refused(stand, "--pr")
    # As if somebody had merged it by hand.
    stand.git("push", "-q", "origin", f"{frozen}:refs/heads/prod", "--force")
    assert "`prod` is frozen" in refused(stand, "--commit", "main~1", "--yes")
    stand.change(home, path="environments/prod.yaml")
    stand.apply()
    stand.promote("staging", "prod", "--yes")


def test_a_commit_with_mistakes_for_the_next_environment(stand: Stand) -> None:
    stand.git.commit(
        {"environments/prod/more.yaml": HELLO.replace("component: greet", "component: gret")}, "Oh"
    )
    stand.git("push", "-q")
    stand.apply()
    told = stand.promote("staging", "prod", "--yes", code=1)
    assert "unknown-component" in told.err
    assert "environments/prod/more.yaml" in told.err
    assert "prod" not in stand.remote("branch", "--list")


def test_a_commit_that_the_policies_of_the_next_environment_forbid(stand: Stand) -> None:
    home = BRANCHES["environments/prod.yaml"] + "  policies: {pinnedImages: true}\n"
    stand.change(home, path="environments/prod.yaml")
    stand.apply()
    told = refused(stand, "--yes")
    assert "policy-pinned-images" in told
    assert "the policies of `prod` forbid this" in told


def test_with_a_branch_of_its_own_nothing_is_pinned(stand: Stand) -> None:
    first = stand.green("One")
    stand.change(
        BRANCHES["environments/prod.yaml"] + f"  pin: {{commit: {first}}}\n", path="environments/prod.yaml"
    )
    stand.apply()
    assert "`prod` is pinned (environments/prod.yaml:7)" in refused(stand, "--yes")


def test_what_a_pinned_environment_ran_goes_on(kfgit: Kfgit, tmp_path: Path) -> None:
    """Three on one branch: staging is pinned by a promotion from dev, and prod gets what staging was pinned to."""
    files = {**ONE_BRANCH, "environments/dev.yaml": environment("dev", "  git: {branch: main}\n")}
    stand = standing(kfgit, tmp_path, files)
    first = stand.change("One")
    stand.apply("dev")
    stand.promote("dev", "staging", "--yes")
    stand.change("Two")
    head = stand.apply("staging")
    assert "pin: {commit: " + first in stand.git("show", f"{head}:environments/staging.yaml")
    found = stand.promote("staging", "prod", "--require", "all", "--yes", "-o", "json").json
    assert (found["commit"], found["result"]) == (first, "promoted")
    assert f"pin: {{commit: {first}}}" in stand.git("show", "main:environments/prod.yaml")
    # What is pinned elsewhere than on the branch would be lost some day.
    stand.git("switch", "-q", "-c", "side")
    side = stand.git.commit({"pipelines/hello.yaml": HELLO.replace("Greet somebody", "Side")})
    stand.apply("dev")
    stand.git("switch", "-q", "main")
    told = stand.promote("dev", "staging", "--yes", code=3).err
    assert f"commit {side[:10]} is not on the branch `main`: merge it there first" in told


def test_nobody_to_ask(stand: Stand) -> None:
    stand.green("One")
    told = refused(stand)
    assert "say --yes" in told
    assert "environment/prod" in stand.kfgit("promote", "staging", "prod", cwd=stand.git.root, env=WHO).out


@pytest.mark.parametrize("answer", ["y", "n"])
def test_somebody_is_asked_on_a_terminal(stand: Stand, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stand.green("One")
    for name, value in WHO.items():
        monkeypatch.setenv(name, value)
    with Project(stand.git.root).typed("promote", "staging", "prod") as terminal:
        terminal.shows("Bring this to prod? [y/N]")
        os.write(terminal.screen, f"{answer}\n".encode())
        terminal.shows("nothing was changed" if answer == "n" else f"prod gets {first[:10]}")
        assert terminal.process.wait(60) == (3 if answer == "n" else 0)
    assert ("prod" in stand.remote("branch", "--list")) is (answer == "y")


def test_whose_commit_it_is(stand: Stand, tmp_path: Path) -> None:
    stand.green("One")
    stand.promote("staging", "prod", "--yes")
    stand.green("Two")
    nobody = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    told = stand.kfgit("promote", "staging", "prod", "--yes", cwd=stand.git.root, env=nobody)
    assert (told.code, "git config --global user.name" in told.err) == (3, True)
    actor = {**nobody, "GITHUB_ACTOR": "mona", "GITHUB_ACTOR_ID": "7"}
    assert stand.kfgit("promote", "staging", "prod", "--yes", cwd=stand.git.root, env=actor).code == 0
    author = stand.remote("log", "-1", "--format=%an <%ae> %cn", "prod")
    assert author == "mona <7+mona@users.noreply.github.com> mona"


@pytest.mark.parametrize("name", ["--upload-pack=touch x", "a b", "../../x", "main:prod", "a..b", "@{-1}"])
def test_a_branch_that_cannot_be_one(stand: Stand, name: str) -> None:
    home = BRANCHES["environments/prod.yaml"].replace("branch: prod", f'branch: "{name}"')
    stand.git.commit({"environments/prod.yaml": home})
    told = stand.promote("staging", "prod", "--yes", code=3).err
    assert f"`{name}` is no name of a branch" in told
    assert stand.remote("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_branch_with_a_name_for_shells(stand: Stand) -> None:
    name = "$(touch${IFS}x);'`\"&|>y%0A"
    home = BRANCHES["environments/prod.yaml"].replace("branch: prod", f"branch: {json.dumps(name)}")
    stand.change(home, path="environments/prod.yaml")
    first = stand.apply()
    stand.promote("staging", "prod", "--yes")
    assert stand.at(name) == first
    # What people are told to type is for shells, too.
    stand.change("Once more")
    stand.apply()
    told = stand.promote("staging", "prod", "--pr", env={"GITHUB_REPOSITORY": "acme/models"})
    assert f"gh pr create --repo acme/models --base {shlex.quote(name)} --head promote/prod-" in told.err
    told = stand.promote("staging", "prod", "--yes", "--no-push")
    assert f"push it: git push origin {shlex.quote(name)}\n" in told.err
    assert {path.name for path in stand.git.root.iterdir()} & {"x", "y"} == set()


# --- remotes


# As GitHub does (githooks(5), "proc-receive"): no file of a workflow from a token that may write none.
PROC_RECEIVE = """\
#!/usr/bin/env python3
import sys

def read():
    while size := int(sys.stdin.buffer.read(4), 16):
        yield sys.stdin.buffer.read(size - 4)

def write(*lines):
    for line in lines:
        sys.stdout.buffer.write(b"%04x" % (len(line) + 4) + line)
    sys.stdout.buffer.write(b"0000")
    sys.stdout.flush()

list(read())
write(b"version=1\\0")
refs = [line.split()[2] for line in read()]
why = b"refusing to allow a GitHub App to create or update workflow `x.yaml` without `workflows` permission"
write(*(b"ng %s %s" % (ref, why) for ref in refs))
"""


def test_a_remote_that_takes_no_workflows(stand: Stand) -> None:
    stand.green("One")
    stand.promote("staging", "prod", "--yes")
    stand.green("Two")
    hook = stand.remote.root / "hooks/proc-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(PROC_RECEIVE)
    hook.chmod(0o755)
    stand.remote("config", "receive.procReceiveRefs", "refs/heads")
    for words in (["--yes"], ["--pr"]):
        told = refused(stand, *words)
        assert "without `workflows` permission): the token must be allowed to write workflows" in told
        assert "--pr" not in told


def test_a_remote_that_says_no(stand: Stand) -> None:
    stand.green("One")
    hook = stand.remote.root / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    told = refused(stand, "--yes")
    assert "`origin` does not let you push to `prod` (pre-receive hook declined)" in told
    assert "--pr" in told
    hook.unlink()
    stand.promote("staging", "prod", "--yes")


def test_what_others_pushed_counts(stand: Stand, tmp_path: Path) -> None:
    stand.green("One")
    stand.promote("staging", "prod", "--yes")
    stand.git("branch", "-q", "prod", "origin/prod")
    second = stand.green("Two")
    other = tmp_path / "other"
    stand.git("clone", "-q", str(stand.remote.root), str(other))
    Git(other)("switch", "-q", "prod")
    empty = Git(other).commit({}, "Nothing")
    Git(other)("push", "-q")
    stand.promote("staging", "prod", "--yes")
    assert stand.remote("rev-parse", "prod^1", "prod^2").split() == [empty, second]
    # The branch of this clone went along.
    assert stand.git("rev-parse", "prod") == stand.at("prod")


def test_unpushed_commits_stay_here(single: Stand) -> None:
    single.green("One")
    single.git.commit({"README.md": "mine"}, "Mine")
    told = refused(single, "--yes")
    assert "the branch `main` has commits here that `origin` does not have" in told
    single.promote("staging", "prod", "--yes", "--no-push")
    assert single.git("log", "-1", "--format=%s").startswith("Promote")
    assert single.git("rev-list", "--count", "origin/main..main") == "2"


def test_without_any_remote(stand: Stand) -> None:
    stand.git("remote", "remove", "origin")
    first = stand.git.commit({"pipelines/hello.yaml": HELLO.replace("Greet somebody", "One")})
    stand.apply()
    stand.promote("staging", "prod", "--yes")
    assert stand.git("rev-parse", "prod") == first
    stand.git.commit({"pipelines/hello.yaml": HELLO.replace("Greet somebody", "Two")})
    stand.apply()
    assert "needs a remote" in stand.promote("staging", "prod", "--pr", code=3).err


def test_a_dirty_folder_does_not_move(single: Stand) -> None:
    single.green("One")
    write(single.git.root, {"environments/prod.yaml": ONE_BRANCH["environments/prod.yaml"] + "# mine\n"})
    why = refused(single, "--yes", "--no-push")
    assert "git does not move the branch `main` on: Your local changes to the following files" in why
    told = single.promote("staging", "prod", "--yes")
    assert "the branch is behind here, `git pull` brings it up to date" in told.err
    assert single.at("main") != single.git("rev-parse", "main")
    assert "# mine" in (single.git.root / "environments/prod.yaml").read_text()


def test_other_changes_in_the_folder_stay(single: Stand) -> None:
    single.green("One")
    write(single.git.root, {"pipelines/hello.yaml": HELLO + "# mine\n", "new.txt": "new"})
    single.promote("staging", "prod", "--yes")
    assert single.git("rev-parse", "main") == single.at("main")
    assert set(single.git("status", "--porcelain").splitlines()) == {"M pipelines/hello.yaml", "?? new.txt"}


def test_a_project_below_the_top_in_a_detached_checkout(kfgit: Kfgit, tmp_path: Path) -> None:
    stand = standing(kfgit, tmp_path, {"README.md": "top"})
    git = repository(tmp_path / "deep", ONE_BRANCH, "ml/team/")
    git("remote", "add", "origin", str(stand.remote.root))
    git("push", "-q", "--force", "origin", "main")
    git("checkout", "-q", "--detach")
    deep = Git(git.root / "ml/team")
    assert kfgit("apply", "-e", "staging", "--rev", "HEAD", cwd=deep.root).code == 0
    assert kfgit("promote", "staging", "prod", "--yes", cwd=deep.root, env=WHO).code == 0
    changed = stand.remote("diff", "--name-only", "main~1", "main")
    assert changed == "ml/team/environments/prod.yaml"


def test_who_forgot_a_branch_is_told(kfgit: Kfgit, tmp_path: Path) -> None:
    files = {**BRANCHES, "environments/staging.yaml": environment("staging")}
    stand = standing(kfgit, tmp_path, files)
    stand.git("push", "-q", "origin", "main:prod")
    stand.green("One")
    assert "if each has a branch of its own, write `spec.git.branch` in both" in refused(stand, "--yes")


def test_a_shallow_clone(stand: Stand, tmp_path: Path) -> None:
    stand.green("One")
    copy = tmp_path / "shallow"
    stand.change("Two")
    stand.git("clone", "-q", "--depth=1", f"file://{stand.remote.root}", str(copy))
    told = stand.kfgit("promote", "staging", "prod", "--yes", cwd=copy, env=WHO)
    assert (told.code, "fetch-depth: 0" in told.err) == (3, True)


_KILLS = """#!/bin/sh
process=$PPID
until grep -q kfgit "/proc/$process/cmdline"; do process=$(cut -d' ' -f4 "/proc/$process/stat"); done
kill -9 "$process"
exit {code}
"""


@pytest.mark.parametrize("taken", [False, True], ids=["not taken", "taken"])
def test_killed_while_it_pushes(stand: Stand, process: Kfgit, *, taken: bool) -> None:
    """A promotion has happened or has not; then it is done again, or there is nothing to do."""
    first = stand.green("One")
    hook = stand.remote.root / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_KILLS.format(code=0 if taken else 1))
    hook.chmod(0o755)
    assert process("promote", "staging", "prod", "--yes", cwd=stand.git.root, env=WHO).code == -9
    until(lambda: not taken or stand.remote("branch", "--list", "prod") != "", "the push to end")
    hook.unlink()
    found = stand.promote("staging", "prod", "--yes", "-o", "json").json
    assert found["result"] == ("unchanged" if taken else "promoted")
    assert stand.at("prod") == first


# --- pull requests


@pytest.mark.parametrize("layout", [BRANCHES, ONE_BRANCH], ids=["branches", "one branch"])
def test_a_pull_request(kfgit: Kfgit, tmp_path: Path, layout: dict[str, str]) -> None:
    stand = standing(kfgit, tmp_path, layout)
    base = "prod" if layout is BRANCHES else "main"
    if layout is BRANCHES:
        stand.apply()
        stand.promote("staging", "prod", "--yes")
    second = stand.green("Two @everybody")
    with FakeGitHub() as github:
        found = stand.promote("staging", "prod", "--pr", "-o", "json", env=github.environ()).json
        head = f"promote/prod-{second[:10]}"
        assert (found["result"], found["promotion"]) == ("opened", stand.at(head))
        (pull,) = github.pulls
        assert (pull.head, pull.base, pull.title) == (head, base, f"Promote {second[:10]} to prod")
        assert found["pullRequest"].endswith(f"/pull/{pull.number}")
        assert "`run/smoke`" in pull.body
        assert stand.at(base) != found["promotion"]
        again = stand.promote("staging", "prod", "--pr", "-o", "json", env=github.environ()).json
        assert (again["promotion"], len(github.pulls), pull.edits) == (found["promotion"], 1, 0)
    # Whoever merges it, even in one commit, leaves nothing that staging lacks.
    stand.git("fetch", "-q", "origin")
    stand.git("switch", "-q", "-C", "merged", f"origin/{base}")
    stand.git("merge", "-q", "--squash", f"origin/{head}")
    stand.git("commit", "-q", "-m", "Promote (#1)")
    stand.git("push", "-q", "origin", f"HEAD:{base}")
    stand.git("switch", "-q", "main")
    stand.git("pull", "-q", "--ff-only")
    stand.green("Three")
    assert stand.promote("staging", "prod", "--yes", "-o", "json").json["result"] == "promoted"


def test_a_pull_request_without_github(stand: Stand) -> None:
    stand.apply()
    stand.promote("staging", "prod", "--yes")
    second = stand.green("Two")
    told = stand.promote("staging", "prod", "--pr", env={"GITHUB_REPOSITORY": "acme/models"})
    head = f"promote/prod-{second[:10]}"
    assert f"gh pr create --repo acme/models --base prod --head {head} --fill" in told.err
    stand.git("fetch", "-q", "origin")
    stand.git("switch", "-q", "-c", "theirs", f"origin/promote/prod-{second[:10]}")
    other = stand.git.commit({"README.md": "mine"}, "Mine")
    stand.git("push", "-q", "origin", f"theirs:promote/prod-{second[:10]}")
    stand.git("switch", "-q", "main")
    assert "has commits of others" in refused(stand, "--pr")
    assert stand.at(f"promote/prod-{second[:10]}") == other
    assert stand.promote("staging", "prod", "--pr", "--no-push", code=64).err.count("exclude each other") == 1


def test_it_happens_as_the_page_shows_it(stand: Stand) -> None:
    stand.apply()
    stand.promote("staging", "prod", "--yes")
    more = "    second: {component: greet, after: [greet], inputs: {name: ada}}\n"
    stand.git.commit({"pipelines/hello.yaml": HELLO + more})
    stand.apply()
    (shown,) = (fence for fence in fences(ROOT / "docs/promotion.md") if fence.language == "console")
    (step,) = steps(shown)
    told = stand.promote(*step.command.split()[2:])
    assert re.fullmatch(
        re.sub(r"\b[0-9a-f]{10}\b", "[0-9a-f]{10}", pattern(step.output)), f"{told.out}\n{told.err}"
    )
