"""`kfgit status`: what is live, how it differs, and whether it is well."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from kfgit import plan as plans
from kfgit.backends.local.backend import LocalBackend
from kfgit.cli import exits, options
from kfgit.cli.plan import make
from kfgit.cli.session import Session
from kfgit.events import RunRecord
from kfgit.plan import Plan
from kfgit.render import as_json, runs as show_runs
from kfgit.render.plans import sentence
from kfgit.render.style import Style, ago, clean, instant, table

_RUNS = 5


@click.command("status")
@options.environment
@click.option("--exit-code", is_flag=True, help="Exit with 2 when the target differs, with 7 when something is unhealthy.")
@options.output("human", "json")
@options.session
def command(session: Session, env: str | None, exit_code: bool, output: str) -> int:  # noqa: FBT001 - a flag
    """Show what is live, drift, health and the last apply.

    \b
    Example:
      kfgit status -e local --exit-code
    """
    repository = session.repository()
    checkout = session.checkout(repository, session.environment(repository, env))
    with session.backend(repository, checkout) as backend:
        plan = make(repository, checkout, backend)
        facts = _facts(backend, plan)
    if output == "json":
        session.json(_json(plan, facts))
    else:
        session.print(_human(plan, facts, session.out))
    if not exit_code:
        return exits.DONE
    if facts["failing"]:
        return exits.FAILED
    return exits.PENDING if plan.pending else exits.DONE


def _facts(backend: LocalBackend, plan: Plan) -> dict[str, Any]:
    runs = backend.runs.page(_RUNS).items
    latest: dict[str, RunRecord] = {}
    for run in backend.runs.page(200).items:
        latest.setdefault(run.pipeline, run)
    failing = [run for run in latest.values() if run.state == "FAILED"]
    return {"last": backend.last_apply(), "runs": runs, "failing": failing, "objects": backend.observe().objects, "plan": plan}


def _json(plan: Plan, facts: dict[str, Any]) -> dict[str, Any]:
    last = facts["last"]
    return as_json.envelope(
        "Status",
        environment=plan.environment,
        target=plan.target,
        inSync=not plan.pending,
        healthy=not facts["failing"],
        pending=[as_json.change(change) for change in plan.pending],
        objects=[{"kind": o.kind, "name": o.name, "id": o.id, "owned": o.owned} for o in facts["objects"]],
        lastApply=None
        if last is None
        else {"commit": last.commit, "digest": last.digest, "who": last.who, "startedAt": instant(last.started_at), "finishedAt": instant(last.finished_at), "result": dict(last.result)},
        runs=[as_json.run(run) for run in facts["runs"]],
    )


def _human(plan: Plan, facts: dict[str, Any], style: Style) -> str:
    now = datetime.now(UTC)
    last = facts["last"]
    lines = [sentence(plan)]
    lines += [f"  {style.yellow(plans.action(c))} {'/'.join((plans.subject(c)[0].lower(), clean(plans.subject(c)[1])))}" for c in plan.pending]
    if last is not None:
        commit = f" of commit {last.commit[:10]}" if last.commit else ""
        lines.append(f"Last apply: {ago(last.started_at, now)} by {clean(last.who)}{commit}.")
    else:
        lines.append("Nothing was applied yet.")
    for run in facts["failing"]:
        lines.append(f"{style.red('unhealthy')}: the last run of {clean(run.pipeline)} failed ({run.id[:8]}): {clean(run.error or '')}")
    objects = [(o.kind.lower(), o.name, "ours" if o.owned else style.dim("foreign")) for o in facts["objects"]]
    text = "\n".join(lines) + "\n"
    if objects:
        text += "\n" + table(objects, ("KIND", "NAME", "OWNER"), style)
    if facts["runs"]:
        text += "\n" + show_runs.listing(facts["runs"], now, style)
    return text
