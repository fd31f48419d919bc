"""Who acts, as the history and the lock of a target tell it: the user here, or who a CI job runs for.

In CI the machine's user says nothing, so the job's own words count there. `KFGIT_WHO` counts before all.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping

from kfgit.render.style import one_line

_LONGEST = 200


def who() -> str:
    """Whoever uses kfgit now."""
    return named(os.environ) or _user()


def named(environ: Mapping[str, str]) -> str | None:
    """Who it is as far as variables say; None where they say nothing."""
    told = environ.get("KFGIT_WHO") or _in_github(environ) or _in_gitlab(environ)
    return one_line(told, _LONGEST) if told else None


def _in_github(environ: Mapping[str, str]) -> str | None:
    """See docs.github.com/actions/reference/workflows-and-actions/variables."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    actor, run = environ.get("GITHUB_ACTOR"), environ.get("GITHUB_RUN_ID", "")
    return f"{actor} (GitHub Actions run {run})" if actor else None


def _in_gitlab(environ: Mapping[str, str]) -> str | None:
    """See docs.gitlab.com/ci/variables/predefined_variables."""
    if environ.get("GITLAB_CI") != "true":
        return None
    user, pipeline = environ.get("GITLAB_USER_LOGIN"), environ.get("CI_PIPELINE_ID", "")
    return f"{user} (GitLab CI pipeline {pipeline})" if user else None


def _user() -> str:
    """The user, also where the machine has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
