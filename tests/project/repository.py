"""A git repository that tests make commits in, whatever the machine's own settings are."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"


@dataclass(frozen=True)
class Git:
    """The repository in a folder."""

    root: Path

    def __call__(self, *words: str, input: bytes | None = None) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        own = {
            "HOME": str(self.root.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
            "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
        }
        settings = (
            "-c",
            "user.name=ada",
            "-c",
            "user.email=ada@example.com",
            "-c",
            "protocol.file.allow=always",
        )
        done = subprocess.run(
            ["git", *settings, "-C", str(self.root), *words],
            check=True, capture_output=True, input=input, env={**kept, **own},
        )  # fmt: skip
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "change") -> str:
        """Writes files, and commits everything that lies in the folder."""
        write(self.root, files or {})
        self("add", "--all", ".")
        self("commit", "--quiet", "--allow-empty", "-m", message)
        return self("rev-parse", "HEAD")

    def made(self, tree: str) -> str:
        """A commit of a tree that no working tree could hold; the branch is there then."""
        commit = self("commit-tree", "-m", "made", tree)
        self("update-ref", "HEAD", commit)
        return commit

    def blob(self, content: bytes) -> str:
        return self("hash-object", "-w", "--stdin", input=content)

    def tree(self, entries: Mapping[str, tuple[str, str]]) -> str:
        """A tree object of names with modes and ids, in the order of git's index."""
        kinds = {"040000": "tree", "160000": "commit"}
        lines = (f"{mode} {kinds.get(mode, 'blob')} {id_}\t{name}\0" for name, (mode, id_) in entries.items())
        return self("mktree", "-z", "--missing", input="".join(lines).encode("utf-8", "surrogateescape"))


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())


def repository(folder: Path, files: Mapping[str, str | bytes] | None = None, below: str = "") -> Git:
    """A repository with a project and one commit on `main`; the project may lie `below` the top."""
    folder.mkdir(parents=True, exist_ok=True)
    git = Git(folder)
    git("init", "--quiet", "--initial-branch=main")
    git.commit({f"{below}{path}": text for path, text in {"kfgit.yaml": PROJECT, **(files or {})}.items()})
    return git
