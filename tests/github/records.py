"""What the fake GitHub keeps and hears, and what it takes no request without."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs

BOT = "github-actions[bot]"
LONGEST = 65_536
PERMISSIONS = frozenset({"issues", "pull-requests", "deployments"})
STATES = frozenset({"error", "failure", "inactive", "in_progress", "queued", "pending", "success"})
UNLABELED = "Resource not accessible by integration"


@dataclass(slots=True)
class Comment:
    """A comment of an issue or a pull request; `edits` counts how often it was changed."""

    id: int
    number: int
    body: str
    login: str
    edits: int = 0


@dataclass(slots=True)
class Issue:
    number: int
    title: str
    body: str
    login: str
    labels: tuple[str, ...] = ()
    state: str = "open"
    reason: str | None = None
    edits: int = 0


@dataclass(slots=True)
class Pull:
    number: int
    title: str
    body: str
    login: str
    head: str
    base: str
    state: str = "open"
    edits: int = 0


@dataclass(slots=True)
class Status:
    state: str
    description: str
    log_url: str
    environment_url: str = ""


@dataclass(slots=True)
class Deployment:
    id: int
    environment: str
    sha: str
    login: str
    description: str = ""
    statuses: list[Status] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a token stands for; an `app` has no user, and what it may write is listed."""

    login: str
    app: bool = True
    may: frozenset[str] = PERMISSIONS


@dataclass(slots=True)
class Trouble:
    """What becomes of the next calls with that method, or of any: an answer, or a cut before or after the work."""

    status: int = 0
    times: int = 1
    method: str | None = None
    message: str = "trouble"
    headers: Mapping[str, str] = field(default_factory=dict)
    worked: bool = False


class Call(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    who: Who
    body: Mapping[str, Any]


class Answer(NamedTuple):
    status: int
    body: Any = None
    headers: Mapping[str, str] = {}


class Wrong(Exception):
    """What GitHub does not do."""

    def __init__(self, status: int, message: str, *errors: Mapping[str, str]) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"message": message, "errors": list(errors), "status": str(status)})


def troubled(trouble: Trouble) -> Answer:
    return Answer(trouble.status, {"message": trouble.message}, trouble.headers)


def user(login: str) -> dict[str, str]:
    return {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


def query_of(text: str) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(text, keep_blank_values=True).items()}


def payload(headers: Mapping[str, str], content: bytes) -> Mapping[str, Any]:
    if not content:
        return {}
    if headers.get("content-type") != "application/json":
        raise Wrong(415, "Unsupported Media Type")
    try:
        found = json.loads(content)
    except ValueError:
        raise Wrong(400, "Problems parsing JSON") from None
    if not isinstance(found, dict):
        raise Wrong(422, "Invalid request")
    return found


def check_right(call: Call, *permissions: str) -> None:
    if call.who.may.isdisjoint(permissions):
        raise Wrong(403, UNLABELED if call.who.app else "Must have admin rights to Repository.")


def check_keys(body: Mapping[str, Any], *known: str) -> None:
    """GitHub overlooks other keys; whoever sends some means something that does not happen."""
    for key in body:
        if key not in known:
            raise Wrong(422, f"Invalid request: `{key}` is not a permitted key")


def text(body: Mapping[str, Any], key: str, longest: int, *, required: bool = False) -> str:
    value = body.get(key, "")
    if not isinstance(value, str) or (required and not value.strip()):
        raise Wrong(422, "Validation Failed", {"field": key, "code": "missing_field"})
    if len(value) > longest:
        told = f"{key.capitalize()} is too long (maximum is {longest} characters)"
        raise Wrong(422, "Validation Failed", {"field": key, "code": "custom", "message": told})
    if "\0" in value:
        raise Wrong(422, "Validation Failed", {"field": key, "code": "invalid"})
    return value


def one_of(value: object, known: Collection[str], key: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise Wrong(422, "Validation Failed", {"field": key, "code": "invalid"})
    return value
