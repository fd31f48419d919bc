"""What will run otherwise: Run documents that an apply of the newer side starts, and schedules whose ticks change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from kfgit.diff.clocks import becomes, rule
from kfgit.diff.meaning import alike
from kfgit.diff.sides import ENVIRONMENT, Key, Seen, hidden
from kfgit.diff.values import Firing
from kfgit.model import Run, Schedule

Changed: TypeAlias = frozenset[Key]


def later(before: Seen, after: Seen, changed: Changed) -> tuple[Firing, ...]:
    """What an apply of `after` starts, and which schedules fire otherwise then; `changed` are resources."""
    unknown = hidden(before, after)
    if ENVIRONMENT in unknown:
        return ()
    return (*_runs(before, after, changed, unknown), *_schedules(before, after, changed, unknown))


def apart(before: Seen, after: Seen) -> tuple[Firing, ...]:
    """Schedules of two environments that do not fire alike."""
    old, new = _firing(before), _firing(after)
    found = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if now is None and was is not None:
            found.append(_told(was, f"fires only in {before.environment}: {rule(was)}"))
        elif was is None and now is not None:
            found.append(_told(now, f"fires only in {after.environment}: {rule(now)}"))
        elif was is not None and now is not None and (why := _differs(was, now)):
            found.append(_told(now, why))
    return tuple(found)


# --- runs


def _runs(before: Seen, after: Seen, changed: Changed, unknown: Changed) -> Iterator[Firing]:
    old = before.checked.project.runs
    for name, run in sorted(after.checked.project.runs.items()):
        if after.pipeline(run.pipeline.text) is None or ("Run", name) in unknown:
            continue
        if run.trigger == "onApply" and (
            _is_given_otherwise(old.get(name), run) or _another_state(before, after, changed)
        ):
            yield Firing("Run", name, run.pipeline.text, "starts with each apply of another commit")
        elif run.trigger != "onApply" and (why := _why(old.get(name), run, before, after)):
            yield Firing("Run", name, run.pipeline.text, why)


def _why(old: Run | None, run: Run, before: Seen, after: Seen) -> str | None:
    match run.trigger:
        case "once":
            return _once(old, before, after)
        case "onChange":
            return _changed(old, run, before, after)
        case _:
            return None


def _is_given_otherwise(old: Run | None, run: Run) -> bool:
    """Whether a run is new, or its document asks for another one."""
    return (
        old is None
        or (old.trigger, old.pipeline.text) != (run.trigger, run.pipeline.text)
        or not alike(old.given.values, run.given.values)
    )


def _another_state(before: Seen, after: Seen, changed: Changed) -> bool:
    """A cluster's state is its commit, and elsewhere all that is wanted but runs (see `desired`)."""
    if after.commit is not None:
        return before.commit != after.commit
    one, other = before.checked.project, after.checked.project
    return (
        _renames(before, after)
        or one.environment.mode != other.environment.mode
        or not alike(one.experiments, other.experiments)
        or not alike(one.schedules, other.schedules)
        or any(kind == "Pipeline" for kind, _ in changed)
    )


def _renames(before: Seen, after: Seen) -> bool:
    """Whether runs are called otherwise on the target: one that was started by another name is not known by this."""
    return before.checked.project.environment.prefix != after.checked.project.environment.prefix


def _once(old: Run | None, before: Seen, after: Seen) -> str | None:
    if old is None or old.trigger != "once":
        return "starts once, and is new as such"
    return "starts once more, by its new name on the target" if _renames(before, after) else None


def _changed(old: Run | None, run: Run, before: Seen, after: Seen) -> str | None:
    """Why a run starts that does so at each change; None where nothing did."""
    name = run.pipeline.text
    if old is None or old.trigger != "onChange":
        return "starts at each change, and is new as such"
    if old.pipeline.text != name:
        return f"starts, since it runs {name} now, and not {old.pipeline.text}"
    reasons = [f"pipeline/{name}"] if before.digest(name) != after.digest(name) else []
    if not alike(old.given.values, run.given.values):
        reasons.append("what it is given")
    if _renames(before, after):
        reasons.append("its name on the target")
    return f"starts, since {' and '.join(reasons)} changed" if reasons else None


# --- schedules


def _schedules(before: Seen, after: Seen, changed: Changed, unknown: Changed) -> Iterator[Firing]:
    old, new = before.checked.project.schedules, after.checked.project.schedules
    for name in sorted(old.keys() | new.keys()):
        if ("Schedule", name) not in unknown:
            yield from _schedule(old.get(name), new.get(name), before, after, changed)


def _schedule(
    was: Schedule | None, now: Schedule | None, before: Seen, after: Seen, changed: Changed
) -> Iterator[Firing]:
    fired, fires = _is_on(was, before), _is_on(now, after)
    if was is not None and fired and not fires:
        yield _told(was, _ended(was, now, after))
    elif now is not None and fires and not fired:
        yield _told(now, f"{'is new' if was is None else 'is enabled'}: fires {rule(now)}")
    elif was is not None and now is not None and fires:
        why = _differs(was, now)
        if why is None and now.version == "latest" and ("Pipeline", now.pipeline.text) in changed:
            why = f"fires {rule(now)}, with the changed pipeline from now on"
        if why is not None:
            yield _told(now, why)


def _told(schedule: Schedule, why: str) -> Firing:
    return Firing("Schedule", schedule.name, schedule.pipeline.text, why)


def _ended(was: Schedule, now: Schedule | None, after: Seen) -> str:
    if now is not None:
        return f"is disabled: fired {rule(was)}"
    if after.checked.project.environment.prune.get("schedules") == "keep":
        return f"is removed, and the environment keeps what is live: goes on firing {rule(was)}"
    return f"is removed: fired {rule(was)}"


def _differs(was: Schedule, now: Schedule) -> str | None:
    """How a schedule that fired and fires differs; None where it does the same."""
    old, new = rule(was), rule(now)
    told = [f"fires {becomes(old, new)}"] if old != new else []
    for what, one, other in (("starts", was.start, now.start), ("ends", was.end, now.end)):
        if one != other:
            told.append(f"{what} {one or 'at no set time'} → {other or 'at no set time'}")
    if was.pipeline.text != now.pipeline.text:
        told.append(f"runs {now.pipeline.text} and not {was.pipeline.text}")
    if was.version != now.version:
        told.append(f"runs the version {was.version} → {now.version}")
    if not alike(was.given.values, now.given.values):
        told.append("gives other inputs")
    return ", ".join(told) or None


def _is_on(schedule: Schedule | None, seen: Seen) -> bool:
    """In development environments no schedule fires."""
    is_quiet = seen.checked.project.environment.mode == "development"
    return schedule is not None and schedule.enabled and not is_quiet


def _firing(seen: Seen) -> dict[str, Schedule]:
    return {name: one for name, one in seen.checked.project.schedules.items() if _is_on(one, seen)}
