"""`kfgit render`: the documents as one environment sees them."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kfgit import driver
from kfgit.backend import NotFound, Refused
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.cli.standing import concerning
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.document import plain
from kfgit.driver import Repository
from kfgit.overlay import Located, Removal
from kfgit.render import documents
from kfgit.render.envelope import envelope, items
from kfgit.render.style import clean

# What may be the name of a file: a document with mistakes may be called anything.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")


@click.command("render")
@click.argument("resources", nargs=-1, metavar="[KIND/NAME]...", shell_complete=options.complete_resource)
@options.environment
@click.option("--explain", is_flag=True, help="Say of every value which file and line it comes from.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write ENV/KIND/NAME.yaml into this folder; without -e for each environment.",
)
@options.output("yaml", "json")
@options.session
def command(session: Session, /, resources: Sequence[str], env: str | None, output: str, **flags: Any) -> int:
    """Show the documents as one environment sees them.

    \b
    Examples:
      kfgit render -e prod
      kfgit render pipeline/train-deploy -e prod --explain
      kfgit render --out rendered/
    """
    repository = session.repository()
    if flags["out"] is not None:
        return _write(session, repository, resources, env, flags)
    checked = driver.check(repository, session.environment(repository, env))
    explain = flags["explain"]
    view = checked.value.view
    found = _chosen(view.documents, resources)
    removed = [view.removed.get((d.kind, d.name), ()) for d in found]
    if output == "json":
        told = [
            plain(d.node) | (_explained(checked.value, d, gone) if explain else {})
            for d, gone in zip(found, removed, strict=True)
        ]
        session.json(items("Document", told))
    else:
        shown = (
            documents.yaml(
                d.node,
                session.out,
                explain=explain,
                removed=gone,
                notes=_notes(checked.value, d) if explain else None,
            )
            for d, gone in zip(found, removed, strict=True)
        )
        session.print("---\n".join(shown))
    diagnostics: Sequence[Diagnostic] = driver.mistakes(checked)
    if resources:
        diagnostics = concerning(found, diagnostics)
    session.diagnose(diagnostics, repository)
    return exits.INVALID if has_errors(diagnostics) else exits.DONE


def _write_below(folder: Path, path: Path, text: str) -> None:
    """Writes a file below a folder. A repository may hold links, and what they lead to is somebody else's."""
    folder.mkdir(parents=True, exist_ok=True)
    for parent in reversed([folder / each for each in path.parents[:-1]]):
        if parent.is_symlink():
            raise _linked(parent)
        parent.mkdir(exist_ok=True)
    try:
        descriptor = os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
    except OSError as fault:
        if fault.errno != errno.ELOOP:
            raise
        raise _linked(folder / path) from None
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - of a descriptor
        file.write(text)


def _linked(path: Path) -> Refused:
    return Refused(
        f"{clean(str(path))} is a link, and nothing is written through it: remove it, or choose another --out"
    )


def _write(
    session: Session,
    repository: Repository,
    resources: Sequence[str],
    env: str | None,
    flags: Mapping[str, Any],
) -> int:
    """A file for each document: what people compare, and what a pull request keeps."""
    whole = env is None and repository.environments
    told: dict[Diagnostic, None] = {}
    written: list[str] = []
    for name in repository.environments if whole else (session.environment(repository, env),):
        checked = driver.check(repository, name)
        told |= dict.fromkeys(driver.mistakes(checked))
        view = checked.value.view
        for each in _chosen(view.documents, resources):
            if not all(_NAME.match(word) for word in (name, each.kind, each.name)):
                continue  # its name is a mistake, which is told
            gone = view.removed.get((each.kind, each.name), ())
            path = flags["out"] / name / each.kind.lower() / f"{each.name}.yaml"
            notes = _notes(checked.value, each) if flags["explain"] else None
            style = replace(session.out, colour=False)
            text = documents.yaml(each.node, style, explain=flags["explain"], removed=gone, notes=notes)
            is_elsewhere = flags["out"].is_absolute()
            home = flags["out"] if is_elsewhere else session.folder
            _write_below(home, path.relative_to(home) if is_elsewhere else path, text)
            written.append(str(path))
    if session.door.output == "json":
        session.json(envelope("Rendered", files=written))
    else:
        counts = Counter(str(Path(path).parents[1]) for path in written)
        session.print("".join(f"{clean(folder)}: {count} documents\n" for folder, count in counts.items()))
    session.diagnose(tuple(told), repository)
    return exits.INVALID if has_errors(tuple(told)) else exits.DONE


def _notes(checkout: driver.Checkout, document: Located) -> Mapping[documents.Path, Sequence[documents.Note]]:
    from kfgit.render import explained

    return explained.notes(checkout.project.project, document)


def _explained(checkout: driver.Checkout, document: Located, removed: Sequence[Removal]) -> dict[str, Any]:
    from kfgit.render import explained

    return {
        "origins": list(documents.origins(document.node)),
        "removed": list(documents.losses(document.node, removed)),
        **explained.as_json(checkout.project.project, document),
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
