"""Promotions as git has them: whatever came before, a branch has the files of what was promoted, and loses nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit.backend import MachineFault, Refused
from kfgit.project import ancestry
from kfgit.project.publishing import Clone
from kfgit.project.transport import of_actions, without_user
from kfgit.promotion import guards
from kfgit.promotion.making import Move, foreign, merged
from tests.project.repository import Git, repository
from tests.promotion.stand import WHO


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "repo", {"a.txt": "0"})


@pytest.fixture
def clone(git: Git) -> Clone:
    return Clone(git.root, WHO)


def promote(clone: Clone, commit: str, tip: str | None) -> str:
    """A promotion to prod, whose branch goes along."""
    made = merged(clone, Move("staging", "prod", commit), tip)
    if made.is_news:
        clone.advance(clone.branch("prod"), made.commit)
    return made.commit


# --- laws

# Text for a file; going back by so many commits; a commit on prod itself; a squashed merge.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(0, 3)),
        st.tuples(st.just("promote"), st.integers(0, 3)),
        st.tuples(st.just("squash"), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_a_branch_has_what_was_promoted_last(tmp_path: Path, did: list[tuple[str, int]]) -> None:
    folder = tmp_path / "repo"
    shutil.rmtree(folder, ignore_errors=True)
    git = repository(folder, {"a.txt": "0"})
    clone = Clone(git.root, WHO)
    made = [git("rev-parse", "main")]
    tip: str | None = None
    for what, number in did:
        if what == "change":
            made.append(git.commit({"a.txt": str(number), f"{number}.txt": "x"}))
            continue
        commit = made[-1 - number % len(made)]
        if what == "squash" and tip is not None:
            tip = git("commit-tree", "-p", tip, "-m", "squashed", ancestry.tree(git.root, commit))
            git("update-ref", "refs/heads/prod", tip)
            continue
        before, tip = tip, promote(clone, commit, tip)
        assert ancestry.tree(git.root, tip) == ancestry.tree(git.root, commit)
        assert ancestry.is_ancestor(git.root, commit, tip)
        assert before is None or ancestry.is_ancestor(git.root, before, tip)
        assert promote(clone, commit, tip) == tip
        # Nothing of it is prod's own.
        assert foreign(git.root, tip, frozenset({made[-1]})) == ()
    if tip is not None:
        own = git("commit-tree", "-p", tip, "-m", "mine", git.tree({"mine": ("100644", git.blob(b"mine"))}))
        assert [each.id for each in foreign(git.root, own, frozenset({made[-1]}))] == [own]


def test_another_hash(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git = Git(folder)
    git("init", "-q", "--initial-branch=main", "--object-format=sha256")
    head = git.commit({"a/b.txt": "0"})
    clone = Clone(folder, WHO)
    tip = promote(clone, head, None)
    git("switch", "-q", "-c", "more")
    tip = promote(clone, git.commit({"a/b.txt": "1"}), tip)
    assert len(tip) == 64
    assert git("rev-parse", "prod") == tip
    made = clone.commit(clone.tree_with(tip, "a/b.txt", b"2"), (tip,), "Change")
    assert git("show", f"{made}:a/b.txt") == "2"


# --- what prod has alone


def test_a_mend_on_prod_is_its_own_until_it_is_undone(git: Git, clone: Clone) -> None:
    first = git("rev-parse", "main")
    tip = promote(clone, git.commit({"a.txt": "1"}), promote(clone, first, None))
    known = frozenset({git("rev-parse", "main")})
    git("switch", "-q", "prod")
    mend = git.commit({"a.txt": "mended"}, "Mend\nat night")
    assert [(each.id, each.subject) for each in foreign(git.root, mend, known)] == [(mend, "Mend at night")]
    git("revert", "--no-edit", mend)
    assert foreign(git.root, git("rev-parse", "HEAD"), known) == ()
    assert guards.promoted(git.root, tip) == git("rev-parse", "main")


def test_a_merge_of_something_else_is_no_promotion(git: Git, clone: Clone) -> None:
    promote(clone, git("rev-parse", "main"), None)
    git("switch", "-q", "-c", "fix", "prod")
    fix = git.commit({"a.txt": "fix"}, "Fix")
    git("switch", "-q", "prod")
    git("merge", "-q", "--no-ff", "-m", "Merge the fix", "fix")
    found = foreign(git.root, git("rev-parse", "prod"), frozenset({git("rev-parse", "main")}))
    assert [each.id for each in found] == [fix]


# --- writing


def test_a_file_deep_in_the_tree(git: Git, clone: Clone) -> None:
    head = git.commit({"ml/team/e.yaml": "old", "ml/other": "x", "ml/team/run.sh": "#!/bin/sh"})
    git("update-index", "--chmod=+x", "ml/team/run.sh")
    git("commit", "-q", "-m", "mode")
    head = git("rev-parse", "HEAD")
    made = clone.commit(clone.tree_with(head, "ml/team/e.yaml", b"new\n"), (head,), "Change")
    assert git("diff", "--name-only", head, made) == "ml/team/e.yaml"
    assert git("show", f"{made}:ml/team/e.yaml") == "new"
    again = clone.tree_with(made, "ml/team/run.sh", b"#!/bin/bash\n")
    assert git("ls-tree", again, "ml/team/run.sh").startswith("100755 blob")
    assert git("show", f"{again}:ml/team/e.yaml") == "new"
    assert (git.root / "ml/team/e.yaml").read_text() == "old"


def test_a_link_is_not_written_over(git: Git, clone: Clone) -> None:
    (git.root / "b.txt").symlink_to("a.txt")
    head = git.commit({})
    with pytest.raises(Refused, match="a link or something else"):
        clone.tree_with(head, "b.txt", b"x")
    with pytest.raises(Refused, match="a link or something else"):
        clone.tree_with(head, "nowhere", b"x")


@pytest.mark.parametrize(
    "name", ["", "-x", "a..b", "a b", "a~1", "a:b", "refs/../x", "x.lock", "@{-1}", "a\nb"]
)
def test_names_that_no_branch_has(clone: Clone, name: str) -> None:
    with pytest.raises(Refused, match="is no name of a branch"):
        clone.branch(name)


def test_a_push_that_comes_too_late(git: Git, clone: Clone, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git("clone", "-q", "--bare", str(git.root), str(bare))
    git("remote", "add", "origin", str(bare))
    first = git("rev-parse", "HEAD")
    mine = clone.commit(ancestry.tree(git.root, first), (first,), "Mine")
    theirs = clone.commit(ancestry.tree(git.root, first), (first,), "Theirs")
    clone.push("origin", theirs, "main")
    with pytest.raises(Refused, match=r"`main` of `origin` has moved on meanwhile .*: run it again"):
        clone.push("origin", mine, "main")
    with pytest.raises(Refused, match="has moved on meanwhile"):
        clone.push("origin", mine, "main", instead_of=first)
    clone.push("origin", mine, "main", instead_of=theirs)
    assert Git(bare)("rev-parse", "main") == mine
    assert clone.refreshed("main").theirs == mine
    Git(bare)("update-ref", "-d", "refs/heads/main")
    assert clone.refreshed("main").theirs is None
    shutil.rmtree(bare)
    with pytest.raises(MachineFault, match="git ls-remote of `origin` failed"):
        clone.refreshed("main")


def test_nothing_of_the_repository_runs(git: Git, clone: Clone, tmp_path: Path) -> None:
    """Hooks, monitors and the like stay silent, also where the branch is checked out."""
    bare, mark = tmp_path / "bare.git", tmp_path / "ran"
    git("clone", "-q", "--bare", str(git.root), str(bare))
    git("remote", "add", "origin", str(bare))
    for name in (
        "pre-push",
        "post-merge",
        "post-checkout",
        "reference-transaction",
        "post-commit",
        "pre-commit",
    ):
        hook = git.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
        hook.chmod(0o755)
    git("config", "core.fsmonitor", f"touch {mark}; false")
    head = git("rev-parse", "HEAD")
    mark.unlink(missing_ok=True)
    made = clone.commit(clone.tree_with(head, "a.txt", b"1"), (head,), "Change")
    clone.push("origin", made, "main")
    clone.advance(clone.refreshed("main"), made)
    assert (git.root / "a.txt").read_text() == "1"
    assert not mark.exists()
    git("config", "--unset", "core.fsmonitor")
    assert git("status", "--porcelain") == ""


def test_a_branch_below_the_name_of_another_is_not_that_one(git: Git, clone: Clone) -> None:
    """git tells of `prod/next` where it is asked for `prod`: that folder must not move on."""
    git("switch", "-q", "-c", "prod/next")
    found = clone.branch("prod")
    assert (found.local, found.place) == (None, None)
    assert clone.branch("prod/next").place == git.root
    head = git("rev-parse", "HEAD")
    made = clone.commit(clone.tree_with(head, "a.txt", b"1"), (head,), "Change")
    with pytest.raises(Refused, match="does not move the branch `prod` on"):
        clone.advance(found, made)
    assert git("rev-parse", "prod/next") == head


def test_a_remote_that_looks_like_an_option_is_none(git: Git, clone: Clone) -> None:
    git("config", "remote.--upload-pack=touch ran;.url", ".")
    assert clone.branch("main").remote is None
    git("config", "branch.main.remote", "--upload-pack=touch ran;")
    assert clone.branch("main").remote is None


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% ran", "fd::3", "foo::bar", "git://127.0.0.1:1/x", "evil:x"]
)
def test_a_remote_that_names_a_program_is_not_asked(git: Git, clone: Clone, url: str) -> None:
    git("config", "remote.origin.url", url)
    if url == "evil:x":
        git("config", "url.ext::sh -c touch% ran .insteadOf", "evil:")
    with pytest.raises(MachineFault, match=r"transport '.*' not allowed"):
        clone.refreshed("main")
    assert not (git.root / "ran").exists()


@pytest.mark.parametrize(
    "address",
    ["https://u:p@ss@host/x", "https://token@host/x", "https://u:a@b@c@host/x?y=@z", "ssh://git@host/x"],
)
def test_no_part_of_a_password_is_told(address: str) -> None:
    told = without_user(f"fatal: cannot read {address} now")
    assert "://host/x" in told
    assert "@host" not in told
    assert "ss" not in told.replace("ssh", "")


def test_a_branch_that_moved_meanwhile(git: Git, clone: Clone) -> None:
    git("branch", "prod")
    stale = clone.branch("prod")
    other = clone.commit(ancestry.tree(git.root, "HEAD"), (git("rev-parse", "HEAD"),), "Other")
    git("update-ref", "refs/heads/prod", other)
    with pytest.raises(Refused, match="does not move the branch `prod` on"):
        clone.advance(stale, other)
    fresh = clone.branch("new")
    clone.advance(fresh, other)
    assert git("rev-parse", "new") == other


def test_signatures_where_the_user_signs(git: Git, clone: Clone, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    git("config", "gpg.format", "ssh")
    git("config", "user.signingKey", str(key))
    git("config", "commit.gpgSign", "true")
    made = clone.commit(ancestry.tree(git.root, "HEAD"), (git("rev-parse", "HEAD"),), "Signed")
    assert "BEGIN SSH SIGNATURE" in git("cat-file", "commit", made)
    git("config", "user.signingKey", str(tmp_path / "nowhere"))
    with pytest.raises(MachineFault, match="git cannot make a commit"):
        clone.commit(ancestry.tree(git.root, "HEAD"), (git("rev-parse", "HEAD"),), "Signed")


def test_the_token_of_actions_is_in_no_argument(tmp_path: Path) -> None:
    """git asks the helper, which reads the variable; only for the server that the token is for."""
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_TOKEN": "ghs_" + "s" * 36,
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    settings_ = of_actions(environ)
    assert "ghs_" not in repr(settings_)
    given = [part for setting in settings_ for part in ("-c", setting)]

    def asked(host: str) -> str:
        done = subprocess.run(
            ["git", *given, "credential", "fill"], input=f"protocol=https\nhost={host}\n\n", text=True,
            capture_output=True, check=False, env={**environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"},
        )  # fmt: skip
        return done.stdout

    assert "username=x-access-token" in asked("github.com")
    assert "password=ghs_" in asked("github.com")
    assert "ghs_" not in asked("example.com")
    assert of_actions({**environ, "GITHUB_ACTIONS": ""}) == ()
    assert of_actions({**environ, "GITHUB_SERVER_URL": "http://github.com"}) == ()
