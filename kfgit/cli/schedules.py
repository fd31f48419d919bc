"""`kfgit schedules`: what fires when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.plan import next_times
from kfgit.cli.session import Session
from kfgit.ir import Resource
from kfgit.plan import LiveObject
from kfgit.render import as_json
from kfgit.render.style import instant, table


@click.group("schedules")
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
    return next_times(Resource(thing.kind, thing.name, thing.spec, ""), datetime.now(UTC), count)


def _json(thing: LiveObject, count: int) -> dict[str, Any]:
    times = [instant(at) for at in _times(thing, count)]
    return as_json.envelope("Schedule", id=thing.id, name=thing.name, owned=thing.owned, spec=dict(thing.spec), next=times)


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
        session.json(as_json.items("Schedule", [_json(thing, 1) for thing in found]))
    elif found:
        session.print(table([_row(thing) for thing in found], ("NAME", "PIPELINE", "WHEN", "ENABLED", "NEXT"), session.out))
    else:
        session.say("no schedules are live; `kfgit apply` makes those of the repository")
    return exits.DONE


def _row(thing: LiveObject) -> Sequence[str]:
    spec = thing.spec
    when = spec.get("cron") or f"every {spec.get('every')}s"
    times = _times(thing, 1)
    following = times[0].strftime("%a %Y-%m-%d %H:%M %Z") if times else "never"
    return thing.name, str(spec.get("pipeline")), f"{when} {spec.get('timezone')}", "yes" if spec.get("enabled") else "no", following


@command.command("next")
@click.argument("schedule", required=False)
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many times.")
@options.environment
@options.output("human", "json")
@options.session
def next_(session: Session, schedule: str | None, count: int, env: str | None, output: str) -> int:
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
        session.json(as_json.items("Schedule", [_json(thing, count) for thing in found]))
        return exits.DONE
    for thing in found:
        session.print(session.out.bold(thing.name) + ("" if thing.spec.get("enabled") else "  (disabled)"))
        rows = [(at.strftime("%a %Y-%m-%d %H:%M:%S %Z"), at.astimezone().strftime("%a %Y-%m-%d %H:%M:%S %Z")) for at in _times(thing, count)]
        session.print(table([("  " + one, other) for one, other in rows], ("  ITS ZONE", "YOURS"), session.out) if rows else "  never\n")
    return exits.DONE
