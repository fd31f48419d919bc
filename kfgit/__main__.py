"""The door: `kfgit` and `python -m kfgit`. `--version` answers before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from kfgit import __version__  # the whole of this path

        sys.stdout.write(f"kfgit {__version__}\n")
        return
    import gc

    gc.disable()  # a command is short, and the nodes of a large repository cost a second of collecting
    from kfgit.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
