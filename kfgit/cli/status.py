"""`kfgit status`: what is live, how it differs, and whether it is well."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from kfgit import driver
from kfgit.backend import Refused
from kfgit.cli import exits, options, schedule_view, source
from kfgit.cli.health import Failure, Health, health, is_failing
from kfgit.cli.session import Session
from kfgit.cli.source import Source
from kfgit.cli.standing import standing
from kfgit.diagnostics import has_errors
from kfgit.events import ApplyRecord
from kfgit.plan import LOCAL_TARGET, Live, LiveObject, Plan
from kfgit.render import as_json, plans as show_plans, runs as show_runs
from kfgit.render.envelope import envelope
from kfgit.render.style import Style, ago, clean, instant, moment, table

if TYPE_CHECKING:
    from kfgit.backend import Backend, ScheduleStatus
    from kfgit.events import Holder

_RUNS = 5
_SCHEDULES = 20


@dataclass(frozen=True, slots=True)
class _Status:
    """`plan` is None while the source has `errors`: then nothing can be compared."""

    environment: str
    target: str
    plan: Plan | None
    errors: int
    last: ApplyRecord | None
    objects: tuple[LiveObject, ...]
    health: Health
    applying: str | None
    server: Holder | None
    requests: int


@click.command("status")
@options.environment
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit with 7 when something is unhealthy, else with 2 when the target differs.",
)
@options.output("human", "json")
@options.session
def command(session: Session, /, env: str | None, output: str, **flags: Any) -> int:
    """Show what is live, drift, health and the last apply.

    A cluster is compared with the commit that is checked out, a local target with the folder.

    \b
    Example:
      kfgit status -e local --exit-code
    """
    with ExitStack() as stack:
        found = _look(session, _source(session, env, stack))
    if output == "json":
        session.json(_json(found))
    else:
        session.print(_human(found, session.out))
    return _code(found) if flags["exit_code"] else exits.DONE


def _code(found: _Status) -> int:
    if found.health.failures:
        return exits.FAILED
    if found.plan is None:
        return exits.INVALID
    return exits.PENDING if found.plan.pending else exits.DONE


def _source(session: Session, env: str | None, stack: ExitStack) -> Source:
    """What the target is compared with, as plan does it; the folder where there is no commit."""
    try:
        return stack.enter_context(source.opened(session, env, None, None))
    except Refused as why:
        session.say(f"kfgit: {clean(str(why))}; compared with the folder as it is")
        repository = session.repository()
        return Source(repository, session.environment(repository, env))


def _look(session: Session, read: Source) -> _Status:
    repository, name = read.repository, read.environment
    checked = driver.check(repository, name)
    faults = driver.mistakes(checked)
    if has_errors(faults):
        with session.reached(repository, standing(repository, name)) as backend:
            errors = sum(d.severity == "error" for d in faults)
            return _facts(name, backend, backend.observe(), None, errors)
    checkout = checked.value
    desired = driver.resources(checkout).value
    with session.backend(repository, checkout) as backend:
        live = backend.observe(desired)
        plan = driver.compare(repository, checkout, desired, live, backend.identity)
        environment = checkout.project.project.environment
        doubts = (*read.doubts(environment), *read.more_doubts(environment, backend))
        remarks = (*(doubt.text for doubt in doubts), *plan.remarks)
        return _facts(name, backend, live, replace(plan, remarks=remarks), 0)


def _facts(name: str, backend: Backend, live: Live, plan: Plan | None, errors: int) -> _Status:
    found = health(backend, live.objects)
    last, applying, server = backend.last_apply(), backend.applying(), backend.holder()
    return _Status(
        name,
        backend.identity,
        plan,
        errors,
        last,
        live.objects,
        found,
        applying,
        server,
        backend.requests,
    )


def _json(found: _Status) -> dict[str, Any]:
    now = datetime.now(UTC)
    return envelope(
        "Status",
        environment=found.environment,
        target=found.target,
        errors=found.errors,
        inSync=None if found.plan is None else not found.plan.pending,
        healthy=not found.health.failures,
        pending=[as_json.change(change) for change in found.plan.pending] if found.plan else [],
        objects=[{"kind": o.kind, "name": o.name, "id": o.id, "owned": o.owned} for o in found.objects],
        server=None if found.server is None else asdict(found.server),
        lastApply=_last(found.last) if found.last else None,
        lockedBy=found.applying,
        unhealthy=[failure._asdict() for failure in found.health.failures],
        schedules=[schedule_view.as_json(told, now, 1) for told in found.health.schedules],
        runs=[as_json.run(run) for run in found.health.runs[:_RUNS]],
        requests=found.requests,
    )


def _last(last: ApplyRecord) -> dict[str, Any]:
    return {
        "commit": last.commit,
        "digest": last.digest,
        "who": last.who,
        "startedAt": instant(last.started_at),
        "finishedAt": instant(last.finished_at),
        "result": dict(last.result),
    }


def _human(found: _Status, style: Style) -> str:
    now = datetime.now(UTC)
    if found.plan is None:
        count = f"{found.errors} mistake" + ("s" if found.errors > 1 else "")
        text = f"{style.red(count)} in the source, so nothing can be compared; `kfgit validate` tells them.\n"
    else:
        text = show_plans.human(found.plan, {}, style, kept=False)
    text += _applied(found.last, now, style)
    if found.applying is not None:
        text += f"{style.yellow('Locked')}: {clean(found.applying)}.\n"
    if found.server is not None:
        text += f"Server: {clean(served(found.server))}.\n"
    for failure in found.health.failures:
        text += f"{style.red('unhealthy')}: {clean(_failure(failure))}\n"
    text += _schedules(found.health.schedules, now, style)
    text += _objects(found, style)
    if found.health.runs:
        text += "\n" + show_runs.listing(found.health.runs[:_RUNS], now, style)
    if found.requests:
        text += style.dim(f"\n{found.requests:,} API requests were made.\n")
    return text


def _objects(found: _Status, style: Style) -> str:
    """All that is live; of a cluster, which belongs to many, what is ours."""
    shown = [o for o in found.objects if o.owned or found.target == LOCAL_TARGET]
    rows = [(o.kind.lower(), o.name, "ours" if o.owned else style.dim("not ours")) for o in shown]
    others = len(found.objects) - len(shown)
    text = "\n" + table(rows, ("KIND", "NAME", "OWNER"), style) if rows else ""
    rest = f"{others:,} object{'' if others == 1 else 's'} of others: kfgit status -o json\n"
    return text + (style.dim(rest) if others else "")


def _failure(failure: Failure) -> str:
    of = failure.pipeline if failure.schedule is None else f"the schedule {failure.schedule}"
    why = f": {failure.error}" if failure.error else ""
    return f"the last run of {of} failed ({failure.run[:8]}){why}"


def _schedules(schedules: Sequence[ScheduleStatus], now: datetime, style: Style) -> str:
    """Those that failed first; where they are many the rest is only counted."""
    if not schedules:
        return ""
    shown = max(_SCHEDULES, sum(map(is_failing, schedules)))
    rows = [schedule_view.row(told, now, style) for told in schedules[:shown]]
    more = len(schedules) - shown
    rest = style.dim(f"and {more:,} more: kfgit schedules list\n") if more > 0 else ""
    return "\n" + table(rows, schedule_view.HEAD, style) + rest


def served(server: Holder) -> str:
    """A server and what it does, for people."""
    does = [word for word, on in (("schedules", server.scheduler), ("runs", server.engine)) if on]
    what = f", looks after {' and '.join(does)}" if does else ""
    return f"{server.url} (process {server.pid}, since {_since(server)}){what}"


def _since(server: Holder) -> str:
    try:
        return moment(datetime.fromisoformat(server.since).astimezone())
    except ValueError:
        return server.since


def _applied(last: ApplyRecord | None, now: datetime, style: Style) -> str:
    if last is None:
        return "Nothing was applied yet.\n"
    commit = f", commit {last.commit[:10]}" if last.commit else ""
    how = ""
    if last.finished_at is None:
        how = f"; {style.yellow('it was cut off')}, and `kfgit apply` ends what it began"
    elif last.result.get("failed"):
        how = f"; {style.red('a change failed')}"
    return f"Last apply: {ago(last.started_at, now)} by {clean(last.who)}{commit}{how}.\n"
