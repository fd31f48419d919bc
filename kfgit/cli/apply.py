"""`kfgit apply`: make the target equal to the repository."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfgit import apply as applying, driver
from kfgit.cli import exits, options
from kfgit.cli.follow import Followed, follow
from kfgit.cli.plan import notes_of, tell
from kfgit.cli.session import Session
from kfgit.driver import Checkout
from kfgit.events import FINAL, ChangeFinished
from kfgit.plan import Delete, Plan
from kfgit.render import as_json, plans as show
from kfgit.render.style import clean

if TYPE_CHECKING:
    from kfgit.backend import Backend

_MAKE_ONE = "make one with `kfgit plan --out"


@click.command("apply")
@options.environment
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="Apply exactly this plan, or stop as stale."
)
@click.option("--yes", is_flag=True, help="Do not ask (local targets never do).")
@click.option(
    "--wait", is_flag=True, help="Wait for runs that others execute, too; exit with 7 when one fails."
)
@click.option("--no-prune", is_flag=True, help="Delete nothing.")
@click.option(
    "--confirm", multiple=True, metavar="DIGEST|KIND/NAME", help="Confirm a plan that deletes much."
)
@options.output("human", "json")
@options.session
def command(session: Session, /, env: str | None, plan_file: Path | None, output: str, **flags: Any) -> int:
    """Make the target equal to the repository.

    A local target runs what it starts to the end, since nobody else would, unless `kfgit up` serves it.

    \b
    Examples:
      kfgit apply --wait
      kfgit plan --out plan.json && kfgit apply --plan plan.json
    """
    saved = _saved(session, plan_file) if plan_file is not None else None
    repository = session.repository()
    name = session.environment(repository, _wanted(env, saved))
    checkout = session.checkout(repository, name)
    session.lawful(repository, checkout)
    desired = driver.resources(checkout).value
    with session.backend(repository, checkout) as backend:
        with backend.lock(who()):
            plan = driver.plan(repository, checkout, desired, backend)
            if saved is not None and saved["digest"] != plan.digest:
                message = f"the plan in {plan_file} is stale: the source or the target has changed since"
                session.door.failed(
                    exits.STALE, message, f"look again: kfgit plan -e {name} --out {plan_file}"
                )
                return exits.STALE
            if flags["no_prune"]:
                plan = replace(plan, changes=tuple(c for c in plan.changes if not isinstance(c, Delete)))
            if output == "human":
                tell(session, plan, notes_of(plan, desired), output)
            applying.guard(plan, flags["confirm"])
            results = perform(session, plan, backend)
        followed = _follow(session, checkout, backend, results, wait=flags["wait"])
    if output == "json":
        session.json(as_json.apply(plan, results, [each.run for each in followed]))
    return _code(results, followed)


def who() -> str:
    """The user, also where the machine has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _saved(session: Session, path: Path) -> Mapping[str, str]:
    try:
        found = json.loads((session.folder / path).read_text(encoding="utf-8"))
        saved = {key: str(found[key]) for key in ("kind", "digest", "environment")}
    except (FileNotFoundError, IsADirectoryError) as fault:
        raise click.UsageError(f"there is no file {path}") from fault
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise click.UsageError(f"{path} is no plan; {_MAKE_ONE} {path}`") from fault
    if saved["kind"] != "Plan":
        raise click.UsageError(f"{path} is no plan; {_MAKE_ONE} {path}`")
    return saved


def _wanted(env: str | None, saved: Mapping[str, str] | None) -> str | None:
    """A plan brings its environment along; another one beside it is a slip."""
    if saved is None:
        return env
    if env is not None and env != saved["environment"]:
        raise click.UsageError(f"the plan is for `{saved['environment']}`, not for `{env}`")
    return saved["environment"]


def perform(session: Session, plan: Plan, backend: Backend) -> list[ChangeFinished]:
    """Carries the plan out, tells how that ended, and writes the history."""
    if not plan.pending:
        return []
    results: list[ChangeFinished] = []
    for event in applying.carry_out(plan, backend, who()):
        if isinstance(event, ChangeFinished):
            results.append(event)
            session.say(show.result(event, session.err))
    if session.door.output != "json":
        session.print(show.outcome(results))
    return results


def _follow(
    session: Session,
    checkout: Checkout,
    backend: Backend,
    results: Sequence[ChangeFinished],
    *,
    wait: bool,
) -> list[Followed]:
    """Executes the runs that nobody has begun, also those of an apply that was cut off; waits for others if asked.

    Where a server executes runs, all are others'.
    """
    prefix = checkout.project.project.environment.prefix
    documents = {prefix + name: run for name, run in checkout.project.project.runs.items()}
    made = {r.id for r in results if r.kind == "Run" and r.state == "done"}
    followed, served = [], backend.served()
    for live in backend.observe().objects:
        state = live.detail.get("state")
        if live.kind != "Run" or state is None:
            continue
        if state in FINAL and live.id in made:
            session.say(f"  run/{clean(live.name)} ran before for the same state of things: {state}")
        elif state == "PENDING" and served and not wait:
            session.say(f"  run/{clean(live.name)} is left to the server: kfgit runs watch {live.id[:8]}")
        elif state == "PENDING" or (state not in FINAL and wait):
            limit = documents[live.name].wait_timeout if live.name in documents else None
            followed.append(follow(session, backend, live.id, limit))
    return followed


def _code(results: Sequence[ChangeFinished], followed: Sequence[Followed]) -> int:
    if any(r.state == "failed" for r in results):
        return exits.PARTLY
    codes = {each.code for each in followed}
    return next((code for code in (exits.INTERRUPTED, exits.FAILED) if code in codes), exits.DONE)
