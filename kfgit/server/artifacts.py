"""What a task left behind: its artifacts and its log, by the task's id.

Programs of others wrote these files, and links among them may lead anywhere: nothing but a plain file that really lies
among the environment's runs is read, and of each at most `LIMIT` bytes.
Facts: backend/src/apiserver/server/run_artifact_server.go, run_log_server.go.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kfgit.backend import NotFound
from kfgit.backends.local.folders import attempt_log, attempts, local_path
from kfgit.backends.local.store import details, tasks
from kfgit.backends.local.store.details import TaskDetail
from kfgit.events import Artifact
from kfgit.server.calls import Call, Context, Raw, Route
from kfgit.server.errors import invalid, missing
from kfgit.server.tasks import task_id

LIMIT: Final = 32 * 2**20


def read(context: Context, call: Call) -> Mapping[str, Any]:
    """The content of an artifact that a task gave out, in base64."""
    task = _task(context, call, "Failed to read an artifact")
    name = call.path["artifact_name"]
    with context.backend.database.read() as db:
        outputs = next(
            (
                row.record.outputs
                for row in tasks.of_run(db, call.path["run_id"])
                if row.record.key == task.key
            ),
            {},
        )
    value = outputs.get(name)
    artifact = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    path = local_path(artifact.uri) if isinstance(artifact, Artifact) else None
    if path is None:
        raise missing("artifact", name, "Failed to read an artifact")
    content = _content(context, path, name)
    if len(content) > LIMIT:
        raise invalid(f"artifact {name} is larger than {LIMIT // 2**20} MiB", "Failed to read an artifact")
    return {"data": base64.b64encode(content).decode("ascii")}


def log(context: Context, call: Call) -> Raw:
    """What a task printed in its newest attempt."""
    doing = "Failed to read a log"
    task = _task(context, call, doing)
    if task.folder is None:
        raise missing("log of the task", call.path["node_id"], doing)
    folder = context.backend.runs.folder(call.path["run_id"]) / task.folder
    newest = max(attempts(folder), default=0)
    return Raw(_content(context, folder / attempt_log(newest), call.path["node_id"])[:LIMIT])


ROUTES: Final = (
    Route("GET", "/apis/v2beta1/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}:read", read),
    Route("GET", "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log", log),
)


def _task(context: Context, call: Call, doing: str) -> TaskDetail:
    run_id, node = call.path["run_id"], call.path["node_id"]
    with context.backend.database.read() as db:
        if details.get(db, run_id) is None:
            raise missing("Run", run_id, doing)
        for task in details.tasks(db, [run_id])[run_id]:
            if task_id(run_id, task.key) == node:
                return task
    raise missing("node", node, doing)


def _content(context: Context, path: Path, name: str) -> bytes:
    """At most one byte more than the limit; raises `NotFound` for what is no plain file among the runs."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(context.backend.folders.runs.resolve()):
            raise NotFound("file", name)
        # A pipe would wait for its writer, and a link in place of the file would lead elsewhere after all.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotFound("file", name)
            return file.read(LIMIT + 1)
    except (OSError, ValueError, RuntimeError) as fault:
        raise NotFound("file", name) from fault
