"""`kfgit plan`: what apply would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kfgit import cron, demand, desired, driver, plan as plans, ticks
from kfgit.cli import exits, options, saved, source
from kfgit.cli.permission import freeze_remarks, judge, remarked
from kfgit.cli.session import Session
from kfgit.diagnostics import has_errors
from kfgit.driver import Checkout
from kfgit.graph import CheckedProject
from kfgit.ir import Resource
from kfgit.plan import Plan
from kfgit.render import as_json, plans as show
from kfgit.render.style import moment

_NEXT = 3

Notes = Mapping[tuple[str, str], Sequence[str]]


@click.command("plan")
@options.environment
@source.revision
@click.option(
    "--refresh", is_flag=True, help="Look at more of the target than apply needs, at the cost of requests."
)
@click.option(
    "--check-secrets",
    is_flag=True,
    envvar="KFGIT_CHECK_SECRETS",
    help="Look whether the Secrets are there that pipelines name; takes the right to list them.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan as JSON, for `apply --plan`.")
@click.option("--exit-code", is_flag=True, help="Exit with 2 when changes are pending.")
@options.output("human", "json", "markdown")
@options.session
def command(session: Session, /, env: str | None, out: Path | None, output: str, **flags: Any) -> int:
    """Show what apply would do to what is live.

    \b
    Examples:
      kfgit plan
      kfgit plan -e prod --rev origin/main -o markdown
      kfgit plan --out plan.json && kfgit apply --plan plan.json
    """
    with source.opened(session, env, flags["rev"], flags["branch"]) as read:
        repository = read.repository
        checkout = session.checkout(repository, read.environment)
        session.lawful(repository, checkout)
        wanted = driver.resources(checkout).value
        environment = checkout.project.project.environment
        doubts = read.doubts(environment)
        with session.backend(repository, checkout) as backend:
            doubts += read.more_doubts(environment, backend)
            remarks = [*(doubt.text for doubt in doubts), *freeze_remarks(checkout)]
            live = backend.observe(wanted, refresh=flags["refresh"], secrets=flags["check_secrets"])
            found = driver.compare(repository, checkout, wanted, live, backend.identity)
            found = driver.priced(checkout, wanted, found, backend, datetime.now(UTC))
            found = replace(found, remarks=(*remarks, *found.remarks))
    pinned = read.commit is not None
    refused = has_errors(driver.refusals(checkout, found))
    if out is not None and not refused:
        saved.write(session.folder / out, found, pinned=pinned, refreshed=flags["refresh"])
    told = notes_of(found, wanted, checkout)
    shown = found if output == "human" else remarked(found, checkout)
    tell(session, shown, told, output, pinned=pinned, refreshed=flags["refresh"])
    judge(session, repository, checkout, found)
    return exits.PENDING if flags["exit_code"] and found.pending else exits.DONE


def tell(
    session: Session, found: Plan, notes: Notes, output: str, *, pinned: bool, refreshed: bool = False
) -> None:
    """Prints a plan."""
    match output:
        case "json":
            session.json(_with_notes(as_json.plan(found, pinned=pinned, refreshed=refreshed), notes))
        case "markdown":
            session.print(show.markdown(found, notes))
        case _:
            session.print(show.human(found, notes, session.out))


def _with_notes(document: dict[str, Any], notes: Notes) -> dict[str, Any]:
    for change in document["changes"]:
        change["notes"] += notes.get((change["kind"], change["name"]), ())
    return document


def notes_of(plan: Plan, wanted: Sequence[Resource], checkout: Checkout) -> Notes:
    """When schedules fire next, why runs start, what each asks for, and what profiles mean otherwise for it."""
    found: dict[tuple[str, str], Sequence[str]] = {}
    now = datetime.now(UTC)
    asked, most = _demands(checkout), _widest(checkout)
    remapped = show.notes(plans.remaps(plan))
    cluster = checkout.project.project.environment.cluster
    controller = cluster.kfp.timezone if cluster is not None else None
    new = {plans.subject(change) for change in plan.changes if isinstance(change, plans.Create)}
    for resource in wanted:
        if resource.kind == "Schedule":
            fires = _fires(resource, now, controller, new=("Schedule", resource.name) in new)
            pipeline = resource.spec["pipeline"]
            found["Schedule", resource.name] = (*fires, *asked.get(pipeline, ()), *most.get(pipeline, ()))
        elif resource.kind == "Run":
            pipeline, trigger = resource.spec["pipeline"], resource.spec["trigger"]
            why = f"runs {pipeline} ({trigger})"
            found["Run", resource.name] = (why, *asked.get(pipeline, ()), *most.get(pipeline, ()))
        elif resource.kind == "Pipeline":
            name = resource.name
            found["Pipeline", name] = (*remapped.get(name, ()), *most.get(name, ()))
    for key, told in show.cost_notes(plan.costs, wanted).items():
        found[key] = (*found.get(key, ()), *told)
    return found


def _demands(checkout: Checkout) -> Mapping[str, Sequence[str]]:
    """What a run of each pipeline asks for, by the pipeline's name on the target."""
    checked = checkout.project
    return _by_target_name(
        checked, {name: demand.sentence(demand.asks(checked, name)) for name in checked.pipelines}
    )


def _widest(checkout: Checkout) -> Mapping[str, Sequence[str]]:
    """How many devices a run of each pipeline holds at once, likewise."""
    checked = checkout.project
    return _by_target_name(
        checked, {name: demand.widest_sentence(checked, name) for name in checked.pipelines}
    )


def _by_target_name(checked: CheckedProject, told: Mapping[str, str | None]) -> Mapping[str, Sequence[str]]:
    return {
        desired.server_name(checked, name, checked.project.pipelines[name].external_name): (text,)
        for name, text in told.items()
        if text is not None
    }


def _fires(resource: Resource, now: datetime, controller: str | None, *, new: bool) -> Sequence[str]:
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
    if times and controller not in {None, resource.spec["timezone"]}:
        later = f"{later}; the first is {moment(times[0].astimezone(cron.zone_of(str(controller))))} for the controller"
    since = ticks.owed_since(rule, standing, now) if new else None
    if since is None:
        return (later,)
    begun = f"its start is past: {'every time' if rule.catchup else 'the newest time'} since"
    return f"{begun} {moment(since.astimezone(zone))} fires at once", later
