"""`kfgit render`: the documents as one environment sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from kfgit import driver
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.cli.standing import concerning
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.document import plain
from kfgit.overlay import Located, Removal
from kfgit.render import documents
from kfgit.render.envelope import items


@click.command("render")
@click.argument("resources", nargs=-1, metavar="[KIND/NAME]...", shell_complete=options.complete_resource)
@options.environment
@click.option("--explain", is_flag=True, help="Say of every value which file and line it comes from.")
@options.output("yaml", "json")
@options.session
def command(
    session: Session, /, resources: Sequence[str], env: str | None, output: str, **flags: bool
) -> int:
    """Show the documents as one environment sees them.

    \b
    Examples:
      kfgit render -e prod
      kfgit render pipeline/train-deploy -e prod --explain
    """
    repository = session.repository()
    checked = driver.check(repository, session.environment(repository, env))
    explain = flags["explain"]
    view = checked.value.view
    found = _chosen(view.documents, resources)
    removed = [view.removed.get((d.kind, d.name), ()) for d in found]
    if output == "json":
        told = [
            plain(d.node) | (_explained(d, gone) if explain else {})
            for d, gone in zip(found, removed, strict=True)
        ]
        session.json(items("Document", told))
    else:
        shown = (
            documents.yaml(d.node, session.out, explain=explain, removed=gone)
            for d, gone in zip(found, removed, strict=True)
        )
        session.print("---\n".join(shown))
    diagnostics: Sequence[Diagnostic] = (*repository.diagnostics, *checked.diagnostics)
    if resources:
        diagnostics = concerning(found, diagnostics)
    session.diagnose(diagnostics, repository)
    return exits.INVALID if has_errors(diagnostics) else exits.DONE


def _explained(document: Located, removed: Sequence[Removal]) -> dict[str, Any]:
    return {
        "origins": list(documents.origins(document.node)),
        "removed": list(documents.losses(document.node, removed)),
    }


def _chosen(found: Sequence[Located], resources: Sequence[str]) -> list[Located]:
    if not resources:
        return list(found)
    names = {f"{d.kind.lower()}/{d.name}": d for d in found}
    chosen = []
    for wanted in resources:
        key = wanted.lower()
        if "/" not in key:
            several = [d for name, d in names.items() if name.endswith(f"/{key}")]
            if not several:
                raise NotFound("document", wanted, sorted(names))
            chosen += several
        elif key in names:
            chosen.append(names[key])
        else:
            raise NotFound("document", wanted, sorted(names))
    return chosen
