"""The hooks of `.pre-commit-hooks.yaml`, as the real pre-commit installs and runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests import apart
from tests.project.repository import Git, repository, write

PRE_COMMIT = ("pre-commit==4.7.0",)
HOOKS = ".pre-commit-hooks.yaml"
# What of this repository the hooks are installed from: what its wheel is made of.
PACKAGE = (
    HOOKS, "pyproject.toml", "README.md", "LICENSE", "kfgit.yaml", "kfgit", "schemas", "components", "pipelines",
    "environments",
)  # fmt: skip

GREET = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: greet}
spec:
  container: {image: "alpine:3.20", script: echo hello}
"""
HELLO = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: hello}
spec:
  tasks:
    greet: {component: greet}
"""
UGLY = HELLO.replace("metadata: {name: hello}\nspec:", "spec:").replace(
    "    greet: {component: greet}\n",
    "        greet:   {component:   greet}  # hello\nmetadata: {name: hello}\n",
)
COMPOSE = "services:\n    web:   {image: nginx}\n"


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    text: str


@dataclass(frozen=True)
class Team:
    """A repository whose commits go through the hooks."""

    git: Git
    program: Path
    home: Path

    def __call__(self, *command: str) -> Said:
        """A command in the repository, with a pre-commit that keeps its environments in a folder of the tests."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "KFGIT_", "SKIP"))}
        own = {
            "PRE_COMMIT_HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.home),
            "PATH": f"{self.program.parent}{os.pathsep}{os.environ['PATH']}", "KFGIT_CACHE": str(self.home / "kfgit"),
            "GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
        }  # fmt: skip
        done = subprocess.run(
            command, cwd=self.git.root, env={**kept, **own}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=apart.PATIENCE, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout)

    def commit(self, files: Mapping[str, str]) -> Said:
        """What `git commit` says to these files."""
        write(self.git.root, files)
        self.git("add", "--all")
        return self("git", "commit", "-m", "change")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The hooks, installed once: pre-commit makes an environment and installs kfgit in it from a clone."""
    base = tmp_path_factory.mktemp("hooks")
    hooks = published(base / "kfgit")
    with apart.wanted():
        program = apart.python("pre-commit", PRE_COMMIT, "import pre_commit").with_name("pre-commit")
        git = repository(
            base / "team", {"kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n"}
        )
        made = Team(git, program, base / "home")
        made.home.mkdir()
        known = [{"repo": str(hooks.root), "rev": hooks("rev-parse", "HEAD"),
                  "hooks": [{"id": "kfgit-validate"}, {"id": "kfgit-fmt"}]}]  # fmt: skip
        git.commit({".pre-commit-config.yaml": yaml.safe_dump({"repos": known}), ".gitignore": ".kfgit/\n"})
        installed = made("pre-commit", "install", "--install-hooks")
        if "Could not find a version" in installed.text or "No matching distribution" in installed.text:
            raise apart.Unavailable(
                f"pre-commit cannot install kfgit's dependencies: {installed.text[-500:]}"
            )
    assert installed.code == 0, installed.text
    return made


def published(folder: Path) -> Git:
    """A repository with what is here now, as others would find it at some revision."""
    folder.mkdir()
    for name in PACKAGE:
        path = apart.ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".kfgit"))
        else:
            shutil.copy(path, folder / name)
    git = Git(folder)
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "-m", "release")
    return git


def test_a_good_commit_goes_through(team: Team) -> None:
    said = team.commit(
        {"components/greet.yaml": GREET, "pipelines/hello.yaml": HELLO, "pipelines/compose.yaml": COMPOSE}
    )
    assert said.code == 0, said.text
    assert re.search(r"kfgit validate\.+Passed", said.text)
    assert re.search(r"kfgit fmt\.+Passed", said.text)
    # What is another tool's stays as it is.
    assert (team.git.root / "pipelines/compose.yaml").read_text() == COMPOSE


def test_a_mistake_stops_the_commit_with_its_place(team: Team) -> None:
    before = team.git("rev-parse", "HEAD")
    said = team.commit(
        {
            "pipelines/wrong.yaml": HELLO.replace("component: greet", "component: gret").replace(
                "name: hello", "name: wrong"
            )
        }
    )
    assert said.code == 1
    assert re.search(r"kfgit validate\.+Failed", said.text)
    assert "pipelines/wrong.yaml:6" in said.text
    assert "did you mean `greet`" in said.text
    assert team.git("rev-parse", "HEAD") == before
    (team.git.root / "pipelines/wrong.yaml").unlink()
    team.git("add", "--all")


def test_what_a_deletion_breaks_is_seen_too(team: Team) -> None:
    (team.git.root / "components/greet.yaml").unlink()
    said = team.commit({})
    assert said.code == 1
    assert "pipelines/hello.yaml" in said.text
    team.git("reset", "--quiet", "--hard")


def test_a_file_in_another_form_is_formatted_and_the_commit_waits_for_it(team: Team) -> None:
    said = team.commit({"pipelines/hello.yaml": UGLY})
    assert said.code == 1
    assert re.search(r"kfgit fmt\.+Failed", said.text)
    assert "files were modified by this hook" in said.text
    text = (team.git.root / "pipelines/hello.yaml").read_text()
    assert "# hello" in text
    assert text.index("metadata:") < text.index("spec:")
    assert team.commit({}).code == 0


def test_what_is_not_staged_does_not_count(team: Team) -> None:
    write(team.git.root, {"pipelines/hello.yaml": HELLO + "  # more\n"})
    team.git("add", "--all")
    write(team.git.root, {"pipelines/hello.yaml": "kind: nonsense\n"})
    said = team("git", "commit", "-m", "change")
    assert (said.code, (team.git.root / "pipelines/hello.yaml").read_text()) == (0, "kind: nonsense\n"), (
        said.text
    )
    team.git("checkout", "--quiet", ".")
