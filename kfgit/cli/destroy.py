"""`kfgit destroy`: remove what kfgit owns."""

from __future__ import annotations

import sys

import click

from kfgit import plan as plans
from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.apply import perform
from kfgit.cli.session import Session
from kfgit.driver import check
from kfgit.plan import Rules
from kfgit.render import as_json, plans as show


@click.command("destroy")
@click.option("-e", "--env", "env", required=True, metavar="ENV", help="The environment; must be named.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.output("human", "json")
@options.session
def command(session: Session, env: str, yes: bool, output: str) -> int:  # noqa: FBT001 - a flag
    """Remove what kfgit owns in an environment; runs and what they produced stay.

    \b
    Example:
      kfgit destroy -e local --yes
    """
    repository = session.repository()
    name = session.environment(repository, env)
    checkout = check(repository, name).value
    environment = checkout.project.project.environment
    with session.backend(repository, checkout) as backend, backend.lock("destroy"):
        rules = Rules(environment.prune, environment.protect)
        plan = plans.destroy(name, environment.target, backend.observe(), rules)
        if output == "human":
            session.print(show.human(plan, {}, session.out))
        if plan.pending and not yes:
            _ask(name)
        results = perform(session, plan, backend)
    if output == "json":
        session.json(as_json.apply(plan, results, ()))
    return exits.PARTLY if any(r.state == "failed" for r in results) else exits.DONE


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise Refused(f"destroying `{name}` wants --yes where nobody can be asked")
    if not click.confirm(f"Remove all of this from {name}?", err=True):
        raise Refused("nothing was removed")
