"""The local backend keeps the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.store import objects, schedules
from tests.backends import local_samples as samples
from tests.backends.contract import Contract

_TABLES: dict[str, objects.Table] = {
    "Experiment": "experiments",
    "Pipeline": "pipelines",
    "Schedule": "schedules",
}


class LocalPlace:
    """The state of a project on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, project: str = "demo", environment: str = "prod") -> LocalBackend:
        state = self._root / ".kfgit" / environment
        return LocalBackend.open(
            samples.settings(self._root, project=project, environment=environment, state=state)
        )

    def disable(self, schedule: str) -> None:
        backend = self.open()
        with backend.database.write() as db:
            schedules.enable(db, schedule, datetime.now(UTC), enabled=False)
        backend.close()

    def remove(self, kind: str, id_: str) -> None:
        backend = self.open()
        if kind == "Run":
            backend.runs.delete(id_)
        else:
            with backend.database.write() as db:
                objects.remove(db, _TABLES[kind], id_)
        backend.close()


@pytest.fixture
def place(tmp_path: Path) -> LocalPlace:
    return LocalPlace(tmp_path)


class TestLocalBackend(Contract):
    pass
