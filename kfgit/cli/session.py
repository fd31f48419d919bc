"""What every command needs: where the project is, how to speak, and the way to a target. Settings enter here, once."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfgit import driver, project
from kfgit.backend import Refused
from kfgit.cli import exits
from kfgit.diagnostics import Diagnostic, did_you_mean, has_errors
from kfgit.driver import Checkout, Repository
from kfgit.render import diagnostics as show_diagnostics
from kfgit.render.style import Style

if TYPE_CHECKING:
    from kfgit.backends.local.backend import LocalBackend


@dataclass(frozen=True, slots=True)
class Session:
    """One use of the command line."""

    folder: Path
    out: Style
    err: Style
    quiet: bool = False
    verbose: bool = False
    live: bool = False
    colour: str = "auto"

    def print(self, text: str) -> None:
        """A result, on stdout."""
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
        sys.stdout.flush()

    def json(self, value: Mapping[str, Any]) -> None:
        """A result for machines, on stdout."""
        self.print(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def say(self, text: str) -> None:
        """Progress, on stderr."""
        if not self.quiet:
            sys.stderr.write(text if text.endswith("\n") else text + "\n")
            sys.stderr.flush()

    def warn(self, text: str) -> None:
        """What must be heard, on stderr."""
        sys.stderr.write(text if text.endswith("\n") else text + "\n")
        sys.stderr.flush()

    def repository(self) -> Repository:
        """The project around the folder; ends the command where there is none."""
        root = project.find_root(self.folder)
        if root is None:
            raise click.UsageError(f"no kfgit.yaml in {self.folder} or above it; `kfgit init` makes a project")
        return driver.load(root)

    def environment(self, repository: Repository, wanted: str | None) -> str:
        """The environment a command works on; ends the command for an unknown one."""
        name = wanted or repository.default_environment
        known = {*repository.environments, driver.LOCAL}
        if name not in known:
            raise click.UsageError(f"there is no environment `{name}`; {did_you_mean(name, known, what='environments')}")
        return name

    def checkout(self, repository: Repository, environment: str) -> Checkout:
        """One environment without mistakes; ends the command with 1 where there are any."""
        checked = driver.check(repository, environment)
        found = (*repository.diagnostics, *checked.diagnostics)
        if has_errors(found):
            self.diagnose(found, repository)
            raise exits.Stop(exits.INVALID)
        if not self.quiet:
            self.diagnose(found, repository)
        return checked.value

    def diagnose(self, diagnostics: Sequence[Diagnostic], repository: Repository) -> None:
        """Mistakes, on stderr."""
        if diagnostics:
            self.warn(show_diagnostics.human(diagnostics, self.sources(repository, diagnostics), self.err))

    def sources(self, repository: Repository, diagnostics: Sequence[Diagnostic]) -> Mapping[str, bytes]:
        """The text of every file that diagnostics point at."""
        files = dict(repository.files)
        for path in {d.span.file for d in diagnostics} - set(files):
            text = project.python_source(repository.root, path)
            if text is not None:
                files[path] = text.encode()
        return files

    @contextmanager
    def backend(self, repository: Repository, checkout: Checkout) -> Iterator[LocalBackend]:
        """The environment's target, closed at the end."""
        environment = checkout.project.project.environment
        if environment.target != "local":
            raise Refused(f"the target of `{environment.name}` is a cluster, which this version cannot reach yet; "
                          "validate, render, graph and compile work for it")  # fmt: skip
        with self.local(repository, environment.name, environment.executor) as backend:
            yield backend

    @contextmanager
    def local(self, repository: Repository, environment: str, executor: str = "auto") -> Iterator[LocalBackend]:
        """The store of a local environment."""
        from kfgit.backends.local.backend import LocalBackend, LocalSettings  # noqa: PLC0415 - not every command runs

        state = repository.root / ".kfgit"
        settings = LocalSettings(
            state=state / environment,
            secrets=state / "secrets",
            configmaps=state / "configmaps",
            environments=cache_folder() / "environments",
            environment=environment,
            project=repository.name,
            executor=executor,  # type: ignore[arg-type]
        )
        backend = LocalBackend.open(settings)
        try:
            yield backend
        finally:
            backend.close()

    @contextmanager
    def target(self, wanted: str | None) -> Iterator[LocalBackend]:
        """The target of an environment for commands that only look: mistakes in the source do not matter."""
        repository = self.repository()
        name = self.environment(repository, wanted)
        checkout = driver.check(repository, name).value
        with self.backend(repository, checkout) as backend:
            yield backend


def cache_folder() -> Path:
    """Where things that all projects share are kept: `KFGIT_CACHE`, else the XDG cache folder."""
    own = os.environ.get("KFGIT_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kfgit"


def make_session(directory: Path | None, colour: str, *, quiet: bool, verbose: bool) -> Session:
    """Reads the environment and the terminal."""
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 160)
    folder = directory or Path.cwd()
    if not folder.is_dir():
        raise click.UsageError(f"there is no folder {folder}")
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Session(
        folder,
        Style(_colour(colour, sys.stdout.isatty()), width),
        Style(_colour(colour, sys.stderr.isatty()), width),
        quiet,
        verbose,
        live,
        colour,
    )


def _colour(choice: str, terminal: bool) -> bool:  # noqa: FBT001 - what the terminal is
    if choice != "auto":
        return choice == "always"
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
