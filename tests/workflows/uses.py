"""The actions that kfgit's workflows use, as far as they matter: a real checkout, and folders for what is uploaded."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.workflows.events import Event, Machine

With = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step of a job is, and what the job may write."""

    event: Event
    machine: Machine
    work: Path
    may: set[str]


def perform(action: str, given: With, place: Place) -> str:
    """Carries an action out; one that is not known here is a mistake of the test."""
    name, _, commit = action.partition("@")
    assert len(commit) == 40, f"{action} is not pinned"
    return _ACTIONS[name](given, place)


def git(folder: Path, *words: str) -> str:
    """What git says."""
    done = subprocess.run(["git", *words], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout.strip()


def branches(remote: Path) -> Mapping[str, str]:
    """The branches and what they end at."""
    told = git(remote, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return dict(line.split() for line in told.splitlines())


def _checkout(given: With, place: Place) -> str:
    """As actions/checkout: everything with `fetch-depth: 0`, else one commit; a branch only for a branch's event."""
    assert given["persist-credentials"] == "false"
    work, event = place.work, place.event
    git(work, "init", "-q")
    git(work, "remote", "add", "origin", f"file://{place.machine.remote}")
    if given.get("fetch-depth") == "0":
        own = [] if event.ref.startswith("refs/heads/") else [f"+{event.ref}:refs/remotes/{event.ref_name}"]
        git(
            work,
            "fetch",
            "-q",
            "origin",
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/tags/*:refs/tags/*",
            *own,
        )
    else:
        git(work, "fetch", "-q", "--depth=1", "origin", event.sha)
    if event.ref.startswith("refs/heads/"):
        return git(work, "checkout", "-q", "-B", event.ref_name, event.sha)
    return git(work, "checkout", "-q", "--detach", event.sha)


def _setup_python(given: With, place: Place) -> str:
    assert given["python-version"]
    assert place.work.is_dir()
    return ""


def _upload(given: With, place: Place) -> str:
    """Keeps a folder by the artifact's name."""
    source, target = Path(given["path"]), place.machine.folder / "artifacts" / given["name"]
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target)
    else:
        assert given["if-no-files-found"] == "ignore"
    return ""


def _upload_sarif(given: With, place: Place) -> str:
    assert "security-events" in place.may
    place.machine.reported[given["category"]] = json.loads(Path(given["sarif_file"]).read_text())
    return ""


_ACTIONS: Mapping[str, Callable[[With, Place], str]] = {
    "actions/checkout": _checkout,
    "actions/setup-python": _setup_python,
    "actions/upload-artifact": _upload,
    "github/codeql-action/upload-sarif": _upload_sarif,
}
