"""What KFP tells of a workflow's nodes, told here by their paths: ids are made as Argo makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MADE = "2026-03-01T10:00:00Z"


def fnv(text: str) -> int:
    """FNV-1a of 32 bits, as RFC-draft-eastlake-fnv defines it."""
    found = 2166136261
    for byte in text.encode():
        found = (found ^ byte) * 16777619 % 2**32
    return found


def details(
    workflow: str, nodes: Mapping[str, tuple[str, Sequence[str]]], *, started: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """`run_details.task_details`: of each path below the workflow its state, and the paths of the nodes below it.

    The order is that of the ids, and says nothing. `started` are those that began later than others.
    """
    told = [
        {
            "run_id": "r",
            "task_id": f"00000000-0000-4000-8000-{number:012}",
            "display_name": _name(workflow, path),
            "create_time": MADE,
            "start_time": MADE.replace("10:00:00", "10:00:05") if path in started else MADE,
            "end_time": MADE if state in {"SUCCEEDED", "FAILED", "SKIPPED"} else "1970-01-01T00:00:00Z",
            **({"state": state} if state else {}),
            **({"child_tasks": [{"pod_name": node_id(workflow, each)} for each in below]} if below else {}),
        }
        for number, (path, (state, below)) in enumerate(nodes.items())
    ]
    return sorted(told, key=lambda each: fnv(str(each["task_id"])))


def node_id(workflow: str, path: str) -> str:
    """The id of a node."""
    return f"{workflow}-{fnv(f'{workflow}.{path}')}" if path else workflow


def _name(workflow: str, path: str) -> str:
    parts = path.split(".")
    return ".".join(parts[-2:]) if parts[-1] == "onExit" else parts[-1] or workflow


def run(tasks: Sequence[Mapping[str, Any]], state: str = "SUCCEEDED", **more: Any) -> dict[str, Any]:
    """The message of a run."""
    return {
        "run_id": "0f0f0f0f-1111-4222-8333-444444444444",
        "display_name": "tonight",
        "experiment_id": "e",
        "state": state,
        "created_at": MADE,
        "finished_at": MADE if state in {"SUCCEEDED", "FAILED"} else "1970-01-01T00:00:00Z",
        "run_details": {"task_details": list(tasks)},
        **more,
    }
