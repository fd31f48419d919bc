"""What GitHub Actions tells a job, and the way to GitHub, which people with GITHUB_TOKEN or GH_TOKEN have as well.

See docs.github.com/actions/reference/workflows-and-actions/variables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfgit.backend import MachineFault

if TYPE_CHECKING:
    from kfgit.github import GitHub

_API = "https://api.github.com"
_LARGEST_EVENT = 32 << 20
_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")


def has_token() -> bool:
    """Whether GitHub can be asked at all."""
    return any(os.environ.get(name) for name in _TOKENS)


def github(repository: str | None = None) -> GitHub:
    """The way to a repository; without one to the workflow's. Ends the command where nobody says which, or as whom."""
    from kfgit.backends.cluster.connection.proxies import proxy_for
    from kfgit.github import GitHub, Settings

    token = next((os.environ[name].strip() for name in _TOKENS if os.environ.get(name)), None)
    if token is None:
        raise click.UsageError(
            "GitHub wants to know who asks: set GITHUB_TOKEN (in a workflow `${{ github.token }}`)"
        )
    where = repository or os.environ.get("GITHUB_REPOSITORY")
    if not where:
        raise click.UsageError("which repository on GitHub? Give --repo OWNER/NAME, or set GITHUB_REPOSITORY")
    api = os.environ.get("GITHUB_API_URL") or _API
    login = os.environ.get("KFGIT_GITHUB_LOGIN") or None
    return GitHub.of(Settings(api, where, token, proxy_for(api, os.environ), login))


def event() -> Mapping[str, Any]:
    """What happened, as GitHub tells it; empty elsewhere."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            found = json.loads(file.read(_LARGEST_EVENT))
    except OSError as error:
        raise MachineFault(f"what GITHUB_EVENT_PATH names cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise MachineFault(f"what GITHUB_EVENT_PATH names is no JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def pull_request() -> int | None:
    """The number of the pull request that the workflow is about."""
    told = event()
    pull = told.get("pull_request")
    number = pull.get("number") if isinstance(pull, dict) else None
    if number is None and isinstance(told.get("issue"), dict) and "pull_request" in told["issue"]:
        number = told["issue"].get("number")
    return number if isinstance(number, int) else None


def default_branch() -> str | None:
    """The repository's default branch, where the event says it."""
    repository = event().get("repository")
    name = repository.get("default_branch") if isinstance(repository, dict) else None
    return name if isinstance(name, str) else None


def log_url() -> str:
    """Where the log of this run of the workflow is; empty elsewhere."""
    server, where, run = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{where}/actions/runs/{run}" if server and where and run else ""


def summary_file() -> Path | None:
    """The step's summary."""
    return _path("GITHUB_STEP_SUMMARY")


def put_output(name: str, value: str) -> None:
    """Sets an output of the step, where there is a step. A value is one line: what stands in it is never a command."""
    path = _path("GITHUB_OUTPUT")
    if path is not None:
        assert "\n" not in value
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


def _path(variable: str) -> Path | None:
    found = os.environ.get(variable)
    return Path(found) if found else None
