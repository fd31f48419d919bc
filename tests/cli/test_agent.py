"""`kfgit agent` through the door, on a local environment: what it takes, what it tells, and how it ends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BASE, WRONG, Kfgit, MakeProject


def committed(root: Path) -> Path:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "one")):
        subprocess.run(["git", *who, *words], cwd=root, check=True)
    return root


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def root(project: MakeProject) -> Path:
    return committed(project(BASE))


def test_the_repository_around_the_folder_is_followed_and_its_own_store_is_kept(
    kfgit: Kfgit, root: Path
) -> None:
    (root / "pipelines" / "later.yaml").write_text("not committed: [")
    told = lines(kfgit("agent", "-e", "local", "--once", cwd=root).out)
    assert (told[0]["event"], told[-1]["event"]) == ("commit", "synced")
    assert all(each["environment"] == "local" and len(each["commit"]) == 40 for each in told)
    assert {"time", "level", "event", "message", "branch"} <= told[0].keys()
    (root / "pipelines" / "later.yaml").unlink()
    assert kfgit("plan", "-e", "local", "--exit-code", cwd=root).code == 0


def test_people_read_sentences(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("agent", "-e", "local", "--once", "-o", "human", cwd=root)
    assert told.out.splitlines()[-1].partition("  ")[2].startswith("info     synced: the target is as ")
    assert kfgit("-q", "agent", "-e", "local", "--once", "-o", "human", cwd=root).out == ""


def test_from_elsewhere_by_its_address(kfgit: Kfgit, root: Path, tmp_path: Path) -> None:
    given = ("--url", str(root), "--dir", str(tmp_path / "copy"), "--branch", "main")
    assert kfgit("agent", "-e", "local", "--once", *given).code == 0
    # The clone's folder is the project's own then.
    assert (tmp_path / "copy" / ".kfgit" / "local" / "state.db").is_file()
    assert not (root / ".kfgit").exists()


def test_an_invalid_commit_gives_1_and_names_its_mistakes(kfgit: Kfgit, project: MakeProject) -> None:
    root = committed(project({**BASE, "pipelines/wrong.yaml": WRONG}))
    told = kfgit("agent", "-e", "local", "--once", cwd=root)
    assert told.code == 1
    [mistake] = lines(told.out)[-1]["mistakes"]
    assert (mistake["file"], mistake["code"]) == ("pipelines/wrong.yaml", "unknown-component")


def test_a_repository_that_is_not_there_gives_8(kfgit: Kfgit, tmp_path: Path) -> None:
    told = kfgit("agent", "-e", "local", "--once", "--url", str(tmp_path / "nowhere"))
    assert told.code == 8
    assert lines(told.out)[-1]["event"] == "fetch-failed"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--interval", "1"), "`1` is no interval; write 30s, 5m or 1h30m"),
        (("--interval", "1s"), "an interval is from 5s to 24h long"),
        (("--interval", ""), "is no interval"),
        (("--url", "ext::sh -c id"), "is no address of a git repository"),
        (("--url", "--upload-pack=id"), "is no address of a git repository"),
        (("--url", "https://a/b", "--path", "../x"), "--path is a folder in the repository"),
        (("--url", "https://a/b", "--path", "/x"), "--path is a folder in the repository"),
        (("--url", "https://a/b", "--path", ".git/x"), "--path is a folder in the repository"),
        (("--url", "https://a/b", "--password-file", "nowhere"), "there is no file"),
        (
            ("--url", "ssh://a/b", "--password-file", "nowhere"),
            "--password-file is for addresses that begin with https://",
        ),
        ((), "no kfgit.yaml in"),
    ],
)
def test_wrong_usage(given: tuple[str, ...], words: str, kfgit: Kfgit) -> None:
    told = kfgit("agent", "-e", "local", "--once", *given)
    assert told.code == 64
    assert words in told.err


def test_a_project_outside_git_needs_an_address(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("agent", "-e", "local", "--once", cwd=project(BASE))
    assert told.code == 64
    assert "is in no git repository; name one with --url" in told.err


def test_an_environment_must_be_named(kfgit: Kfgit, root: Path) -> None:
    assert kfgit("agent", "--once", cwd=root, env={"KFGIT_ENV": "local"}).code == 64


def test_variables_stand_for_flags(kfgit: Kfgit, root: Path, tmp_path: Path) -> None:
    variables = {
        "KFGIT_AGENT_URL": str(root),
        "KFGIT_AGENT_DIR": str(tmp_path / "copy"),
        "KFGIT_AGENT_ONCE": "true",
    }
    assert kfgit("agent", "-e", "local", env=variables).code == 0
    assert (tmp_path / "copy" / ".git").is_dir()
