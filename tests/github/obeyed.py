"""What GitHub's runner obeys in a log (actions/runner, src/Runner.Common/ActionCommand.cs, and Worker's extensions)."""

from __future__ import annotations

import re

COMMANDS = frozenset(
    "add-mask add-matcher add-path debug echo endgroup error group internal-set-repo-path notice remove-matcher "
    "save-state set-env set-output stop-commands warning".split()
)


def commands_in(log: str) -> list[str]:
    """The names of the commands, line by line; a `::name …::` begins its line, a `##[name …]` may stand anywhere."""
    return [name for line in re.split(r"\r?\n|\r", log) for name in [_command(line)] if name]


def _command(line: str) -> str | None:
    trimmed = line.lstrip()
    if trimmed.startswith("::") and "::" in trimmed[2:]:
        info = trimmed[2:].partition("::")[0]
    elif "##[" in line and "]" in line.partition("##[")[2]:
        info = line.partition("##[")[2].partition("]")[0]
    else:
        return None
    name = info.partition(" ")[0].lower()
    return name if name in COMMANDS else None
