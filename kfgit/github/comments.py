"""The one comment with a key on a pull request, which is changed instead of followed by another.

A comment is ours by its mark and its author. Anybody can write the mark; what others wrote is left alone, or they would
have the last word in what looks like ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from kfgit.github.bodies import has_mark, is_same, marked
from kfgit.github.client import Client, Rejected
from kfgit.github.identity import by_us

_NEEDS = "pull-requests: write"


@dataclass(frozen=True, slots=True)
class Sticky:
    """Where the comment is, what was done to it, and how many others with its key were removed."""

    url: str
    action: Literal["created", "updated", "unchanged"]
    removed: int = 0


def put(client: Client, number: int, key: str, text: str) -> Sticky:
    """Makes the comment say `text`."""
    body = marked(key, text)
    listed = [c for c in client.pages(f"issues/{number}/comments", _NEEDS) if has_mark(c.get("body"), key)]
    ours = by_us(client, listed)
    if not ours:
        return _create(client, number, body)
    first, removed = ours[0], _remove(client, ours[1:])
    if is_same(first.get("body"), body):
        return Sticky(_url(first), "unchanged", removed)
    try:
        changed = client.send("PATCH", f"issues/comments/{int(first['id'])}", _NEEDS, {"body": body})
    except Rejected as rejected:
        if rejected.status != 404:  # somebody deleted it meanwhile
            raise
        return _create(client, number, body)
    return Sticky(_url(changed), "updated", removed)


def _create(client: Client, number: int, body: str) -> Sticky:
    made = client.send("POST", f"issues/{number}/comments", _NEEDS, {"body": body})
    return Sticky(_url(made), "created")


def _remove(client: Client, others: Sequence[Mapping[str, Any]]) -> int:
    """Two workflows at once may both have found none."""
    for each in others:
        with suppress(Rejected):  # it is gone, or a later time will do
            client.delete(f"issues/comments/{int(each['id'])}", _NEEDS)
    return len(others)


def _url(comment: Mapping[str, Any]) -> str:
    return str(comment.get("html_url", ""))
