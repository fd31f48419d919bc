"""`kfgit destroy`: remove what kfgit owns."""

from __future__ import annotations

import click

from kfgit import driver, plan as plans
from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.actor import who
from kfgit.cli.apply import perform
from kfgit.cli.follow import terminable
from kfgit.cli.permission import permit
from kfgit.cli.session import Session
from kfgit.cli.standing import concerning
from kfgit.diagnostics import has_errors
from kfgit.driver import Checkout, Repository
from kfgit.model import Environment
from kfgit.plan import Plan, Rules
from kfgit.render import as_json, plans as show
from kfgit.render.style import clean


@click.command("destroy")
@options.named_environment
@click.option("--yes", is_flag=True, help="Do not ask (local targets never do).")
@options.output("human", "json")
@options.session
def command(session: Session, /, env: str, output: str, **flags: bool) -> int:
    """Remove what kfgit owns in an environment; runs and what they produced stay.

    What the environment protects stays too.

    \b
    Example:
      kfgit destroy -e local --yes
    """
    repository = session.repository()
    name = session.environment(repository, env)
    checkout, environment = _known(session, repository, name)
    with terminable(), session.backend(repository, checkout) as backend, backend.lock(who()):
        rules = Rules(environment.prune, environment.protect, environment.prefix)
        plan = plans.destroy(name, backend.identity, backend.observe(), rules)
        if output == "human":
            session.print(show.human(plan, {}, session.out))
        permit(session, repository, checkout, plan)
        if not flags["yes"]:
            _agree(session, plan, output)
        done = perform(session, plan, backend)
    if output == "json":
        session.json(as_json.apply(plan, done.results, ()))
    return done.code


def _known(session: Session, repository: Repository, name: str) -> tuple[Checkout, Environment]:
    """The environment, mistakes elsewhere or not; ends the command where what it protects cannot be known."""
    checked = driver.check(repository, name)
    home = [d for d in checked.value.view.documents if (d.kind, d.name) == ("Environment", name)]
    faults = driver.mistakes(checked)
    unread = not {("*", name), ("Environment", name)}.isdisjoint(repository.broken)
    if unread or has_errors(concerning(home, faults)):
        raise exits.Stop(session.invalid(repository, faults if unread else concerning(home, faults)))
    return checked.value, checked.value.project.project.environment


def _agree(session: Session, plan: Plan, output: str) -> None:
    """Has the environment's name typed before a cluster loses anything."""
    if plan.is_local or not plan.pending:
        return
    if not session.asks:
        raise Refused(
            f"nobody can be asked here whether all this shall go from `{plan.environment}`: say --yes"
        )
    if output != "human":
        session.warn(show.human(plan, {}, session.err))
    if session.answer(f"Type {clean(plan.environment)} to remove this: ") != plan.environment:
        raise Refused("nothing was removed")
