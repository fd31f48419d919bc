"""`kfgit validate`: all checks, for all environments."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from kfgit import __version__, answers
from kfgit.answers import Answer, Memory
from kfgit.cli import exits, options
from kfgit.cli.session import Session, cache_folder
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.render import diagnostics as show


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@options.environments
@click.option("--no-cache", is_flag=True, help="Check everything anew, and remember nothing.")
@options.output("human", "json", "github", "sarif")
@options.session
def command(
    session: Session, paths: Sequence[Path], envs: Sequence[str], output: str, *, no_cache: bool
) -> int:
    """Check everything, in every environment.

    With PATHS only what is wrong in them is told. Exits with 1 when there are errors. What did not change since the
    last time is not checked again; files are compared by their content.

    \b
    Examples:
      kfgit validate
      kfgit validate pipelines/ -e prod
      kfgit validate -o github
    """
    root = session.root()
    asked = tuple(dict.fromkeys(envs))
    memory = None if no_cache else _memory(root, asked)
    answer = answers.answer(memory) if memory is not None else None
    known: Mapping[str, bytes] = {}
    if answer is None:
        from kfgit import driver

        tree = driver.read(root)
        known = {file.path: file.content for file in tree.files}
        answer = answers.by_two(tree, asked, memory)
        if answer is None:
            repository = driver.parse(tree)
            names = tuple(session.environment(repository, name) for name in asked) or repository.environments
            answer = answers.fresh(repository, names, memory)
            known = session.sources(repository, answer.diagnostics) if output == "human" else {}
    if paths:
        below = [session.inside(root, path) for path in paths]
        answer = answer._replace(diagnostics=_within(answer.diagnostics, below))
    _tell(
        session, answer, session.texts(root, answer.diagnostics, known) if output == "human" else {}, output
    )
    return exits.INVALID if has_errors(answer.diagnostics) else exits.DONE


def _memory(root: Path, asked: tuple[str, ...]) -> Memory | None:
    """What was said before; None where there is no place to keep it."""
    try:
        return Memory(cache_folder() / "answers", root, asked, time.time_ns())
    except click.UsageError:
        return None


def _within(found: Sequence[Diagnostic], paths: Sequence[str]) -> tuple[Diagnostic, ...]:
    return tuple(d for d in found if any(_below(d.span.file, path) for path in paths))


def _below(file: str, path: str) -> bool:
    return path in {".", file} or file.startswith(f"{path}/")


def _tell(session: Session, answer: Answer, files: Mapping[str, bytes], output: str) -> None:
    found = answer.diagnostics
    match output:
        case "json":
            session.json(show.as_json(found, answer.documents))
        case "github":
            session.print(show.github(found))
            session.say(show.annotated(found))
        case "sarif":
            session.json(show.sarif(found, __version__))
        case _:
            session.print(show.human(found, files, session.out))
            if not session.quiet:
                session.print(show.summary(found, answer.documents, answer.environments, session.out))
