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
@click.option(
    "--overlay",
    is_flag=True,
    help="For documents of an environment, which may leave out what their base says.",
)
@options.output("json")
@options.session
def command(session: Session, /, kind: str | None, overlay: bool, **_format: str) -> int:  # noqa: FBT001
    """Print a JSON Schema in one piece: of a KIND, or of all kinds together.

    `kfgit init` writes both combined schemas into `.vscode/`, where editors find them.

    \b
    Examples:
      kfgit schema > .vscode/kfgit.schema.json
      kfgit schema --overlay > .vscode/kfgit-overlay.schema.json
      kfgit schema Pipeline
    """
    if overlay and kind is not None:
        raise click.UsageError("--overlay is for the schema of all kinds")
    found = driver.schemas()
    kinds = {name.lower(): name for name in found.kinds}
    if kind is not None and kind.lower() not in kinds:
        raise NotFound("kind", kind, found.kinds)
    chosen = (
        schema.overlay(found) if overlay else schema.bundled(found, kinds[kind.lower()] if kind else None)
    )
    session.print(json.dumps(chosen, indent=2, ensure_ascii=False))
    return exits.DONE
