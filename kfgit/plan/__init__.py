"""Desired against live: the ordered changes that make them equal.

Pure: the same two sides give the same plan, in the same order, with the same digest.
"""

from __future__ import annotations

from kfgit.plan.differences import HIDDEN, LONGEST_PATH, difference, named, shown
from kfgit.plan.making import UNRECORDED, adoption, cause_of, destroy, fits, plan
from kfgit.plan.rules import FREE_DELETES, FREE_SHARE, Rules, excess, precious
from kfgit.plan.values import (
    ACTIONS,
    LOCAL_TARGET,
    ORDER,
    PAST,
    Adopt,
    Applied,
    Cause,
    Change,
    Create,
    Delete,
    Difference,
    Live,
    LiveObject,
    Plan,
    Replace,
    Unchanged,
    Update,
    Verb,
    WantedRun,
    action,
    fingerprint,
    level,
    subject,
)

__all__ = [
    "ACTIONS",
    "FREE_DELETES",
    "FREE_SHARE",
    "HIDDEN",
    "LOCAL_TARGET",
    "LONGEST_PATH",
    "ORDER",
    "PAST",
    "UNRECORDED",
    "Adopt",
    "Applied",
    "Cause",
    "Change",
    "Create",
    "Delete",
    "Difference",
    "Live",
    "LiveObject",
    "Plan",
    "Replace",
    "Rules",
    "Unchanged",
    "Update",
    "Verb",
    "WantedRun",
    "action",
    "adoption",
    "cause_of",
    "destroy",
    "difference",
    "excess",
    "fingerprint",
    "fits",
    "level",
    "named",
    "plan",
    "precious",
    "shown",
    "subject",
]
