"""`kfgit apply`: make the target equal to the repository."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kfgit import apply as applying
from kfgit.backend import Refused
from kfgit.backends.local.backend import LocalBackend
from kfgit.cli import exits, options
from kfgit.cli.follow import follow
from kfgit.cli.plan import make, tell
from kfgit.cli.session import Session
from kfgit.driver import Checkout
from kfgit.events import ChangeFinished, RunRecord
from kfgit.plan import Delete, Plan
from kfgit.render import as_json
from kfgit.render.style import clean

# Deleting more than this at once, and more than a fifth of what is owned, wants the plan's digest as confirmation.
_FREE_DELETES = 3
_FREE_SHARE = 0.2


@click.command("apply")
@options.environment
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Apply exactly this plan, or stop as stale.")
@click.option("--yes", is_flag=True, help="Do not ask (local targets never do).")
@click.option("--wait", is_flag=True, help="Wait for the runs that are started; exit with 7 when one fails.")
@click.option("--no-prune", is_flag=True, help="Delete nothing.")
@click.option("--confirm", multiple=True, metavar="DIGEST|KIND/NAME", help="Confirm a plan that deletes much.")
@options.output("human", "json")
@options.session
def command(session: Session, env: str | None, plan_file: Path | None, output: str, **flags: Any) -> int:
    """Make the target equal to the repository.

    A local target runs what it starts to the end, since nobody else would.

    \b
    Examples:
      kfgit apply --wait
      kfgit plan --out plan.json && kfgit apply --plan plan.json
    """
    repository = session.repository()
    checkout = session.checkout(repository, session.environment(repository, env))
    with session.backend(repository, checkout) as backend, backend.lock(f"apply by {getpass.getuser()}"):
        plan = make(repository, checkout, backend)
        if plan_file is not None and _digest(session, plan_file) != plan.digest:
            session.warn(f"kfgit: the plan in {plan_file} is stale: the source or the target has changed; plan again")
            return exits.STALE
        if flags["no_prune"]:
            plan = replace(plan, changes=tuple(c for c in plan.changes if not isinstance(c, Delete)))
        guard(plan, flags["confirm"])
        if output == "human":
            tell(session, plan, checkout, output)
        results = perform(session, plan, backend)
    runs = _follow(session, checkout, backend, results)
    if output == "json":
        session.json(as_json.apply(plan, results, runs))
    return _code(results, runs)


def _digest(session: Session, path: Path) -> str:
    try:
        found = json.loads((session.folder / path).read_text(encoding="utf-8"))
        return str(found["digest"])
    except FileNotFoundError as fault:
        raise click.UsageError(f"there is no file {path}") from fault
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as fault:
        raise click.UsageError(f"{path} is no plan; make one with `kfgit plan --out`") from fault


def guard(plan: Plan, confirmed: Sequence[str]) -> None:
    """Refuses to delete much, or everything, without the plan's digest."""
    deletes = [change for change in plan.changes if isinstance(change, Delete)]
    if not deletes or plan.digest in confirmed:
        return
    rest = len(plan.changes) - len(deletes)
    limit = max(_FREE_DELETES, _FREE_SHARE * len(plan.changes))
    if len(deletes) > limit or rest == 0:
        what = "everything" if rest == 0 else f"{len(deletes)} of {len(plan.changes)} objects"
        raise Refused(f"this plan deletes {what}; if that is meant, repeat it with --confirm {plan.digest}")


def perform(session: Session, plan: Plan, backend: LocalBackend) -> list[ChangeFinished]:
    """Carries the plan out and writes the history."""
    if not plan.pending:
        return []
    number = backend.begin_apply(plan.commit, plan.digest, getpass.getuser())
    results: list[ChangeFinished] = []
    for event in applying.apply(plan, backend):
        if isinstance(event, ChangeFinished):
            results.append(event)
            _say(session, event)
    backend.end_apply(number, {state: sum(r.state == state for r in results) for state in ("done", "failed", "skipped")})
    return results


def _say(session: Session, event: ChangeFinished) -> None:
    style = session.err
    signs = {"done": style.green("✔"), "failed": style.red("✘"), "skipped": style.dim("○")}
    error = f": {style.red(clean(event.error))}" if event.error else ""
    session.say(f"  {signs[event.state]} {event.action} {event.kind.lower()}/{clean(event.name)}{error}")


def _follow(session: Session, checkout: Checkout, backend: LocalBackend, results: Sequence[ChangeFinished]) -> list[RunRecord]:
    started = [r for r in results if r.kind == "Run" and r.state == "done" and r.action == "create" and r.id]
    runs = checkout.project.project.runs
    return [follow(session, backend, r.id, runs[r.name].wait_timeout if r.name in runs else None) for r in started if r.id]


def _code(results: Sequence[ChangeFinished], runs: Sequence[RunRecord]) -> int:
    if any(r.state == "failed" for r in results):
        return exits.PARTLY
    if any(run.state == "CANCELED" for run in runs):
        return exits.INTERRUPTED
    return exits.FAILED if any(run.state != "SUCCEEDED" for run in runs) else exits.DONE
