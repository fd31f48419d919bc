"""What differs between two commits or environments of a repository, in resources: offline, no target is asked.

Documents are compared as the environment sees them, field by field; pipelines task by task, with what the tasks wait
for; and what a document means beyond its text by what it compiles to. Pure: `comparison` reads the commits.
"""

from __future__ import annotations

from kfgit.diff.comparing import across, added, between, removed
from kfgit.diff.sides import Seen
from kfgit.diff.values import (
    Action,
    Break,
    Diff,
    EnvironmentDiff,
    Firing,
    ResourceChange,
    Side,
    TaskChange,
)

__all__ = [
    "Action",
    "Break",
    "Diff",
    "EnvironmentDiff",
    "Firing",
    "ResourceChange",
    "Seen",
    "Side",
    "TaskChange",
    "across",
    "added",
    "between",
    "removed",
]
