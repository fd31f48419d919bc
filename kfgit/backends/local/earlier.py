"""What a run did before it was retried, and what of that need not be done again.

As on KFP, whose retry keeps a workflow's nodes that succeeded and forgets the others (`GenerateRetryExecution` in
backend/src/common/util/workflow.go). A task is kept if it is asked for the same as then and all files that it made are
there. One that waited for others however they ended – an exit task, say – is kept only if those were kept as well:
what cleans up after a failure, or reports it, has new work to do. (KFP runs the workflow's own exit handler anew for
that reason, and forgets to for those of nested pipelines.)
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kfgit.backends.local import engine
from kfgit.backends.local.folders import attempts
from kfgit.backends.local.protocol import Execute, Import, Kept
from kfgit.backends.local.store import successes, tasks
from kfgit.backends.local.store.runs import StoredRun
from kfgit.backends.local.store.successes import Success


@dataclass(slots=True, eq=False)
class Earlier:
    """The earlier executions of a run; empty in its first. One thread uses it.

    `attempts` and `folders` are of every task that had any, by key; `seq` is the newest batch of the run's tasks.
    """

    successes: Mapping[str, Success] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    seq: int = -1
    program: engine.Program | None = None
    _anew: set[str] = field(default_factory=set)

    def answer(self, command: Execute | Import, at: datetime) -> Kept | None:
        """The task as it ended, None if it has to run now."""
        known = self.successes.get(command.key)
        if known is None or not self._holds(known, command):
            # The groups around it did something new as well.
            parts = command.key.split("/")
            self._anew.update("/".join(parts[: end + 1]) for end in range(len(parts)))
            return None
        return Kept(known.key, known.outputs, known.started_at, known.finished_at, known.cached, at)

    def _holds(self, known: Success, command: Execute | Import) -> bool:
        return (
            known.asked == asked(command) != ""
            and all(Path(file).exists() for file in known.files)
            and self.program is not None
            and self._anew.isdisjoint(engine.hooked(self.program, command.key))
        )


def earlier(db: sqlite3.Connection, run: StoredRun, folder: Path) -> Earlier:
    """What a run did before; `folder` is where its files are."""
    rows = tasks.of_run(db, run.record.id)
    if not rows:
        return Earlier()
    folders = {row.record.key: row.folder for row in rows if row.folder is not None}
    known, program = successes.of(db, run.record.id), None
    # A package that this kfgit cannot run any more fails the run itself in a moment.
    with suppress(engine.EngineError):
        program = engine.load(run.package)
    return Earlier(
        known,
        {key: max(attempts(folder / below), default=-1) + 1 for key, below in folders.items()},
        folders,
        frozenset(row.record.key for row in rows),
        tasks.last_seq(db, run.record.id),
        program,
    )


def asked(command: Execute | Import) -> str:
    """The digest of what a task is asked to do: all that may differ between two executions of one run.

    Empty for what has no JSON, such as a list in lists a thousand levels deep: nobody keeps that.
    """
    parts: list[Any] = (
        [command.parameters, command.artifacts, command.executor, command.platform]
        if isinstance(command, Execute)
        else [command.uri, command.type, command.version, command.metadata]
    )
    try:
        text = json.dumps(parts, sort_keys=True, default=_plain)
    except (RecursionError, ValueError):
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return dict(value)
