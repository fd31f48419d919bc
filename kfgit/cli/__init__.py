"""The command line: one module for each command, and the only place that prints, exits and reads the environment.

`run` turns whatever happens into one of the exit codes of `exits`, never into a traceback.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    gc.disable()  # a command is short, and the nodes of a large repository cost a second of collecting
    import click  # noqa: PLC0415 - `--version` does without

    from kfgit.backend import Locked, MachineFault, NotFound, Refused  # noqa: PLC0415 - see above
    from kfgit.cli import exits  # noqa: PLC0415 - see above
    from kfgit.cli.app import app  # noqa: PLC0415 - see above
    from kfgit.diagnostics import did_you_mean  # noqa: PLC0415 - see above

    try:
        result = app.main(args=arguments, prog_name="kfgit", standalone_mode=False)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as fault:
        return _said(fault.format_message(), exits.USAGE, _usage_hint(fault))
    except click.Abort:
        return exits.INTERRUPTED
    except exits.Stop as ending:
        return ending.code
    except NotFound as fault:
        known = did_you_mean(fault.name, fault.known, what="known") if fault.known else None
        return _said(str(fault), exits.USAGE, known)
    except Refused as fault:
        return _said(str(fault), exits.REFUSED)
    except Locked as fault:
        return _said(str(fault), exits.LOCKED)
    except MachineFault as fault:
        return _said(str(fault), exits.MACHINE)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.DONE
    except OSError as fault:
        return _said(f"{fault.strerror or fault}: {fault.filename}" if fault.filename else str(fault), exits.MACHINE)
    return result if isinstance(result, int) else exits.DONE


def _said(message: str, code: int, help_: str | None = None) -> int:
    from kfgit.render.style import clean  # noqa: PLC0415 - only on the way out

    lines = [f"kfgit: {clean(message)}", *([f"  {clean(help_)}"] if help_ else [])]
    sys.stderr.write("\n".join(lines) + "\n")
    return code


def _usage_hint(fault: object) -> str | None:
    context = getattr(fault, "ctx", None)
    return f"see `{context.command_path} --help`" if context is not None else None
