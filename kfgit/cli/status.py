"""`kfgit status`: what is live, how it differs, and whether it is well."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from kfgit import driver
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.cli.standing import standing
from kfgit.diagnostics import has_errors
from kfgit.driver import Checkout, Repository
from kfgit.events import ApplyRecord, RunRecord
from kfgit.plan import LiveObject, Plan
from kfgit.render import as_json, plans as show_plans, runs as show_runs
from kfgit.render.envelope import envelope
from kfgit.render.style import Style, ago, clean, instant, moment, table

if TYPE_CHECKING:
    from kfgit.backend import Backend
    from kfgit.events import Holder

_RUNS = 5
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class _Status:
    """`plan` is None while the source has `errors`: then nothing can be compared."""

    environment: str
    plan: Plan | None
    errors: int
    last: ApplyRecord | None
    objects: tuple[LiveObject, ...]
    runs: tuple[RunRecord, ...]
    failing: tuple[RunRecord, ...]
    server: Holder | None


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

    \b
    Example:
      kfgit status -e local --exit-code
    """
    repository = session.repository()
    name = session.environment(repository, env)
    found = _look(session, repository, name)
    if output == "json":
        session.json(_json(found))
    else:
        session.print(_human(found, session.out))
    return _code(found) if flags["exit_code"] else exits.DONE


def _code(found: _Status) -> int:
    if found.failing:
        return exits.FAILED
    if found.plan is None:
        return exits.INVALID
    return exits.PENDING if found.plan.pending else exits.DONE


def _look(session: Session, repository: Repository, name: str) -> _Status:
    checked = driver.check(repository, name)
    faults = (*repository.diagnostics, *checked.diagnostics)
    if has_errors(faults):
        with session.reached(repository, standing(repository, name)) as backend:
            return _facts(name, backend, None, sum(d.severity == "error" for d in faults))
    with session.backend(repository, checked.value) as backend:
        return _facts(name, backend, _plan(repository, checked.value, backend), 0)


def _plan(repository: Repository, checkout: Checkout, backend: Backend) -> Plan:
    return driver.plan(repository, checkout, driver.resources(checkout).value, backend)


def _facts(name: str, backend: Backend, plan: Plan | None, errors: int) -> _Status:
    """A pipeline is unhealthy while the newest of its runs has failed."""
    runs = backend.runs.newest(_LOOKED_AT)
    latest: dict[str, RunRecord] = {}
    for run in runs:
        if run.state not in {"PENDING", "CANCELED", "SKIPPED"}:
            latest.setdefault(run.pipeline, run)
    failing = tuple(run for run in latest.values() if run.state == "FAILED")
    return _Status(
        name,
        plan,
        errors,
        backend.last_apply(),
        backend.observe().objects,
        runs[:_RUNS],
        failing,
        backend.holder(),
    )


def _json(found: _Status) -> dict[str, Any]:
    return envelope(
        "Status",
        environment=found.environment,
        target="local",
        errors=found.errors,
        inSync=None if found.plan is None else not found.plan.pending,
        healthy=not found.failing,
        pending=[as_json.change(change) for change in found.plan.pending] if found.plan else [],
        objects=[{"kind": o.kind, "name": o.name, "id": o.id, "owned": o.owned} for o in found.objects],
        server=None if found.server is None else asdict(found.server),
        lastApply=_last(found.last) if found.last else None,
        unhealthy=[{"run": run.id, "pipeline": run.pipeline, "error": run.error} for run in found.failing],
        runs=[as_json.run(run) for run in found.runs],
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
    if found.server is not None:
        text += f"Server: {clean(served(found.server))}.\n"
    for run in found.failing:
        why = f": {clean(run.error)}" if run.error else ""
        text += (
            f"{style.red('unhealthy')}: the last run of {clean(run.pipeline)} failed ({run.id[:8]}){why}\n"
        )
    if found.objects:
        rows = [(o.kind.lower(), o.name, "ours" if o.owned else style.dim("not ours")) for o in found.objects]
        text += "\n" + table(rows, ("KIND", "NAME", "OWNER"), style)
    if found.runs:
        text += "\n" + show_runs.listing(found.runs, now, style)
    return text


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
