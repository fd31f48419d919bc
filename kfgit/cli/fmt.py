"""`kfgit fmt`: the sources in their stable form, comments kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from kfgit import driver, formatting, project
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.formatting import Faulty, Foreign, InForm, Left, Reformed, Shapes
from kfgit.render import diagnostics as show_diagnostics, forms as show
from kfgit.render.forms import Formed
from kfgit.render.style import clean
from kfgit.source import MAX_BYTES, SourceFile

_STDIN = "-"


@dataclass(slots=True, eq=False)
class _Work:
    """What was found so far; a machine fault of one file does not keep the others from being formatted."""

    session: Session
    root: Path
    writes: bool
    shows: bool
    files: list[Formed] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    sources: dict[str, bytes] = field(default_factory=dict)
    written: set[Path] = field(default_factory=set)
    has_failed: bool = False


@click.command("fmt")
@click.argument("paths", metavar="[PATH|-]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="The same, and show what would change.")
@options.output("human", "json")
@options.session
def command(session: Session, paths: Sequence[Path], output: str, *, check: bool, diff: bool) -> int:
    """Bring the sources into their stable form.

    Comments and blank lines stay. Prints the files that changed. Files with mistakes are told and left alone.

    \b
    Examples:
      kfgit fmt
      kfgit fmt --check
      kfgit fmt pipelines/ --diff
    """
    if Path(_STDIN) in paths:
        return _filter(session, paths, check=check, diff=diff)
    work = _Work(session, session.root(), writes=not (check or diff), shows=diff and output != "json")
    shapes = Shapes(driver.schemas())
    for file in _chosen(work, paths):
        _form(work, file, shapes)
    _tell(work, output)
    return _code(work)


def _chosen(work: _Work, paths: Sequence[Path]) -> Iterator[SourceFile]:
    """The project's sources, or those that were named: of a folder the sources in it, a file whatever it is."""
    only: list[str] | None = None
    if paths:
        named = {work.session.inside(work.root, path) for path in paths}
        folders = {path for path in named if (work.root / path).is_dir()}
        known = project.survey(work.root, driver.sources_of(work.root)).stamps if folders else {}
        below = {path for path in known for folder in folders if _is_below(path, folder)}
        only = sorted((named - folders) | below)
    tree = project.read(work.root, driver.sources_of(work.root) if only is None else None, only)
    work.diagnostics += tree.diagnostics
    yield from (file for file in tree.files if not file.path.endswith(".j2"))


def _is_below(path: str, folder: str) -> bool:
    return folder == "." or path.startswith(f"{folder}/")


def _form(work: _Work, file: SourceFile, shapes: Shapes) -> None:
    match formatting.form(file, shapes):
        case InForm():
            work.files.append(Formed(file.path, "unchanged"))
        case Foreign():
            work.files.append(Formed(file.path, "foreign"))
        case Left(reason):
            work.files.append(Formed(file.path, "left", reason))
        case Faulty(diagnostics):
            work.files.append(Formed(file.path, "invalid"))
            work.diagnostics += diagnostics
            work.sources[file.path] = file.content
        case Reformed(content):
            _change(work, file, content)


def _change(work: _Work, file: SourceFile, content: bytes) -> None:
    target = (work.root / file.path).resolve()
    if target in work.written:
        return  # by another name
    work.written.add(target)
    if work.writes:
        work.files.append(_written(work, file, content))
        return
    work.files.append(Formed(file.path, "pending"))
    if work.shows:
        work.session.print(show.difference(file.path, file.content, content, work.session.out))


def _written(work: _Work, file: SourceFile, content: bytes) -> Formed:
    try:
        if project.rewrite(work.root, file.path, file.content, content):
            return Formed(file.path, "formatted")
    except OSError as fault:
        work.has_failed = True
        return Formed(file.path, "left", f"it cannot be written: {(fault.strerror or str(fault)).lower()}")
    return Formed(file.path, "left", "it changed meanwhile")


def _tell(work: _Work, output: str) -> None:
    session = work.session
    if output == "json":
        session.json(show.as_json(work.files, work.diagnostics))
        return
    if not work.shows:
        session.print(
            "".join(
                f"{clean(_near(session, work.root / formed.file))}\n"
                for formed in work.files
                if formed.state in {"formatted", "pending"}
            )
        )
    if work.diagnostics:
        files = session.texts(work.root, work.diagnostics, work.sources)
        session.warn(show_diagnostics.human(work.diagnostics, files, session.err))
    for formed in work.files:
        if formed.state == "left":
            session.warn(f"{clean(formed.file)} is left as it is: {formed.reason}")
    session.say(show.summary(work.files))


def _near(session: Session, path: Path) -> str:
    """A path as one would type it here."""
    return os.path.relpath(path, session.folder.resolve())


def _code(work: _Work) -> int:
    if work.has_failed:
        return exits.MACHINE
    is_pending = any(formed.state == "pending" for formed in work.files)
    return exits.INVALID if is_pending or has_errors(work.diagnostics) else exits.DONE


def _filter(session: Session, paths: Sequence[Path], *, check: bool, diff: bool) -> int:
    """Standard input to standard output, for editors; it needs no project."""
    if len(paths) > 1 or session.door.output == "json":
        raise click.UsageError("`-` stands alone, and its result is the formatted text")
    file = SourceFile("<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1))
    outcome = formatting.form(file, Shapes(driver.schemas()))
    content = outcome.content if isinstance(outcome, Reformed) else file.content
    if isinstance(outcome, Faulty):
        told = show_diagnostics.human(outcome.diagnostics, {file.path: file.content}, session.err)
        session.warn(told)
        return exits.INVALID
    if isinstance(outcome, Left):
        session.warn(f"the text is left as it is: {outcome.reason}")
    if not (check or diff):
        session.print(content.decode("utf-8"))
        return exits.DONE
    if diff:
        session.print(show.difference("<stdin>", file.content, content, session.out))
    return exits.INVALID if content != file.content else exits.DONE
