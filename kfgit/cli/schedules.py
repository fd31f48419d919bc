"""`kfgit schedules`: what fires when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.firing import next_times
from kfgit.cli.names import Group
from kfgit.cli.session import Session
from kfgit.plan import LiveObject
from kfgit.render.envelope import envelope, items
from kfgit.render.style import Style, clean, every, instant, moment, table

_NONE = "no schedules are live; `kfgit apply` makes those of the repository"


@click.group("schedules", cls=Group)
def command() -> None:
    """List schedules and their next fire times.

    \b
    Examples:
      kfgit schedules list
      kfgit schedules next weekly-retrain
    """


def _live(session: Session, env: str | None) -> list[LiveObject]:
    with session.target(env) as backend:
        return [thing for thing in backend.observe().objects if thing.kind == "Schedule"]


def _times(thing: LiveObject, count: int) -> list[datetime]:
    """When it fires next; a disabled one never does."""
    return next_times(thing.spec, datetime.now(UTC), count) if thing.spec.get("enabled") else []


def _json(thing: LiveObject, count: int) -> dict[str, Any]:
    times = [instant(at) for at in _times(thing, count)]
    return envelope(
        "Schedule", id=thing.id, name=thing.name, owned=thing.owned, spec=dict(thing.spec), next=times
    )


@command.command("list")
@options.environment
@options.output("human", "json")
@options.session
def list_(session: Session, env: str | None, output: str) -> int:
    """List the schedules that are live.

    \b
    Example:
      kfgit schedules list -o json
    """
    found = _live(session, env)
    if output == "json":
        session.json(items("Schedule", [_json(thing, 1) for thing in found]))
    elif found:
        session.print(
            table(
                [_row(thing) for thing in found], ("NAME", "PIPELINE", "WHEN", "ENABLED", "NEXT"), session.out
            )
        )
    else:
        session.say(_NONE)
    return exits.DONE


def _row(thing: LiveObject) -> Sequence[str]:
    spec = thing.spec
    times = _times(thing, 1)
    following = moment(times[0]) if times else "never"
    return (
        thing.name,
        str(spec.get("pipeline")),
        _when(spec),
        "yes" if spec.get("enabled") else "no",
        following,
    )


def _when(spec: Mapping[str, Any]) -> str:
    """The trigger as people write it: cron in five fields where the seconds say nothing."""
    cron = spec.get("cron")
    if cron is None:
        return f"every {every(int(spec.get('every') or 0))}"
    return f"{str(cron).removeprefix('0 ')} {spec.get('timezone')}"


@command.command("next")
@click.argument("schedule", required=False, shell_complete=options.complete_schedule)
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many times.")
@options.environment
@options.output("human", "json")
@options.session
def next_(session: Session, /, schedule: str | None, count: int, env: str | None, output: str) -> int:
    """Show when schedules fire next, in their own zone and in yours.

    \b
    Example:
      kfgit schedules next weekly-retrain --count 3
    """
    found = _live(session, env)
    if schedule is not None:
        name = schedule.removeprefix("schedule/")
        known = [thing.name for thing in found]
        found = [thing for thing in found if thing.name == name]
        if not found:
            raise NotFound("schedule", name, known)
    if output == "json":
        session.json(items("Schedule", [_json(thing, count) for thing in found]))
        return exits.DONE
    if not found:
        session.say(_NONE)
    for thing in found:
        session.print(_upcoming(thing, count, session.out))
    return exits.DONE


def _upcoming(thing: LiveObject, count: int, style: Style) -> str:
    """The times of one schedule; in the reader's zone too where that is another."""
    head = f"{style.bold(clean(thing.name))}  {style.dim(clean(_when(thing.spec)))}\n"
    if not thing.spec.get("enabled"):
        return f"{head}  disabled: it does not fire\n"
    rows = [(f"  {moment(at)}", moment(at.astimezone())) for at in _times(thing, count)]
    if not rows:
        return f"{head}  never again\n"
    if all(its.strip() == yours for its, yours in rows):
        return head + table([(its,) for its, _ in rows])
    return head + table(rows, ("  ITS ZONE", "YOURS"), style)
