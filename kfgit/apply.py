"""Carries a plan out on a backend and tells what happens, change by change.

Changes that do not depend on each other go at once, as many as the backend takes. One that fails stops what stands on
it, which is told as skipped; all others go on, and nothing is deleted. What guards an apply stands here too, so that
the command and the agent refuse the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import groupby

from kfgit.backend import Backend, MachineFault, Refused
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, ChangeStarted, Event
from kfgit.plan import Change, Create, Delete, Plan, Replace, Update, action, excess, precious, rank, subject

Key = tuple[str, str]
# So many runs are asked for, each with a request, to tell how past applies came out.
MAX_ASKED = 100


def guard(plan: Plan, confirmed: Sequence[str] = ()) -> None:
    """Refuses to delete what must be confirmed first: much, everything, and on a cluster each thing that holds data.

    `confirmed` are the plan's digest, and `kind/name` of single objects.
    """
    what = excess(plan)
    if what is None and plan.is_local:
        return
    if not plan.is_local and not plan.wanted and any(isinstance(change, Delete) for change in plan.changes):
        raise Refused(
            f"no document wants anything in `{plan.environment}`, and that may be a mistake: nothing is deleted; "
            f"if it is meant: kfgit destroy -e {plan.environment}"
        )
    told = {name.lower() for name in confirmed}
    missing = list(precious(plan, told)) if not plan.is_local else []
    reasons = ["what holds data or serves traffic"] if missing else []
    if what is not None and plan.digest not in confirmed:
        missing.insert(0, plan.digest)
        reasons.insert(0, what)
    if missing:
        flags = " ".join(f"--confirm {shlex.quote(name)}" for name in missing)
        raise Refused(f"this plan deletes {', and '.join(reasons)}; if that is meant, repeat it with {flags}")


def _never() -> bool:
    return False


def carry_out(plan: Plan, backend: Backend, who: str, ending: Callable[[], bool] = _never) -> Iterator[Event]:
    """Applies a plan and writes the history: the intent first, the outcome last. The caller holds the target's lock.

    A commit that changes nothing is written down too: it is what the target is equal to from now on.
    """
    if not (plan.pending or plan.unfinished or plan.is_news):
        return
    number = backend.begin_apply(plan, who)
    results: list[ChangeFinished] = []
    for event in apply(plan, backend, ending):
        if isinstance(event, ChangeFinished):
            results.append(event)
        yield event
    backend.end_apply(number, results, tuple(_runs(plan, results)))


def _runs(plan: Plan, results: Sequence[ChangeFinished]) -> Iterator[AppliedRun]:
    """The runs that the plan's source wants, those that were just started among them."""
    made = {each.name: each.id for each in results if each.kind == "Run" and each.state == "done"}
    for run in plan.runs:
        id_ = made.get(run.name) if run.id is None else run.id
        yield AppliedRun(run.document, run.pipeline, run.digest, id_ or "")


def refreshed(
    backend: Backend, records: Sequence[ApplyRecord], most: int = MAX_ASKED
) -> tuple[ApplyRecord, ...]:
    """Records with the states of their runs as they are now: those that nobody saw succeed are asked for, newest first.

    Of one that is gone, or that is not asked for since `most` others were, the state stays as it was written down.
    """
    unsure = (run.id for record in records for run in record.runs if run.id and run.state != "SUCCEEDED")
    states = backend.runs.states(list(dict.fromkeys(unsure))[:most])
    return tuple(
        replace(
            record,
            runs=tuple(replace(run, state=states.get(run.id, run.state)) for run in record.runs),
        )
        for record in records
    )


def apply(plan: Plan, backend: Backend, ending: Callable[[], bool] = _never) -> Iterator[Event]:
    """Performs the pending changes, level by level. The caller holds the target's lock.

    Once `ending` says so no change is begun any more: the rest is told as skipped.
    """
    failed: set[Key] = set()
    for _, level_ in groupby(plan.pending, _stage):
        ready: list[Change] = []
        for change in level_:
            blocked = _blocked(change, failed)
            if blocked is None:
                ready.append(change)
            else:
                failed.add(subject(change))
                yield ChangeFinished(action(change), *subject(change), None, "skipped", blocked)
        for event in _together(ready, backend, ending):
            if isinstance(event, ChangeFinished) and event.state == "failed":
                failed.add((event.kind, event.name))
            yield event


def _stage(change: Change) -> tuple[bool, tuple[int, int]]:
    return isinstance(change, Delete), rank(subject(change)[0])


def _blocked(change: Change, failed: set[Key]) -> str | None:
    """Why a change cannot be tried; None where it can."""
    if isinstance(change, Delete):
        return "an earlier change failed" if failed else None
    missing = next((key for key in _needs(change) if key in failed), None)
    return f"{missing[0].lower()}/{missing[1]} failed" if missing else None


def _needs(change: Change) -> Iterator[Key]:
    """What a change stands on."""
    if isinstance(change, Create | Update | Replace):
        for kind, key in (("Pipeline", "pipeline"), ("Experiment", "experiment")):
            if key in change.desired.spec:
                yield kind, str(change.desired.spec[key])


def _together(changes: Sequence[Change], backend: Backend, ending: Callable[[], bool]) -> Iterator[Event]:
    if backend.parallelism == 1 or len(changes) == 1:
        for change in changes:
            yield ChangeStarted(action(change), *subject(change))
            yield _performed(change, backend, ending)
        return
    with ThreadPoolExecutor(min(backend.parallelism, len(changes) or 1)) as pool:
        try:
            waiting = [pool.submit(_performed, change, backend, ending) for change in changes]
            yield from (ChangeStarted(action(change), *subject(change)) for change in changes)
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            # What was begun is seen through, nothing else is begun.
            pool.shutdown(cancel_futures=True)
            raise


def _performed(change: Change, backend: Backend, ending: Callable[[], bool]) -> ChangeFinished:
    word, (kind, name) = action(change), subject(change)
    if ending():
        return ChangeFinished(word, kind, name, None, "skipped", "kfgit was asked to end")
    try:
        id_ = backend.perform(change)
    except (MachineFault, Refused) as fault:
        return ChangeFinished(word, kind, name, None, "failed", str(fault))
    except Exception as fault:  # noqa: BLE001 - whatever it is, the other changes and the inventory must not suffer
        told = f"this is a mistake in kfgit itself: {type(fault).__name__}: {fault}"
        return ChangeFinished(word, kind, name, None, "failed", told)
    return ChangeFinished(word, kind, name, id_, "done")
