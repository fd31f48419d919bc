"""What the Kubernetes API says when it refuses, as faults that tell people what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.wire import Answer

Object: TypeAlias = Mapping[str, Any]

# How servers say that a field cannot change: apimachinery's `FieldImmutableErrorMsg`, PriorityClass, RoleBinding,
# workloads of `apps`. Custom resources say what their authors wrote, which mostly has the first word.
_IMMUTABLE = re.compile(
    r"immutable|may not be (changed|updated)|cannot (be )?(change|update|modif)|"
    r"updates to .* (are|is) forbidden|may not change once set",
    re.IGNORECASE,
)
_NAMED = ("name", "uid")
_MANAGER = re.compile(
    r'conflict with "(?P<manager>[^"]*)"(?: with subresource "[^"]*")?(?: using (?P<version>\S+))?'
)


class KubeFault(MachineFault):
    """The API server's no: its HTTP status, its word for the reason, and a text for people."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Gone(KubeFault):
    """There is no such object."""


class NoSuchKind(KubeFault):
    """The server has no such kind of object."""


class Stale(KubeFault):
    """The object is not the one that was meant: changed, replaced or made in the meantime."""


class Expired(KubeFault):
    """The server has forgotten how far a list had come."""


class ServerFault(KubeFault):
    """The server has a fault of its own."""


class Invalid(KubeFault):
    """The server refuses what the manifest says."""


class Immutable(Invalid):
    """The server refuses to change what may only be said when an object is made."""


@dataclass(frozen=True, slots=True)
class Held:
    """A field that somebody else manages."""

    field: str
    manager: str

    def __str__(self) -> str:
        return f"`{self.field}` by `{self.manager}`"


class Conflict(KubeFault):
    """Somebody else manages fields that the manifest sets otherwise."""

    def __init__(self, words: str, place: str, held: tuple[Held, ...]) -> None:
        fields = ", ".join(map(str, held)) or "some of its fields"
        super().__init__(
            409,
            "Conflict",
            f"{place}: {words} is not changed, since others manage what would change: {fields}; set it there to what "
            "the documents say, or write its value into the documents, and plan again",
        )
        self.held = held


def judged(answer: Answer, words: str) -> dict[str, Any]:
    """The object in a good answer; raises what a bad one means. `words` are what was asked about."""
    if 200 <= answer.status < 300:
        told = answer.json()
        if not isinstance(told, dict):
            raise MachineFault(f"{answer.place} answers with something else than an object for {words}")
        return told
    raise _fault(answer, words)


def whole(found: Any, place: str, words: str) -> dict[str, Any]:
    """What was found, if it is an object with a name and a uid; whoever else answers at an address has none."""
    metadata = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(metadata.get(key), str) for key in _NAMED):
        raise MachineFault(
            f"{place} answers with something that is no object of Kubernetes for {words}: is the address that of its "
            "API server?"
        )
    told: dict[str, Any] = found
    return told


def _fault(answer: Answer, words: str) -> KubeFault:
    told = _status(answer)
    reason, message = str(told.get("reason") or ""), str(told.get("message") or "")
    causes = [each for each in _causes(told) if isinstance(each, Mapping)]
    text = f"{answer.place} refuses {words}: {message or f'it answers {answer.status}'}"
    match answer.status:
        # A proxy that knows no such path does not speak of objects.
        case 404 if reason == "NotFound":
            return Gone(404, reason, text)
        case 409 if any(each.get("reason") == "FieldManagerConflict" for each in causes):
            return Conflict(words, answer.place, tuple(_held(each) for each in causes))
        case 409:
            return Stale(409, reason, text)
        case 410:
            return Expired(410, reason, text)
        case 422 if any(each.get("field") == "metadata.uid" for each in causes):
            return Stale(422, reason, text)
        case 422 if any(_IMMUTABLE.search(str(each.get("message"))) for each in causes):
            return Immutable(422, reason, text)
        case 400 | 422:
            return Invalid(answer.status, reason, text)
        # What it says to a field that no schema has (apimachinery, managedfields/internal/structuredmerge.go).
        case 500 if "failed to create typed patch object" in message:
            return Invalid(500, reason, text)
        case status if status >= 500:
            return ServerFault(status, reason, text)
        case status:
            return KubeFault(status, reason, text)


def _status(answer: Answer) -> Mapping[str, Any]:
    """The `Status` object of an answer; a proxy between may say anything."""
    try:
        told = answer.json()
    except MachineFault:
        return {}
    return told if isinstance(told, dict) else {}


def _causes(told: Mapping[str, Any]) -> list[Any]:
    details = told.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    return causes if isinstance(causes, list) else []


def _held(cause: Mapping[str, Any]) -> Held:
    found = _MANAGER.search(str(cause.get("message")))
    return Held(str(cause.get("field") or "?"), found["manager"] if found else "somebody else")
