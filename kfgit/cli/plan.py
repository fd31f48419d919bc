"""`kfgit plan`: what apply would do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from kfgit.graph import nesting
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
    told = notes_of(found, wanted, checkout, every=output == "json")
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


def notes_of(plan: Plan, wanted: Sequence[Resource], checkout: Checkout, *, every: bool = False) -> Notes:
    """When schedules fire next, why runs start, what each holds, and what profiles mean otherwise for it.

    Only of what changes or is told anyway; `every` is for those who are told all.
    """
    found: dict[tuple[str, str], Sequence[str]] = {}
    now = datetime.now(UTC)
    cluster = checkout.project.project.environment.cluster
    controller = cluster.kfp.timezone if cluster is not None else None
    new = {plans.subject(change) for change in plan.changes if isinstance(change, plans.Create)}
    told_anyway = _told(plan)
    shown = [each for each in wanted if every or (each.kind, each.name) in told_anyway]
    most = _widest(checkout, {_pipeline(each) for each in shown})
    remaps = plans.remaps(plan)
    remapped = show.notes(remaps, _nested(checkout, plan) if remaps else {})
    for resource in shown:
        key = resource.kind, resource.name
        if resource.kind == "Schedule":
            found[key] = _fires(resource, now, controller, new=key in new)
        elif resource.kind == "Run":
            found[key] = (f"runs {resource.spec['pipeline']} ({resource.spec['trigger']})",)
        elif resource.kind == "Pipeline":
            found[key] = remapped.get(resource.name, ())
        found[key] = (*found.get(key, ()), *most.get(_pipeline(resource), ()))
    for key, told in show.cost_notes(plan.costs, shown).items():
        found[key] = (*found.get(key, ()), *told)
    return found


def _told(plan: Plan) -> Collection[tuple[str, str]]:
    """What is shown of a plan: what changes, and what is left alone for a reason."""
    return {
        plans.subject(each) for each in plan.changes if each.notes or not isinstance(each, plans.Unchanged)
    }


def _pipeline(resource: Resource) -> str:
    """The pipeline of a row, by its name on the target."""
    return resource.name if resource.kind == "Pipeline" else str(resource.spec.get("pipeline", ""))


def _widest(checkout: Checkout, pipelines: Collection[str]) -> Mapping[str, Sequence[str]]:
    """How many devices a run of some pipelines holds at once, by their names on the target."""
    held: demand.Held = {}
    names = {target: name for name, target in _target_names(checkout).items() if target in pipelines}
    return {
        target: demand.widest_sentences(checkout.project, name, held)
        for target, name in names.items()
        if name in checkout.project.pipelines
    }


def _nested(checkout: Checkout, plan: Plan) -> Mapping[str, Sequence[str]]:
    """The pipelines that each one that changes runs as tasks, at whatever depth, by their names on the target."""
    changed = {
        plans.subject(change) for change in plan.changes if isinstance(change, plans.Update | plans.Replace)
    }
    project, names = checkout.project.project, _target_names(checkout)
    return {
        target: [names[each] for each in nesting.all_nested(project, name)]
        for name, target in names.items()
        if ("Pipeline", target) in changed
    }


def _target_names(checkout: Checkout) -> Mapping[str, str]:
    checked = checkout.project
    return {
        name: desired.server_name(checked, name, found.external_name)
        for name, found in checked.project.pipelines.items()
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
