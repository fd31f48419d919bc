"""`kfgit destroy`: remove what kfgit owns."""

from __future__ import annotations

import click

from kfgit import driver, plan as plans
from kfgit.cli import exits, options
from kfgit.cli.apply import perform, who
from kfgit.cli.session import Session
from kfgit.plan import Rules
from kfgit.render import as_json, plans as show


@click.command("destroy")
@options.named_environment
@click.option("--yes", is_flag=True, help="Do not ask (local targets never do).")
@options.output("human", "json")
@options.session
def command(session: Session, /, env: str, output: str, **_flags: bool) -> int:
    """Remove what kfgit owns in an environment; runs and what they produced stay.

    What the environment protects stays too.

    \b
    Example:
      kfgit destroy -e local --yes
    """
    repository = session.repository()
    name = session.environment(repository, env)
    checkout = driver.check(repository, name).value
    environment = checkout.project.project.environment
    with session.backend(repository, checkout) as backend, backend.lock(who()):
        rules = Rules(environment.prune, environment.protect)
        plan = plans.destroy(name, backend.identity, backend.observe(), rules)
        if output == "human":
            session.print(show.human(plan, {}, session.out))
        results = perform(session, plan, backend)
    if output == "json":
        session.json(as_json.apply(plan, results, ()))
    return exits.PARTLY if any(r.state == "failed" for r in results) else exits.DONE
