"""`kfgit experiments`: the folders of runs."""

from __future__ import annotations

import click

from kfgit.cli import exits, options
from kfgit.cli.names import Group
from kfgit.cli.session import Session
from kfgit.plan import LiveObject
from kfgit.render.envelope import envelope, items
from kfgit.render.style import one_line, table


@click.group("experiments", cls=Group)
def command() -> None:
    """List experiments.

    \b
    Example:
      kfgit experiments list
    """


@command.command("list")
@options.environment
@options.output("human", "json")
@options.session
def list_(session: Session, env: str | None, output: str) -> int:
    """List the experiments that are live, with the number of their runs.

    \b
    Example:
      kfgit experiments list -o json
    """
    with session.target(env) as backend:
        found = [thing for thing in backend.observe().objects if thing.kind == "Experiment"]
        counts = backend.runs.by_experiment()
    if output == "json":
        told = [
            envelope(
                "Experiment", id=t.id, name=t.name, owned=t.owned, runs=counts.get(t.name, 0), **dict(t.spec)
            )
            for t in found
        ]
        session.json(items("Experiment", told))
    elif found:
        rows = [
            (t.name, str(counts.get(t.name, 0)), _owner(t), one_line(t.spec.get("description") or ""))
            for t in found
        ]
        session.print(table(rows, ("NAME", "RUNS", "OWNER", "DESCRIPTION"), session.out))
    else:
        session.say("no experiments yet; runs and `kfgit apply` make them")
    return exits.DONE


def _owner(thing: LiveObject) -> str:
    return "ours" if thing.owned else "not ours"
