"""Carries a plan out on a backend and tells what happens, change by change.

The first change that fails stops those after it: they are told as skipped, and nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from kfgit.backend import Backend, MachineFault, Refused
from kfgit.events import ChangeFinished, ChangeStarted, Event
from kfgit.plan import Plan, action, subject


def apply(plan: Plan, backend: Backend) -> Iterator[Event]:
    """Performs the pending changes in order. The caller holds the target's lock."""
    failed = False
    for change in plan.pending:
        word, (kind, name) = action(change), subject(change)
        if failed:
            yield ChangeFinished(word, kind, name, None, "skipped", "an earlier change failed")
            continue
        yield ChangeStarted(word, kind, name)
        try:
            id_ = backend.perform(change)
        except (MachineFault, Refused) as fault:
            failed = True
            yield ChangeFinished(word, kind, name, None, "failed", str(fault))
        else:
            yield ChangeFinished(word, kind, name, id_, "done")
