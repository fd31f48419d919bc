"""What kfgit owns on a target and what it is about to do there, as values.

Written ahead: before the first write of an apply the inventory names everything old and everything new; what is in it
and still there is ours. `records` keeps it on the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kfgit.events import ApplyRecord
from kfgit.plan import Verb

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """An owned object: `digest` and `spec` are what was applied last ("" for what was adopted and not yet applied).

    `id` is the server's: KFP's UUID, or the uid of a Kubernetes object. `extra` is what only the server's side knows
    and later plans need (a version's id, the start that a replaced schedule was given).
    """

    kind: str
    name: str
    id: str
    digest: str
    spec: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intent:
    """One change of an apply that has begun.

    `before` is the id of the object that is changed, replaced or deleted; `digest` what shall come of it.
    """

    action: str
    kind: str
    name: str
    before: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """The apply that is under way, or was cut off."""

    number: int
    digest: str
    commit: str | None
    who: str
    started_at: datetime
    intents: tuple[Intent, ...] = ()
    branch: str | None = None
    verb: Verb = "apply"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that is remembered on the target. `fired` maps `RUN-NAME KEY` of triggers to the ids of their runs.

    `kfp` is the KFP that the last apply went to, as people are told of it; None where that was not written down yet.
    `version` is the resourceVersion it was read at, None where there is none yet.
    """

    entries: tuple[Entry, ...] = ()
    fired: Mapping[str, str] = field(default_factory=dict)
    journal: Journal | None = None
    history: tuple[ApplyRecord, ...] = ()
    version: str | None = None
    kfp: str | None = None

    def by_id(self) -> Mapping[tuple[str, str], Entry]:
        """Entries by kind and id."""
        return {(entry.kind, entry.id): entry for entry in self.entries}

    def by_name(self) -> Mapping[Key, Entry]:
        """Entries by kind and name."""
        return {(entry.kind, entry.name): entry for entry in self.entries}
