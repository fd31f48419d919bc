"""The command line: one module for each command, and the only place that prints, exits and reads the environment.

`run` turns whatever happens into one of the exit codes of `exits`, never into a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import click

    from kfgit.backend import NotFound

_COMPLETE = "_KFGIT_COMPLETE"


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    import click  # `--version` does without

    from kfgit.cli import exits
    from kfgit.cli.app import app
    from kfgit.cli.door import Door

    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        try:
            return int(shell_complete(app, {}, "kfgit", _COMPLETE, instruction))
        except Exception:  # noqa: BLE001 - somebody is typing: no place for complaints
            return exits.DONE
    given = sys.argv[1:] if arguments is None else arguments
    door = Door(output="json" if _asks_for_json(given) else "human")
    try:
        with app.make_context("kfgit", list(given), obj=door) as context:
            result = app.invoke(context)
    except click.exceptions.NoArgsIsHelpError as asked:
        door.print(asked.format_message())
        return exits.DONE
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except exits.Stop as ending:
        return ending.code
    except (KeyboardInterrupt, EOFError, click.Abort):
        door.tell("kfgit: interrupted")
        return exits.INTERRUPTED
    except BrokenPipeError:
        door.leave()  # click's own texts; ours look after themselves
        return exits.DONE
    except Exception as fault:  # noqa: BLE001 - the last line of defence: no traceback, whatever happens
        told = _ending(fault)
        door.failed(told.code, told.message, told.help)
        return told.code
    return result if isinstance(result, int) else exits.DONE


def _asks_for_json(given: Sequence[str]) -> bool:
    """Whether the answer shall be JSON, also where the command line cannot be read for another mistake in it."""
    asked = os.environ.get("KFGIT_OUTPUT", "")
    for argument, following in pairwise((*given, "")):
        if argument == "--":
            break
        if argument in {"-o", "--output"}:
            asked = following
        elif argument.startswith(("-o", "--output=")):
            asked = argument.removeprefix("-o").removeprefix("--output=").removeprefix("=")
    return asked == "json"


class _Ending(NamedTuple):
    code: int
    message: str
    help: str | None = None


def _ending(fault: Exception) -> _Ending:
    """What a fault means to the one who typed the command."""
    import click

    from kfgit.backend import Locked, MachineFault, NotFound, Refused
    from kfgit.cli import exits

    match fault:
        case click.ClickException():
            message = fault.format_message().rstrip(".")
            return _Ending(exits.USAGE, message[:1].lower() + message[1:], _hint(fault))
        case NotFound():
            return _Ending(exits.USAGE, str(fault), _known(fault) if type(fault) is NotFound else None)
        case Refused():
            return _Ending(exits.REFUSED, str(fault))
        case Locked():
            return _Ending(exits.LOCKED, str(fault), "wait for it to end, or end that process")
        case MachineFault():
            return _Ending(exits.MACHINE, str(fault))
        case OSError():
            where = (
                f": {os.fspath(fault.filename)!s}" if isinstance(fault.filename, str | os.PathLike) else ""
            )
            return _Ending(exits.MACHINE, f"{(fault.strerror or str(fault)).lower()}{where}")
        case UnicodeEncodeError():
            # Bytes that are no text come from arguments; Python carries them as lone surrogates.
            return _Ending(exits.USAGE, f"`{fault.object[fault.start : fault.end]}` is no text in UTF-8")
        case _:
            return _Ending(
                exits.MACHINE, _own_mistake(fault), "please report it; KFGIT_TRACEBACK=1 shows more"
            )


def _hint(fault: click.ClickException) -> str | None:
    context = getattr(fault, "ctx", None)
    if context is None:
        return None
    option = getattr(fault, "option_name", None)
    if context.parent is not None and any(
        option in shared.opts for shared in context.find_root().command.params
    ):
        return f"`{option}` stands before the command: kfgit {option} …"
    return f"see `{context.command_path} --help`"


def _known(fault: NotFound) -> str | None:
    from kfgit.diagnostics import did_you_mean

    return did_you_mean(fault.name, fault.known, what="known") if fault.known else None


def _own_mistake(fault: Exception) -> str:
    import traceback

    if os.environ.get("KFGIT_TRACEBACK"):
        traceback.print_exception(fault)
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - a name, not a path
    return f"this is a mistake in kfgit itself: {type(fault).__name__}: {fault} ({place})"
