"""The one open pull request from a branch into another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kfgit.github.bodies import fitted, is_same, title as short
from kfgit.github.client import Client

_NEEDS = "pull-requests: write"


@dataclass(frozen=True, slots=True)
class Opened:
    """Where the pull request is, and what was done."""

    url: str
    number: int | None
    action: Literal["created", "updated", "unchanged"]


def put(client: Client, head: str, base: str, title: str, body: str) -> Opened:
    """Opens the pull request, or brings the open one up to date."""
    wanted = {"title": short(title), "body": fitted(body)}
    found = _open(client, head, base)
    if found is None:
        made = client.send("POST", "pulls", _NEEDS, {**wanted, "head": head, "base": base})
        return _told("created", made)
    if found.get("title") == wanted["title"] and is_same(found.get("body") or "", wanted["body"]):
        return _told("unchanged", found)
    return _told("updated", client.send("PATCH", f"pulls/{int(found['number'])}", _NEEDS, wanted))


def _open(client: Client, head: str, base: str) -> Mapping[str, Any] | None:
    owner = client.settings.repository.partition("/")[0]
    listed = client.pages("pulls", _NEEDS, state="open", head=f"{owner}:{head}", base=base)
    return next((each for each in listed if _branch(each, "head") == head), None)


def _branch(pull: Mapping[str, Any], end: str) -> str | None:
    found = pull.get(end)
    return found.get("ref") if isinstance(found, Mapping) else None


def _told(action: Literal["created", "updated", "unchanged"], pull: Mapping[str, Any]) -> Opened:
    number = pull.get("number")
    return Opened(str(pull.get("html_url", "")), number if isinstance(number, int) else None, action)
