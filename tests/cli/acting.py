"""What tests of plan and apply do and look at."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.conftest import BASE, COURSE, NIGHTLY, Kfgit, Outcome

API = "kfgit.dev/cli/v1"
FULL = {**BASE, "pipelines/nightly.yaml": NIGHTLY, "pipelines/course.yaml": COURSE}


def changes(told: Outcome) -> dict[str, tuple[str, str | None]]:
    """What a plan says of each object, without what is as it should be."""
    found = told.json
    assert (found["apiVersion"], found["kind"]) == (API, "Plan")
    return {
        f"{c['kind']}/{c['name']}": (c["action"], c["cause"])
        for c in found["changes"]
        if c["action"] != "unchanged"
    }


def plan(kfgit: Kfgit, root: Path, *argv: str) -> dict[str, tuple[str, str | None]]:
    told = kfgit("plan", "-o", "json", *argv, cwd=root)
    assert told.code == 0
    return changes(told)


def edit(root: Path, path: str, before: str, after: str) -> None:
    text = (root / path).read_text()
    assert before in text
    (root / path).write_text(text.replace(before, after))


def sql(root: Path, statement: str, environment: str = "local") -> list[tuple[object, ...]]:
    """What somebody does behind kfgit's back."""
    connection = sqlite3.connect(root / ".kfgit" / environment / "state.db")
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()
