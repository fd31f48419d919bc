"""The table of commands and what all of them share. A command's module is imported when it is used."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from kfgit import __version__
from kfgit.cli.names import Choice, Group
from kfgit.cli.session import make_session

# name: (module, one line of help), in the order of a user's day.
COMMANDS = {
    "init": ("init", "Make a working repository."),
    "fmt": ("fmt", "Bring the sources into their stable form."),
    "validate": ("validate", "Check everything, in every environment."),
    "render": ("render", "Show the documents as one environment sees them."),
    "graph": ("graph", "Draw a pipeline's DAG."),
    "compile": ("compile", "Write KFP packages (IR)."),
    "profiles": ("profiles", "Show what resource profiles mean where, and who uses them."),
    "policy": ("policy", "Test the rules that a team has written itself."),
    "diff": ("diff", "Show what differs between two commits or environments."),
    "plan": ("plan", "Show what apply would do."),
    "apply": ("apply", "Make the target equal to the repository."),
    "status": ("status", "Show what is live, drift and health."),
    "history": ("history", "Show who applied which commit when, and how that came out."),
    "run": ("run", "Run a pipeline now and follow it."),
    "runs": ("runs", "List, show, read, cancel and delete runs."),
    "artifacts": ("artifacts", "List, show and fetch what runs produced."),
    "schedules": ("schedules", "List schedules, show what became of their ticks, turn them on and off."),
    "experiments": ("experiments", "List experiments."),
    "adopt": ("adopt", "Take over objects that others made, as they are."),
    "import": ("import_", "Write what is on a target as documents."),
    "promote": ("promote", "Bring a commit that ran green in one environment to the next."),
    "github": ("github", "Tell GitHub: comments, summaries, issues, deployments."),
    "agent": ("agent", "Keep an environment as a branch says."),
    "up": ("up", "Serve an environment: schedules, runs, KFP's API."),
    "destroy": ("destroy", "Remove what kfgit owns in an environment."),
    "schema": ("schema", "Print the JSON Schema of the language."),
    "explain": ("explain", "Explain a diagnostic's code or a field."),
    "doctor": ("doctor", "Look at this machine and say what is missing."),
    "completion": ("completion", "Print a shell's completion script."),
}


class _Commands(Group):
    """Knows all commands by name and imports one when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kfgit.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


_HELP = """GitOps for Kubeflow: pipelines as YAML in git, planned, applied and run.

\b
Examples:
  kfgit init demo --template examples && cd demo
  kfgit validate
  kfgit apply --wait

Every option can be given as a variable: KFGIT_ENV, KFGIT_OUTPUT, KFGIT_COLOR, KFGIT_RUN_NO_CACHE, …
"""

_SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "auto_envvar_prefix": "KFGIT",
}


@click.group(cls=_Commands, help=_HELP, context_settings=_SETTINGS)
@click.version_option(__version__, "-V", "--version", message="kfgit %(version)s")
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    envvar="KFGIT_DIR",
    help="Work as if started in DIR.",
)
@click.option(
    "--color",
    type=Choice("auto", "always", "never"),
    default="auto",
    envvar="KFGIT_COLOR",
    help="When to colour.",
)
@click.option("-q", "--quiet", is_flag=True, envvar="KFGIT_QUIET", help="Only results, no progress.")
@click.option(
    "-v", "--verbose", is_flag=True, envvar="KFGIT_VERBOSE", help="Tell more, also of groups of tasks."
)
@click.pass_context
def app(context: click.Context, /, **options: Any) -> None:
    """The whole command line."""
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("-q and -v together say nothing", context)
    context.obj = make_session(
        context.obj,
        options["directory"],
        options["color"],
        quiet=options["quiet"],
        verbose=options["verbose"],
    )
