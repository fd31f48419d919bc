"""How far a deployment has come. Actions opens one for each job with an `environment`; elsewhere kfgit does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kfgit.backend import MachineFault
from kfgit.github.client import Client

State = Literal["success", "failure", "in_progress", "error"]
LONGEST_DESCRIPTION = 140
_NEEDS = "deployments: write"


@dataclass(frozen=True, slots=True)
class Report:
    """What GitHub shall show for a commit in an environment."""

    environment: str
    sha: str
    state: State
    description: str = ""
    log_url: str = ""


def report(client: Client, report: Report) -> int:
    """Adds a status to the newest deployment of that commit there, or to a new one; returns the deployment's id."""
    found = _newest(client, report)
    id_ = found if found is not None else _create(client, report)
    text = report.description
    short = text if len(text) <= LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - 1] + "…"
    status = {"state": report.state, "description": short, "log_url": report.log_url}
    client.send("POST", f"deployments/{id_}/statuses", _NEEDS, {k: v for k, v in status.items() if v})
    return id_


def _newest(client: Client, report: Report) -> int | None:
    listed = client.pages("deployments", _NEEDS, environment=report.environment, sha=report.sha)
    return max((each["id"] for each in listed if isinstance(each.get("id"), int)), default=None)


def _create(client: Client, report: Report) -> int:
    """Without merging anything, and whatever other checks say: what is deployed is decided elsewhere."""
    wanted = {
        "ref": report.sha,
        "environment": report.environment,
        "auto_merge": False,
        "required_contexts": [],
        "description": "kfgit apply",
    }
    made = client.send("POST", "deployments", _NEEDS, wanted)
    if isinstance(made.get("id"), int):
        return int(made["id"])
    raise MachineFault(f"GitHub made no deployment: {made.get('message', 'it says nothing of why')}")
