"""Who kfgit is on GitHub: what a token's own user wrote is ours, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kfgit.github.client import Client, Rejected

# Whom the token of a workflow's job stands for.
ACTIONS = "github-actions[bot]"


def by_us(client: Client, found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of some comments or issues that we wrote, oldest first; who we are is asked only where it matters."""
    if not found:
        return []
    login = me(client)
    return sorted((each for each in found if _author(each) == login), key=lambda each: int(each.get("id", 0)))


def me(client: Client) -> str:
    """The user of the token. An app may not ask: then it is the one that was told, or the one that runs workflows."""
    try:
        user = client.get("/user", "contents: read")
    except Rejected as rejected:
        if rejected.status == 403:
            return client.settings.login or ACTIONS
        raise
    return str(user.get("login", "")) if isinstance(user, Mapping) else ""


def _author(found: Mapping[str, Any]) -> str | None:
    user = found.get("user")
    return str(user.get("login")) if isinstance(user, Mapping) else None
