"""A repository with a remote and environments on this machine, for promotions through the door."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.cli.conftest import GREET, HELLO, Kfgit, Outcome, run_document
from tests.project.repository import Git, repository, write

SMOKE = run_document("onApply")


def environment(name: str, more: str = "") -> str:
    return f"""\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {{name: {name}}}
spec:
  target: {{type: local, executor: process}}
{more}"""


PIPELINE = {"components/greet.yaml": GREET, "pipelines/hello.yaml": HELLO}
BRANCHES = {
    **PIPELINE,
    "environments/staging.yaml": environment("staging", "  git: {branch: main}\n"),
    "environments/prod.yaml": environment("prod", "  git: {branch: prod, promotesFrom: staging}\n"),
    "environments/staging/smoke.yaml": SMOKE,
    ".gitignore": ".kfgit/\n",
}
ONE_BRANCH = {
    **BRANCHES,
    "environments/prod.yaml": environment("prod", "  # what counts\n  git: {branch: main}   # one for all\n"),
}


@dataclass(frozen=True)
class Stand:
    """A clone, and the remote that it comes from."""

    kfgit: Kfgit
    git: Git
    remote: Git

    def change(self, text: str, *, path: str = "pipelines/hello.yaml", branch: str = "main") -> str:
        """A commit on a branch, pushed, with another description of the pipeline or other files."""
        files = {path: HELLO.replace("Greet somebody", text) if path == "pipelines/hello.yaml" else text}
        self.git("switch", "-q", branch)
        made = self.git.commit(files, text)
        self.git("push", "-q", "origin", branch)
        return made

    def apply(self, environment: str = "staging", rev: str = "HEAD", code: int = 0) -> str:
        """Applies a commit, and runs what it wants."""
        told = self.kfgit("apply", "-e", environment, "--rev", rev, cwd=self.git.root)
        assert told.code == code, told.err
        return self.git("rev-parse", rev)

    def green(self, text: str) -> str:
        """A commit that ran green in staging."""
        made = self.change(text)
        assert self.apply() == made
        return made

    def promote(self, *words: str, code: int = 0, env: dict[str, str] | None = None) -> Outcome:
        told = self.kfgit("promote", *words, cwd=self.git.root, env={**WHO, **(env or {})})
        assert told.code == code, told.out + told.err
        return told

    def at(self, branch: str) -> str:
        """Where a branch of the remote ends."""
        return self.remote("rev-parse", f"refs/heads/{branch}")

    def tree(self, rev: str) -> str:
        return self.git("rev-parse", f"{rev}^{{tree}}")


WHO = {
    "GIT_AUTHOR_NAME": "ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def standing(kfgit: Kfgit, folder: Path, files: dict[str, str]) -> Stand:
    git = repository(folder / "clone", files)
    bare = folder / "remote.git"
    bare.mkdir()
    remote = Git(bare)
    remote("init", "--quiet", "--bare", "--initial-branch=main")
    git("remote", "add", "origin", str(bare))
    git("push", "-q", "-u", "origin", "main")
    return Stand(kfgit, git, remote)


__all__ = ["BRANCHES", "ONE_BRANCH", "PIPELINE", "WHO", "Stand", "environment", "standing", "write"]
