"""The door: `kfgit` and `python -m kfgit`. `--version` answers before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from kfgit import __version__  # noqa: PLC0415 - the whole of this path

        sys.stdout.write(f"kfgit {__version__}\n")
        return
    from kfgit.cli import run  # noqa: PLC0415 - see the module's text

    sys.exit(run())


if __name__ == "__main__":
    main()
