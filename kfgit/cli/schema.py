"""`kfgit schema`: the language for editors."""

from __future__ import annotations

import json

import click

from kfgit import driver, schema
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session


@click.command("schema")
@click.argument("kind", required=False, shell_complete=options.offering(lambda _: driver.schemas().kinds))
@options.output("json")
@options.session
def command(session: Session, /, kind: str | None, **_format: str) -> int:
    """Print a JSON Schema in one piece: of a KIND, or of all kinds together.

    \b
    Examples:
      kfgit schema > kfgit.schema.json
      kfgit schema Pipeline
    """
    found = driver.schemas()
    kinds = {name.lower(): name for name in found.kinds}
    if kind is not None and kind.lower() not in kinds:
        raise NotFound("kind", kind, found.kinds)
    session.print(
        json.dumps(schema.bundled(found, kinds[kind.lower()] if kind else None), indent=2, ensure_ascii=False)
    )
    return exits.DONE
