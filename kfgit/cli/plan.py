"""`kfgit plan`: what apply would do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kfgit import cron, driver, plan as plans, project
from kfgit.backend import Backend
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.driver import Checkout, Repository
from kfgit.ir import Resource
from kfgit.plan import Plan, Rules
from kfgit.render import as_json, plans as show

_NEXT = 3


@click.command("plan")
@options.environment
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan as JSON, for `apply --plan`.")
@click.option("--exit-code", is_flag=True, help="Exit with 2 when changes are pending.")
@options.output("human", "json", "markdown")
@options.session
def command(session: Session, env: str | None, out: Path | None, exit_code: bool, output: str) -> int:  # noqa: FBT001 - a flag
    """Show what apply would do to what is live.

    \b
    Examples:
      kfgit plan
      kfgit plan -e prod -o markdown
      kfgit plan --out plan.json && kfgit apply --plan plan.json
    """
    repository = session.repository()
    checkout = session.checkout(repository, session.environment(repository, env))
    with session.backend(repository, checkout) as backend:
        found = make(repository, checkout, backend)
    if out is not None:
        text = json.dumps(as_json.plan(found), indent=2, ensure_ascii=False)
        (session.folder / out).write_text(text + "\n", encoding="utf-8")
    tell(session, found, checkout, output)
    return exits.PENDING if exit_code and found.pending else exits.DONE


def make(repository: Repository, checkout: Checkout, backend: Backend) -> Plan:
    """The plan for an environment, from what is live now."""
    environment = checkout.project.project.environment
    rules = Rules(environment.prune, environment.protect)
    commit = project.git_state(repository.root)["sha"]
    desired = driver.resources(checkout).value
    return plans.plan(environment.name, environment.target, desired, backend.observe(), rules, commit=commit)


def tell(session: Session, found: Plan, checkout: Checkout, output: str) -> None:
    """Prints a plan."""
    notes = notes_of(checkout)
    match output:
        case "json":
            session.json(_with_notes(found, notes))
        case "markdown":
            session.print(show.markdown(found, notes))
        case _:
            session.print(show.human(found, notes, session.out))


def _with_notes(found: Plan, notes: dict[tuple[str, str], Sequence[str]]) -> dict[str, object]:
    document = as_json.plan(found)
    for change in document["changes"]:
        change["notes"] += notes.get((change["kind"], change["name"]), ())
    return document


def notes_of(checkout: Checkout) -> dict[tuple[str, str], Sequence[str]]:
    """When schedules fire next, and why runs start."""
    found: dict[tuple[str, str], Sequence[str]] = {}
    now = datetime.now(UTC)
    for resource in driver.resources(checkout).value:
        if resource.kind == "Schedule":
            times = next_times(resource, now, _NEXT)
            shown = ", ".join(at.strftime("%a %Y-%m-%d %H:%M %Z") for at in times) or "never"
            state = "" if resource.spec["enabled"] else " (disabled)"
            found["Schedule", resource.name] = (f"fires next{state}: {shown}",)
        elif resource.kind == "Run":
            found["Run", resource.name] = (f"runs {resource.spec['pipeline']} ({resource.spec['trigger']})",)
    return found


def next_times(resource: Resource, now: datetime, count: int) -> list[datetime]:
    """The next fire times of a Schedule, in its own zone."""
    spec = resource.spec
    zone = cron.zone_of(spec["timezone"])
    start = datetime.fromisoformat(spec["start"]) if spec["start"] else None
    end = datetime.fromisoformat(spec["end"]) if spec["end"] else None
    after = max(now, start) if start is not None else now
    if spec["cron"]:
        times = cron.next_times(cron.parse(spec["cron"]), after, spec["timezone"], count)
    else:
        times = cron.next_every(spec["every"], start or now, after, count)
    return [at.astimezone(zone) for at in times if end is None or at <= end]
