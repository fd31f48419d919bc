"""What GitHub says when it refuses, and what to do about it. Pure."""

from __future__ import annotations

import json

_LONGEST = 500


def said_in(body: bytes) -> str:
    """GitHub's own sentence, with what it says of single fields; nothing where it says none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    errors = found.get("errors")
    told = [str(found.get("message", "")), *(map(_field, errors) if isinstance(errors, list) else ())]
    return "; ".join(filter(None, told))[:_LONGEST]


def _field(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or " ".join(str(error[key]) for key in ("field", "code") if key in error))


def way_out(status: int, said: str, needs: str, *, limited: bool) -> str:
    """What to do. `needs` is the permission that a workflow must have for such a request."""
    match status:
        case 401:
            return "GITHUB_TOKEN is wrong or has expired"
        case _ if limited:
            return "there were too many requests: try again later"
        case 403 if "not permitted to create" in said:
            return "allow it in the repository's settings: Actions, General, Workflow permissions"
        case 403:
            return f"the token may not do that: in a workflow the job needs `permissions: {needs}`"
        case 404 | 410:
            return (
                f"look at GITHUB_REPOSITORY and the number; the token must be allowed to see it (`{needs}`)"
            )
        case 301 | 302 | 307 | 308:
            return "the repository was renamed or moved: say where it is now in GITHUB_REPOSITORY"
        case _ if status >= 500:
            return "that is GitHub's own trouble: try again later"
        case _:
            return "it does not take what it was given"
