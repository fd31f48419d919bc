"""`kfgit experiments`: the folders of runs."""

from __future__ import annotations

import click

from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.render import as_json
from kfgit.render.style import table


@click.group("experiments")
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
        runs = backend.runs.all()
    counts = {thing.name: sum(run.experiment == thing.name for run in runs) for thing in found}
    if output == "json":
        items = [
            as_json.envelope("Experiment", id=t.id, name=t.name, owned=t.owned, runs=counts[t.name], **dict(t.spec)) for t in found
        ]
        session.json(as_json.items("Experiment", items))
    elif found:
        rows = [(t.name, str(counts[t.name]), "yes" if t.owned else "no", str(t.spec.get("description") or "")) for t in found]
        session.print(table(rows, ("NAME", "RUNS", "OURS", "DESCRIPTION"), session.out))
    else:
        session.say("no experiments yet")
    return exits.DONE
