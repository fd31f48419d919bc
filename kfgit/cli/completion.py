"""`kfgit completion`: what a shell must read to complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kfgit.cli import exits, options
from kfgit.cli.session import Session


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.session
def command(session: Session, shell: str) -> int:
    """Print a shell's completion script.

    \b
    Examples:
      eval "$(kfgit completion bash)"
      kfgit completion fish > ~/.config/fish/completions/kfgit.fish
    """
    from kfgit.cli.app import app  # noqa: PLC0415 - the app imports this module

    found = get_completion_class(shell)
    assert found is not None
    session.print(found(app, {}, "kfgit", "_KFGIT_COMPLETE").source())
    return exits.DONE
