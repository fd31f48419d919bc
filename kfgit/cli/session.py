"""What every command needs: where the project is, how to speak, and the way to a target. Settings enter here, once.

What is heavy is imported by the method that needs it: `kfgit --help` must not pay for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from kfgit.cli import exits
from kfgit.cli.door import Door
from kfgit.render.style import Style

if TYPE_CHECKING:
    from kfgit.backend import Backend
    from kfgit.backends.cluster.backend import ClusterBackend
    from kfgit.backends.local.backend import LocalBackend
    from kfgit.diagnostics import Diagnostic
    from kfgit.driver import Checkout, Repository
    from kfgit.model import Environment


@dataclass(frozen=True, slots=True)
class Session:
    """One use of the command line."""

    folder: Path
    door: Door
    out: Style
    err: Style
    quiet: bool = False
    verbose: bool = False
    live: bool = False
    screen: bool = False
    asks: bool = False

    def print(self, text: str) -> None:
        """A result, on stdout."""
        self.door.print(text)

    def json(self, value: Mapping[str, Any]) -> None:
        """A result for machines, on stdout."""
        self.door.json(value)

    def say(self, text: str) -> None:
        """Progress, on stderr."""
        if not self.quiet:
            self.door.tell(text)

    def warn(self, text: str) -> None:
        """What must be heard, on stderr."""
        self.door.tell(text)

    def answer(self, question: str) -> str:
        """What somebody at the terminal says to a question; nothing where they leave."""
        self.door.draw(question)
        return sys.stdin.readline().strip()

    def near(self, path: str) -> str:
        """A path as one would type it here; a URI as it is."""
        return path.removeprefix(f"{self.folder.absolute()}/") if path.startswith("/") else path

    def root(self) -> Path:
        """The project around the folder; ends the command where there is none."""
        from kfgit import project

        root = project.find_root(self.folder)
        if root is None:
            raise click.UsageError(
                f"no kfgit.yaml in {self.folder} or above it; `kfgit init` makes a project"
            )
        return root

    def inside(self, root: Path, path: Path) -> str:
        """A file or folder of the project, relative to its root; ends the command for any other."""
        whole = (self.folder / path).absolute()
        if not whole.exists():
            raise click.UsageError(f"there is no file or folder {path}")
        if not whole.resolve().is_relative_to(root.resolve()):
            raise click.UsageError(f"{path} is outside the project {root}")
        return whole.resolve().relative_to(root.resolve()).as_posix()

    def repository(self) -> Repository:
        """What is written in the project around the folder."""
        from kfgit import driver

        return driver.load(self.root())

    def environment(self, repository: Repository, wanted: str | None) -> str:
        """The environment a command works on; ends the command for an unknown one."""
        from kfgit import driver
        from kfgit.diagnostics import did_you_mean

        name = repository.default_environment if wanted is None else wanted
        known = {*repository.environments, driver.LOCAL}
        if name in known:
            return name
        if ("*", name) in repository.broken or (wanted is None and repository.diagnostics):
            raise exits.Stop(self.invalid(repository, repository.diagnostics))
        where = "" if repository.is_folder else f" in commit {repository.commit}"
        raise click.UsageError(
            f"there is no environment `{name}`{where}; {did_you_mean(name, known, what='environments')}"
        )

    def checkout(self, repository: Repository, environment: str) -> Checkout:
        """One environment without mistakes; ends the command with 1 where there are any."""
        from kfgit import driver
        from kfgit.diagnostics import has_errors

        checked = driver.check(repository, environment)
        found = driver.mistakes(checked)
        if has_errors(found):
            raise exits.Stop(self.invalid(repository, found))
        if not self.quiet:
            self.diagnose(found, repository)
        base = checked.value.source.base
        if base is not None:
            self.say(f"`{environment}` pins its base documents: those of commit {str(base.commit)[:10]}")
        return checked.value

    def lawful(
        self, repository: Repository, checkout: Checkout, told: Sequence[Diagnostic] | None = None
    ) -> None:
        """Refuses what a blocking policy of the environment forbids; `told` is what policies say, if known."""
        from kfgit import driver
        from kfgit.backend import Refused
        from kfgit.diagnostics import has_errors

        found = driver.violations(checkout) if told is None else told
        if found and (has_errors(found) or not self.quiet):
            self.diagnose(found, repository)
        if has_errors(found):
            from kfgit.policies import forbidden

            raise Refused("; ".join(forbidden(checkout.environment, found)))

    def invalid(self, repository: Repository, diagnostics: Sequence[Diagnostic]) -> int:
        """Tells mistakes, to machines as their result, and returns the exit code for it."""
        from kfgit.render import diagnostics as show

        self.diagnose(diagnostics, repository)
        if self.door.output == "json" and not self.door.answered:
            self.json(show.as_json(diagnostics, len(repository.documents)))
        return exits.INVALID

    def diagnose(self, diagnostics: Sequence[Diagnostic], repository: Repository) -> None:
        """Mistakes, on stderr."""
        from kfgit.render import diagnostics as show

        if diagnostics:
            self.warn(show.human(diagnostics, self.sources(repository, diagnostics), self.err))

    def sources(self, repository: Repository, diagnostics: Sequence[Diagnostic]) -> Mapping[str, bytes]:
        """The text of every file that diagnostics point at."""
        wanted = dict.fromkeys(d.span.file for d in diagnostics)
        read = {path: repository.content(path) for path in wanted if path not in repository.files}
        repository.rest()
        return {
            **repository.files,
            **{path: found for path, found in read.items() if isinstance(found, bytes)},
        }

    def texts(
        self, root: Path, diagnostics: Sequence[Diagnostic], known: Mapping[str, bytes]
    ) -> Mapping[str, bytes]:
        """The text of every file that diagnostics point at; those that nobody `known` has are read."""
        from kfgit import project
        from kfgit.source import commit_of

        wanted = dict.fromkeys(d.span.file for d in diagnostics if d.span.file not in known)
        read = {path: project.content(root, path) for path in wanted if not commit_of(path)[0]}
        if len(read) < len(wanted):
            from kfgit.project import pinned

            read |= pinned.contents(project.Folder(root), wanted.keys() - read.keys())
        return {
            **known,
            **{path: found.bytes for path, found in read.items() if isinstance(found, project.Content)},
        }

    @contextmanager
    def backend(self, repository: Repository, checkout: Checkout) -> Iterator[Backend]:
        """The target of an environment that was checked, closed at the end."""
        with self.reached(repository, checkout.project.project.environment) as backend:
            yield backend

    @contextmanager
    def target(self, wanted: str | None) -> Iterator[Backend]:
        """The target of an environment for commands that only look: mistakes in the source do not matter."""
        from kfgit.cli.standing import standing

        repository = self.repository()
        with self.reached(repository, standing(repository, self.environment(repository, wanted))) as backend:
            yield backend

    @contextmanager
    def reached(self, repository: Repository, environment: Environment) -> Iterator[Backend]:
        """The target of an environment. Raises `MachineFault` for one that cannot be reached."""
        if environment.cluster is None:
            with self.local(repository, environment.name, environment) as backend:
                yield backend
            return
        with self.cluster(repository, environment) as cluster:
            yield cluster

    @contextmanager
    def cluster(self, repository: Repository, environment: Environment) -> Iterator[ClusterBackend]:
        """The cluster that an environment names."""
        from kfgit.backends.cluster.backend import ClusterBackend, ClusterSettings
        from kfgit.cli import authors

        assert environment.cluster is not None
        known = authors.packages(repository, environment.name)
        settings = ClusterSettings(repository.name, environment.name, environment.cluster, known)
        with closing(ClusterBackend.open(settings)) as backend:
            yield backend

    @contextmanager
    def local(
        self, repository: Repository, environment: str, wanted: Environment | None = None
    ) -> Iterator[LocalBackend]:
        """The store of a local environment; `wanted` is what its document says, for what executes runs."""
        from kfgit.backends.local.backend import LocalBackend
        from kfgit.cli.local import local_settings

        backend = LocalBackend.open(local_settings(repository, environment, wanted))
        try:
            yield backend
        finally:
            backend.close()


def cache_folder() -> Path:
    """Where things that all projects share are kept: `KFGIT_CACHE`, else the XDG cache folder."""
    own = os.environ.get("KFGIT_CACHE")
    if own:
        return Path(own)
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (shared if shared.is_absolute() else Path.home() / ".cache") / "kfgit"
    except RuntimeError:  # a user without a name, as in some containers
        raise click.UsageError(
            "nobody knows where your home folder is; set KFGIT_CACHE to a folder to keep things in"
        ) from None


def make_session(door: Door, directory: Path | None, colour: str, *, quiet: bool, verbose: bool) -> Session:
    """Reads the environment and the terminal."""
    folder = directory or Path.cwd()
    if not folder.is_dir():
        raise click.UsageError(f"there is no folder {folder}")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # names of files may be any bytes, terminals any encoding
    dumb = os.environ.get("TERM") == "dumb"
    return Session(
        folder,
        door,
        Style(_coloured(colour, sys.stdout), _width(sys.stdout)),
        Style(_coloured(colour, sys.stderr), _width(sys.stderr)),
        quiet,
        verbose,
        live=_is_terminal(sys.stderr) and not dumb,
        screen=_is_terminal(sys.stdout),
        asks=_is_terminal(sys.stdin) and _is_terminal(sys.stderr),
    )


def _coloured(choice: str, stream: TextIO | None) -> bool:
    if choice != "auto":
        return choice == "always"
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _width(stream: TextIO | None) -> int:
    """The columns of a terminal; 100 elsewhere, unless COLUMNS says otherwise."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit():
        columns = int(told[:6])
    else:
        try:
            columns = os.get_terminal_size(stream.fileno()).columns if stream is not None else 100
        except (OSError, ValueError):
            columns = 100
    return min(max(columns, 60), 160) if columns else 100
