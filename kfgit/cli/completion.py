"""`kfgit completion`: what a shell must read to complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kfgit.cli import exits, options
from kfgit.cli.names import Choice
from kfgit.cli.session import Session
from kfgit.render.envelope import envelope


@click.command("completion")
@click.argument("shell", type=Choice("bash", "zsh", "fish"))
@options.output("human", "json")
@options.session
def command(session: Session, shell: str, output: str) -> int:
    """Print a shell's completion script.

    \b
    Examples:
      eval "$(kfgit completion bash)"
      kfgit completion fish > ~/.config/fish/completions/kfgit.fish
    """
    from kfgit.cli.app import app

    found = get_completion_class(shell)
    assert found is not None
    script = found(app, {}, "kfgit", "_KFGIT_COMPLETE").source()
    if output == "json":
        session.json(envelope("Completion", shell=shell, script=script))
    else:
        session.print(script)
    return exits.DONE
