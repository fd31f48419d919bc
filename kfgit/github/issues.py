"""The one open issue with a key: opened, brought up to date, and closed when it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kfgit.github.bodies import fitted, has_mark, is_same, marked, title as short
from kfgit.github.client import Client
from kfgit.github.identity import by_us

# How they are found again; GitHub makes the label with the first issue.
LABEL = "kfgit-drift"
_NEEDS = "issues: write"


@dataclass(frozen=True, slots=True)
class Tracked:
    """What was done, and to which issue; nothing where there was none to close."""

    action: Literal["created", "updated", "unchanged", "closed", "absent"]
    number: int | None = None
    url: str = ""


def put(client: Client, key: str, title: str, text: str) -> Tracked:
    """Makes the issue say `text`."""
    wanted = {"title": short(title), "body": marked(key, text)}
    ours = _open(client, key)
    if not ours:
        made = client.send("POST", "issues", _NEEDS, {**wanted, "labels": [LABEL]})
        return _told("created", made)
    _close(client, ours[1:], "not_planned")
    first = ours[0]
    if first.get("title") == wanted["title"] and is_same(first.get("body"), wanted["body"]):
        return _told("unchanged", first)
    return _told("updated", client.send("PATCH", f"issues/{int(first['number'])}", _NEEDS, wanted))


def close(client: Client, key: str, text: str = "") -> Tracked:
    """Closes the issue, and says why before."""
    ours = _open(client, key)
    if not ours:
        return Tracked("absent")
    if text.strip():
        said = {"body": fitted(text)}
        client.send("POST", f"issues/{int(ours[0]['number'])}/comments", _NEEDS, said)
    _close(client, ours, "completed")
    return _told("closed", ours[0])


def _open(client: Client, key: str) -> Sequence[Mapping[str, Any]]:
    """Ours that are open, oldest first. Pull requests are listed as issues, too."""
    listed = client.pages("issues", _NEEDS, state="open", labels=LABEL)
    found = [each for each in listed if "pull_request" not in each and has_mark(each.get("body"), key)]
    return by_us(client, found)


def _close(client: Client, found: Sequence[Mapping[str, Any]], reason: str) -> None:
    for each in found:
        payload = {"state": "closed", "state_reason": reason}
        client.send("PATCH", f"issues/{int(each['number'])}", _NEEDS, payload)


def _told(action: Literal["created", "updated", "unchanged", "closed"], issue: Mapping[str, Any]) -> Tracked:
    number = issue.get("number")
    return Tracked(action, number if isinstance(number, int) else None, str(issue.get("html_url", "")))
