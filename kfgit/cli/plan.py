"""`kfgit plan`: what apply would do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kfgit import cron, driver, plan as plans, ticks
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.ir import Resource
from kfgit.plan import Plan
from kfgit.render import as_json, plans as show
from kfgit.render.style import moment

_NEXT = 3

Notes = Mapping[tuple[str, str], Sequence[str]]


@click.command("plan")
@options.environment
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan as JSON, for `apply --plan`.")
@click.option("--exit-code", is_flag=True, help="Exit with 2 when changes are pending.")
@options.output("human", "json", "markdown")
@options.session
def command(session: Session, /, env: str | None, out: Path | None, output: str, **flags: Any) -> int:
    """Show what apply would do to what is live.

    \b
    Examples:
      kfgit plan
      kfgit plan -e prod -o markdown
      kfgit plan --out plan.json && kfgit apply --plan plan.json
    """
    repository = session.repository()
    checkout = session.checkout(repository, session.environment(repository, env))
    session.lawful(repository, checkout)
    desired = driver.resources(checkout).value
    with session.backend(repository, checkout) as backend:
        found = driver.plan(repository, checkout, desired, backend)
    if out is not None:
        text = json.dumps(as_json.plan(found), indent=2, ensure_ascii=False)
        (session.folder / out).write_text(text + "\n", encoding="utf-8")
    tell(session, found, notes_of(found, desired), output)
    return exits.PENDING if flags["exit_code"] and found.pending else exits.DONE


def tell(session: Session, found: Plan, notes: Notes, output: str) -> None:
    """Prints a plan."""
    match output:
        case "json":
            session.json(_with_notes(found, notes))
        case "markdown":
            session.print(show.markdown(found, notes))
        case _:
            session.print(show.human(found, notes, session.out))


def _with_notes(found: Plan, notes: Notes) -> dict[str, Any]:
    document = as_json.plan(found)
    for change in document["changes"]:
        change["notes"] += notes.get((change["kind"], change["name"]), ())
    return document


def notes_of(plan: Plan, desired: Sequence[Resource]) -> Notes:
    """When schedules fire next, and why runs start."""
    found: dict[tuple[str, str], Sequence[str]] = {}
    now = datetime.now(UTC)
    new = {plans.subject(change) for change in plan.changes if isinstance(change, plans.Create)}
    for resource in desired:
        if resource.kind == "Schedule":
            found["Schedule", resource.name] = _fires(resource, now, new=("Schedule", resource.name) in new)
        elif resource.kind == "Run":
            found["Run", resource.name] = (f"runs {resource.spec['pipeline']} ({resource.spec['trigger']})",)
    return found


def _fires(resource: Resource, now: datetime, *, new: bool) -> Sequence[str]:
    if not resource.spec["enabled"]:
        return ("disabled: it does not fire",)
    zone, rule, standing = (
        cron.zone_of(resource.spec["timezone"]),
        ticks.read(resource.spec),
        ticks.Standing(now),
    )
    times = ticks.upcoming(rule, standing, now, _NEXT)
    told = ", ".join(moment(at.astimezone(zone)) for at in times)
    later = f"fires next: {told}" if told else "never fires again"
    since = ticks.owed_since(rule, standing, now) if new else None
    if since is None:
        return (later,)
    begun = f"its start is past: {'every time' if rule.catchup else 'the newest time'} since"
    return f"{begun} {moment(since.astimezone(zone))} fires at once", later
