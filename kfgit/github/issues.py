"""The one open issue with a key: opened, brought up to date, and closed when it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kfgit.github.bodies import fitted, has_mark, is_same, marked, title as short
from kfgit.github.client import Client, Rejected
from kfgit.github.identity import by_us

# How people find them, and how they are found again soon.
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
        labels = {"labels": [LABEL]} if _has_label(client) else {}
        return _told("created", client.send("POST", "issues", _NEEDS, {**wanted, **labels}))
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
    """Ours that are open, oldest first; all are looked at where none has the label, which anybody may take away."""
    for query in ({"labels": LABEL}, {}):
        listed = client.pages("issues", _NEEDS, state="open", **query)
        # Pull requests are listed as issues, too.
        found = [each for each in listed if "pull_request" not in each and has_mark(each.get("body"), key)]
        if ours := by_us(client, found):
            return ours
    return []


def _has_label(client: Client) -> bool:
    """Whether the repository has the label, from now on at least: for a workflow's token GitHub leaves out others."""
    about = {"name": LABEL, "color": "d29922", "description": "What is live is not what git says"}
    try:
        client.send("POST", "labels", _NEEDS, about)
    except Rejected as rejected:
        return rejected.status == 422  # it was there
    return True


def _close(client: Client, found: Sequence[Mapping[str, Any]], reason: str) -> None:
    for each in found:
        payload = {"state": "closed", "state_reason": reason}
        client.send("PATCH", f"issues/{int(each['number'])}", _NEEDS, payload)


def _told(action: Literal["created", "updated", "unchanged", "closed"], issue: Mapping[str, Any]) -> Tracked:
    number = issue.get("number")
    return Tracked(action, number if isinstance(number, int) else None, str(issue.get("html_url", "")))
