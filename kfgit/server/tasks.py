"""The tasks of a run as KFP's API tells them: a tree whose root stands for the run as a whole.

On KFP a task is a node of the workflow, and the first of them is the workflow itself. Here they are the tasks, loops
and nested pipelines of the author; a task's id is made of the run's and its place, so that it can be asked for its
log and its artifacts. Why something failed is told here alone: KFP keeps the `error` of a run for those that it cannot
read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from kfgit.backends.local.store.details import RunDetail, TaskDetail
from kfgit.events import FINAL, State
from kfgit.server.messages import STATUS, Enum, Map, Repeated, Shape
from kfgit.server.times import told

# backend/api/v2beta1/run.proto
STATE: Final = Enum(
    {
        name: number
        for number, name in enumerate(
            (
                "RUNTIME_STATE_UNSPECIFIED",
                "PENDING",
                "RUNNING",
                "SUCCEEDED",
                "SKIPPED",
                "FAILED",
                "CANCELING",
                "CANCELED",
                "PAUSED",
            )
        )
    }
)
HISTORY: Final = Repeated(Shape({"update_time": "timestamp", "state": STATE, "error": STATUS}))
_ARTIFACTS: Final = Map(Shape({"artifact_ids": Repeated("int64")}))
TASK: Final = Shape(
    {
        **dict.fromkeys(("run_id", "task_id", "display_name", "parent_task_id", "pod_name"), "string"),
        **dict.fromkeys(("create_time", "start_time", "end_time"), "timestamp"),
        "executor_detail": Shape(
            {
                "main_job": "string",
                "pre_caching_check_job": "string",
                "failed_main_jobs": Repeated("string"),
                "failed_pre_caching_check_jobs": Repeated("string"),
            }
        ),
        "state": STATE,
        "execution_id": "int64",
        "error": STATUS,
        "inputs": _ARTIFACTS,
        "outputs": _ARTIFACTS,
        "state_history": HISTORY,
        "child_tasks": Repeated(Shape({"task_id": "string", "pod_name": "string"})),
    }
)

# google/rpc/code.proto: UNKNOWN.
_FAULT: Final = 2


def task_id(run_id: str, key: str) -> str:
    """The id of a task, or of the run as a whole where there is no key."""
    return str(uuid5(NAMESPACE_URL, f"https://kfgit.dev/task/{run_id}/{key}"))


def state_told(state: State) -> State:
    """The state of a run. KFP ends a run that was terminated as FAILED, and its client waits for no other end."""
    return "FAILED" if state == "CANCELED" else state


def task_details(run: RunDetail, tasks: Sequence[TaskDetail]) -> list[dict[str, Any]]:
    """All tasks of a run."""
    keys = {task.key for task in tasks}
    parents = {task.key: _parent(task.key, keys) for task in tasks}
    children: dict[str, list[str]] = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)
    whole = TaskDetail(
        "", run.pipeline, state_told(run.state), run.started_at, run.finished_at, run.error, None
    )
    return [_task(run, each, parents.get(each.key), children.get(each.key, ())) for each in (whole, *tasks)]


def _task(run: RunDetail, task: TaskDetail, parent: str | None, children: Sequence[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "run_id": run.id,
        "task_id": task_id(run.id, task.key),
        "display_name": _name(task) if task.key else task.path,
        "create_time": told(task.started_at or run.created_at),
        "start_time": told(task.started_at),
        "end_time": told(task.finished_at),
        "state": task.state,
        "error": {"code": _FAULT, "message": task.error} if task.error else None,
        "parent_task_id": None if parent is None else task_id(run.id, parent),
        "state_history": list(_history(task)),
        "child_tasks": [{"task_id": task_id(run.id, key)} for key in children],
    }
    return {name: value for name, value in body.items() if value}


def _history(task: TaskDetail) -> Sequence[Mapping[str, str]]:
    moments = [(task.started_at, "RUNNING"), (task.finished_at, task.state if task.state in FINAL else None)]
    return [{"update_time": told(at), "state": state} for at, state in moments if at and state]


def _parent(key: str, keys: set[str]) -> str:
    """The nearest task around a task; groups that a compiler made, and iterations, are none."""
    while key:
        key = key.rpartition("/")[0]
        if key in keys:
            return key
    return ""


def _name(task: TaskDetail) -> str:
    """The task's own name, and which iteration it is: `train`, `train(2)`."""
    parts = task.path.split("/")
    if parts[-1].isdecimal() and len(parts) > 1:
        return f"{parts[-2]}({parts[-1]})"
    return parts[-1]
