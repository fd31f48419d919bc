"""Names people type: commands, words and formats. Whoever gets one wrong is told the nearest."""

from __future__ import annotations

from typing import Any

import click


class Choice(click.Choice[str]):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        super().__init__(words)

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """The nearest word, and all of them."""
        from kfgit.diagnostics import nearest

        words = ", ".join(f"`{word}`" for word in self.choices)
        close = nearest(str(value), self.choices)
        return f"`{value}` is none of {words}" + (f"; did you mean `{close}`?" if close else "")


class Group(click.Group):
    """Commands under a name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with our words for a name that is unknown."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            from kfgit.diagnostics import did_you_mean

            whole = " ".join([*ctx.command_path.split()[1:], args[0]])
            raise click.UsageError(
                f"there is no command `{whole}`; {did_you_mean(args[0], names, what='known')}", ctx
            )
        return super().resolve_command(ctx, args)
