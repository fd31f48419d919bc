"""Options that several commands share, and the names that completion offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kfgit import driver, project
from kfgit.cli.session import Session, make_session
from kfgit.driver import Repository

F = TypeVar("F", bound=Callable[..., Any])

session = click.make_pass_decorator(Session)


def _repository() -> Repository | None:
    root = project.find_root(make_session(None, "never", quiet=True, verbose=False).folder)
    return driver.load(root) if root is not None else None


def _environments(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = _repository()
    names = {*found.environments, driver.LOCAL} if found is not None else set()
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _documents(*kinds: str, qualified: bool) -> Callable[..., list[CompletionItem]]:
    def complete(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = _repository()
        documents = found.documents if found is not None else ()
        names = {
            f"{d.kind.lower()}/{d.name}" if qualified else d.name for d in documents if not kinds or d.kind in kinds
        }
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]

    return complete


complete_pipeline = _documents("Pipeline", qualified=False)
complete_resource = _documents(qualified=True)


def environment(function: F) -> F:
    """`-e ENV`."""
    option = click.option("-e", "--env", "env", metavar="ENV", envvar="KFGIT_ENV", shell_complete=_environments,
                          help="The environment; default: KFGIT_ENV, the project's default, or local.")  # fmt: skip
    return option(function)


def environments(function: F) -> F:
    """`-e ENV`, several times, not narrowed by KFGIT_ENV."""
    option = click.option("-e", "--env", "envs", metavar="ENV", multiple=True, shell_complete=_environments,
                          help="Only this environment; may be given several times.")  # fmt: skip
    return option(function)


def output(*formats: str) -> Callable[[F], F]:
    """`-o FORMAT`; the first is the default."""
    choice = click.Choice(formats)
    return click.option("-o", "--output", "output", type=choice, default=formats[0], show_default=True,
                        envvar="KFGIT_OUTPUT", help="How to show it.")  # fmt: skip
