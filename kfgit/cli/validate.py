"""`kfgit validate`: all checks, for all environments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from kfgit import __version__, driver
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.driver import Repository
from kfgit.render import diagnostics as show


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@options.environments
@options.output("human", "json", "github", "sarif")
@options.session
def command(session: Session, paths: Sequence[Path], envs: Sequence[str], output: str) -> int:
    """Check everything, in every environment.

    With PATHS only what is wrong in them is told. Exits with 1 when there are errors.

    \b
    Examples:
      kfgit validate
      kfgit validate pipelines/ -e prod
      kfgit validate -o github
    """
    repository = session.repository()
    names = (
        tuple(session.environment(repository, name) for name in dict.fromkeys(envs))
        or repository.environments
    )
    found = driver.validate(repository, names)
    if paths:
        found = _within(found, [_relative(session, repository, path) for path in paths])
    _tell(session, repository, found, names, output)
    return exits.INVALID if has_errors(found) else exits.DONE


def _relative(session: Session, repository: Repository, path: Path) -> str:
    whole = (session.folder / path).absolute()
    if not whole.exists():
        raise click.UsageError(f"there is no file or folder {path}")
    if not whole.resolve().is_relative_to(repository.root.resolve()):
        raise click.UsageError(f"{path} is outside the project {repository.root}")
    return whole.resolve().relative_to(repository.root.resolve()).as_posix()


def _within(found: Sequence[Diagnostic], paths: Sequence[str]) -> tuple[Diagnostic, ...]:
    return tuple(d for d in found if any(_below(d.span.file, path) for path in paths))


def _below(file: str, path: str) -> bool:
    return path in {".", file} or file.startswith(f"{path}/")


def _tell(
    session: Session, repository: Repository, found: Sequence[Diagnostic], names: Sequence[str], output: str
) -> None:
    documents = len(repository.documents)
    match output:
        case "json":
            session.json(show.as_json(found, documents))
        case "github":
            session.print(show.github(found))
        case "sarif":
            session.json(show.sarif(found, __version__))
        case _:
            session.print(show.human(found, session.sources(repository, found), session.out))
            if not session.quiet:
                session.print(show.summary(found, documents, names, session.out))
