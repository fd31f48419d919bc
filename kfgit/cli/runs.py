"""`kfgit runs`: what ran, how, and what it said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from kfgit.backend import Gone
from kfgit.cli import exits, options
from kfgit.cli.follow import CLEAR, Followed, check_served, follow, see_through
from kfgit.cli.names import Group
from kfgit.cli.session import Session
from kfgit.model import Retention
from kfgit.render import as_json, runs as show
from kfgit.render.envelope import items
from kfgit.render.style import clean

if TYPE_CHECKING:
    from kfgit.backend import Backend

_AGE = re.compile(r"([0-9]{1,12})([smhdw])\Z")
_LONGEST = timedelta(days=365_000)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group("runs", cls=Group)
def command() -> None:
    """List, show, read, retry, cancel and delete runs.

    A run is named by its id or the beginning of it.

    \b
    Examples:
      kfgit runs list
      kfgit runs show 1f3a
      kfgit runs logs 1f3a train
    """


@command.command("list")
@options.environment
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many, newest first."
)
@options.output("human", "json")
@options.session
def list_(session: Session, env: str | None, limit: int, output: str) -> int:
    """List runs, newest first.

    \b
    Example:
      kfgit runs list --limit 5
    """
    with session.target(env) as backend:
        found = backend.runs.newest(limit)
        more = backend.runs.count() - limit if len(found) == limit else 0
    if output == "json":
        session.json(items("Run", [as_json.run(run) for run in found]))
    elif found:
        session.print(show.listing(found, datetime.now(UTC), session.out))
        if more > 0:
            session.say(f"and {more:,} more; --limit shows more of them")
    else:
        session.say("no runs yet; `kfgit run PIPELINE` starts one")
    return exits.DONE


@command.command("show")
@click.argument("run", shell_complete=options.complete_run)
@options.environment
@options.output("human", "json")
@options.session
def show_(session: Session, run: str, env: str | None, output: str) -> int:
    """Show one run with its tasks.

    \b
    Example:
      kfgit runs show 1f3a -o json
    """
    with session.target(env) as backend:
        found = backend.runs.get(run)
        place = backend.runs.place(found.id)
    if output == "json":
        session.json(as_json.run(found))
    else:
        session.print(show.show(found, session.near(place or ""), datetime.now(UTC), session.out))
    return exits.DONE


@command.command("logs")
@click.argument("run", shell_complete=options.complete_run)
@click.argument("task", required=False)
@click.option("--attempt", type=click.IntRange(0), help="Which attempt, from 0; default: the last.")
@options.environment
@options.output("human", "json")
@options.session
def logs(
    session: Session, run: str, task: str | None, attempt: int | None, env: str | None, output: str
) -> int:
    """Print what a task said, or what every task of the run said.

    \b
    Examples:
      kfgit runs logs 1f3a
      kfgit runs logs 1f3a sweep/0/train --attempt 0
    """
    with session.target(env) as backend:
        found = backend.runs.get(run)
        ran = [t.path for t in found.tasks if t.component is not None and t.attempts]
        if task is not None:
            texts = {task: backend.runs.log(found.id, task, attempt)}
        else:
            texts = dict(_readable(session, backend, found.id, ran, attempt))
    if output == "json":
        told = [{"path": path, "log": text} for path, text in texts.items()]
        session.json(items("Log", told))
    elif task is not None:
        session.print(_safe(session, texts[task]))
    else:
        for path, text in texts.items():
            session.print(session.out.bold(f"── {clean(path)}"))
            session.print(_safe(session, text))
    return exits.DONE


def _readable(
    session: Session, backend: Backend, run_id: str, paths: Sequence[str], attempt: int | None
) -> Iterator[tuple[str, str]]:
    """The logs that there still are; of the others it is said what became of them."""
    for path in paths:
        try:
            yield path, backend.runs.log(run_id, path, attempt)
        except Gone as gone:
            session.say(f"kfgit: {clean(str(gone))}")


def _safe(session: Session, text: str) -> str:
    """Logs keep their colours in files; on a terminal nothing of them is obeyed."""
    return clean(text) if session.screen else text


@command.command("watch")
@click.argument("run", shell_complete=options.complete_run)
@options.environment
@options.output("human", "json")
@options.session
def watch(session: Session, run: str, env: str | None, output: str) -> int:
    """Follow a run to its end.

    \b
    Example:
      kfgit runs watch 1f3a
    """
    with session.target(env) as backend:
        found = follow(session, backend, backend.runs.resolve(run))
    if output == "json":
        session.json(as_json.run(found.run))
    return found.code


@command.command("retry")
@click.argument("run", shell_complete=options.complete_run)
@click.option("--detach", is_flag=True, help="Leave the run to the server (a cluster, or `kfgit up`).")
@options.environment
@options.output("human", "json")
@options.session
def retry(session: Session, /, run: str, env: str | None, output: str, *, detach: bool) -> int:
    """Let a run that failed or was canceled go on, and follow it to its end.

    Tasks that succeeded are kept, all others run again, under the same id. Exits with 7 when the run fails again.

    \b
    Example:
      kfgit runs retry 1f3a
    """
    with session.target(env) as backend:
        if detach:
            check_served(backend)
        waiting = backend.runs.retry(run)
        found = Followed(waiting, exits.DONE) if detach else see_through(session, backend, waiting.id)
    if output == "json":
        session.json(as_json.run(found.run))
    elif detach:
        session.print(found.run.id)
    return found.code


@command.command("cancel")
@click.argument("runs", nargs=-1, required=True, shell_complete=options.complete_run)
@options.environment
@options.output("human", "json")
@options.session
def cancel(session: Session, runs: tuple[str, ...], env: str | None, output: str) -> int:
    """Ask runs to stop; their exit tasks still run.

    \b
    Example:
      kfgit runs cancel 1f3a
    """
    with session.target(env) as backend:
        found = [backend.runs.cancel(run) for run in runs]
    if output == "json":
        session.json(items("Run", [as_json.run(run) for run in found]))
    else:
        for run in found:
            session.print(f"{run.id}  {show.word(run.state, session.out)}")
    return exits.DONE


@command.command("delete")
@click.argument("runs", nargs=-1, shell_complete=options.complete_run)
@click.option("--older-than", metavar="AGE", help="All ended runs older than this, such as 30d.")
@click.option(
    "--keep", type=click.IntRange(0), metavar="COUNT", help="All ended runs but the newest so many."
)
@options.environment
@options.output("human", "json")
@options.session
def delete(session: Session, /, runs: tuple[str, ...], env: str | None, output: str, **policy: Any) -> int:
    """Remove ended runs with their files.

    \b
    Examples:
      kfgit runs delete 1f3a
      kfgit runs delete --older-than 30d
      kfgit runs delete --keep 100
    """
    older_than, keep = policy["older_than"], policy["keep"]
    if [bool(runs), older_than is not None, keep is not None].count(True) != 1:
        raise click.UsageError("name runs, or give --older-than, or --keep")
    age = int(_age(older_than).total_seconds()) if older_than is not None else None
    with session.target(env) as backend:
        if runs:
            ids = list(dict.fromkeys(backend.runs.resolve(run) for run in runs))
            for id_ in ids:
                backend.runs.delete(id_)
        else:
            ids = _swept(session, backend, Retention(keep, age))
    if output == "json":
        session.json(items("Deleted", [{"id": id_} for id_ in ids]))
    else:
        session.print(f"{len(ids):,} {'run' if len(ids) == 1 else 'runs'} deleted")
    return exits.DONE


def _swept(session: Session, backend: Backend, retention: Retention) -> list[str]:
    """The ids of the runs that were removed; on a terminal one sees them become more."""
    gone: list[str] = []
    for batch in backend.runs.sweep(retention, datetime.now(UTC)):
        gone += batch
        if session.live and not session.quiet:
            session.door.draw(f"\r{len(gone):,} runs deleted …")
    if gone and session.live and not session.quiet:
        session.door.draw(CLEAR)
    return gone


def _age(text: str) -> timedelta:
    match = _AGE.match(text)
    if match is None:
        raise click.UsageError(f"`{text}` is no age; write 12h, 30d or 2w")
    try:
        return min(timedelta(**{_UNITS[match.group(2)]: int(match.group(1))}), _LONGEST)
    except OverflowError:
        return _LONGEST
