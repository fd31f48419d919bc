"""`kfgit schedules`: what fires when, what it did, and why it did not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from kfgit.cli import exits, options, schedule_view as view
from kfgit.cli.follow import check_served, see_through
from kfgit.cli.names import Group
from kfgit.cli.session import Session
from kfgit.render import as_json
from kfgit.render.envelope import items
from kfgit.render.style import clean, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfgit.backend import Backend

_NONE = "no schedules are live; `kfgit apply` makes those of the repository"


@click.group("schedules", cls=Group)
def command() -> None:
    """List schedules, show what became of their ticks, turn them on and off.

    They fire on a cluster, or while `kfgit up` serves a local environment. A schedule is named by its name or id, or
    the beginning of one.

    \b
    Examples:
      kfgit schedules list
      kfgit schedules next weekly-retrain
      kfgit schedules trigger weekly-retrain
    """


@command.command("list")
@options.environment
@options.output("human", "json")
@options.session
def list_(session: Session, env: str | None, output: str) -> int:
    """List the schedules that are live, with their last and next ticks.

    \b
    Example:
      kfgit schedules list -o json
    """
    with _reached(session, env) as backend:
        found = backend.schedules.all()
    now = datetime.now(UTC)
    if output == "json":
        session.json(items("Schedule", [view.as_json(told, now, 1) for told in found]))
    elif found:
        session.print(table([view.row(told, now, session.out) for told in found], view.HEAD, session.out))
        for told in found:
            if told.held is not None:
                session.print(f"{clean(told.name)} {view.why(told, told.held, session.out)}")
    else:
        session.say(_NONE)
    return exits.DONE


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
    with _reached(session, env) as backend:
        found = backend.schedules.all() if schedule is None else (backend.schedules.get(schedule),)
    now = datetime.now(UTC)
    if output == "json":
        session.json(items("Schedule", [view.as_json(told, now, count) for told in found]))
        return exits.DONE
    if not found:
        session.say(_NONE)
    for told in found:
        session.print(view.heading(told, session.out) + view.upcoming(told, now, count, session.out))
    return exits.DONE


@command.command("show")
@click.argument("schedule", shell_complete=options.complete_schedule)
@options.environment
@options.output("human", "json")
@options.session
def show(session: Session, /, schedule: str, env: str | None, output: str) -> int:
    """Show a schedule with what became of its newest ticks, and why.

    \b
    Example:
      kfgit schedules show weekly-retrain
    """
    with _reached(session, env) as backend:
        told = backend.schedules.get(schedule)
    now = datetime.now(UTC)
    if output == "json":
        session.json(
            view.as_json(told, now, 5) | {"ticks": [view.tick_json(tick, told) for tick in told.history]}
        )
        return exits.DONE
    style = session.out
    session.print(view.heading(told, style) + view.facts(told, style))
    session.print(view.upcoming(told, now, 5, style))
    if told.history:
        rows = [view.past(told, tick, style) for tick in told.history]
        session.print(table(rows, view.PAST, style))
    return exits.DONE


@command.command("enable")
@click.argument("schedules", nargs=-1, required=True, shell_complete=options.complete_schedule)
@options.environment
@options.output("human", "json")
@options.session
def enable(session: Session, /, schedules: tuple[str, ...], env: str | None, output: str) -> int:
    """Turn schedules on. Of the ticks missed meanwhile the newest fires, with catchup all of them do, as on KFP.

    \b
    Example:
      kfgit schedules enable weekly-retrain
    """
    return _switch(session, schedules, env, output, enabled=True)


@command.command("disable")
@click.argument("schedules", nargs=-1, required=True, shell_complete=options.complete_schedule)
@options.environment
@options.output("human", "json")
@options.session
def disable(session: Session, /, schedules: tuple[str, ...], env: str | None, output: str) -> int:
    """Turn schedules off. Their runs go on.

    \b
    Example:
      kfgit schedules disable weekly-retrain
    """
    return _switch(session, schedules, env, output, enabled=False)


@command.command("trigger")
@click.argument("schedule", shell_complete=options.complete_schedule)
@click.option("--detach", is_flag=True, help="Leave the run to the server (a cluster, or `kfgit up`).")
@options.environment
@options.output("human", "json")
@options.session
def trigger(session: Session, /, schedule: str, env: str | None, output: str, **flags: Any) -> int:
    """Start the run of a schedule now and follow it to its end.

    It has the schedule's version, inputs and experiment, and counts among its runs that go on, but is no tick: what
    is due fires all the same. Exits with 7 when the run fails.

    \b
    Example:
      kfgit schedules trigger weekly-retrain
    """
    with session.target(env) as backend:
        if flags["detach"]:
            check_served(backend)
            run = backend.runs.get(backend.schedules.trigger(schedule))
            if output == "human":
                session.print(run.id)
            code = exits.DONE
        else:
            run, code = see_through(session, backend, backend.schedules.trigger(schedule))
    if output == "json":
        session.json(as_json.run(run))
    return code


def _switch(session: Session, names: Sequence[str], env: str | None, output: str, *, enabled: bool) -> int:
    with session.target(env) as backend:
        ids = dict.fromkeys(backend.schedules.get(name).id for name in names)
        found = [backend.schedules.enable(id_, enabled=enabled) for id_ in ids]
    if output == "json":
        session.json(items("Schedule", [view.as_json(told, datetime.now(UTC), 1) for told in found]))
    for told in found:
        if output == "human":
            session.print(f"{clean(told.name)}  {'enabled' if enabled else 'disabled'}")
        if told.owned and bool(told.spec.get("enabled", True)) != enabled:
            session.say(
                f"kfgit: {clean(told.name)} is this project's; the next apply makes it what its document says"
            )
    return exits.DONE


@contextmanager
def _reached(session: Session, env: str | None) -> Iterator[Backend]:
    """The environment; afterwards it is said if nothing fires there."""
    with session.target(env) as backend:
        yield backend
        if not backend.fires() and any(told.enabled for told in backend.schedules.all()):
            session.say(f"kfgit: nothing fires until a server does it: kfgit up -e {backend.environment}")
