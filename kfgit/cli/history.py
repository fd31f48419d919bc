"""`kfgit history`: who applied which commit when, and how that came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click

from kfgit import apply as applying
from kfgit.backend import MachineFault
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.events import ApplyRecord
from kfgit.render import history as show
from kfgit.render.envelope import items


@click.command("history")
@options.environment
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many, newest first."
)
@options.output("human", "json")
@options.session
def command(session: Session, env: str | None, limit: int, output: str) -> int:
    """Show who applied which commit when, what that changed, and how its runs came out.

    The target keeps it: of a cluster the last 50 applies, locally the last 1,000.

    \b
    Examples:
      kfgit history -e prod
      kfgit history --limit 1 -o json
    """
    with session.target(env) as backend:
        found = applying.refreshed(backend, backend.applies(limit))
        going = backend.applying() is not None
    subjects = _subjects(session, found)
    if output == "json":
        told = [show.as_json(record, subjects.get(record.commit or "")) for record in found]
        session.json(items("Apply", told))
    elif found:
        session.print(show.human(found, subjects, session.out, datetime.now(UTC), going=going))
    else:
        session.say("nothing was applied yet; `kfgit apply` does it")
    return exits.DONE


def _subjects(session: Session, records: Sequence[ApplyRecord]) -> Mapping[str, str]:
    """The first line of each commit's message, of those that this clone has."""
    from kfgit.project import commits

    try:
        return commits.subjects(session.root(), [record.commit for record in records if record.commit])
    except MachineFault:
        # Who has no git can still read who applied what.
        return {}
