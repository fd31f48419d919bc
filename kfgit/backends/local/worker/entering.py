"""Puts a program into a control group: run as a script before the program, which it becomes.

So that nothing of the program runs outside of the group. It imports no module of kfgit, so that it starts at once.
"""

from __future__ import annotations

import os
import sys


def _main(group: str, program: list[str]) -> None:
    try:
        descriptor = os.open(f"{group}/cgroup.procs", os.O_WRONLY)
        os.write(descriptor, b"0")  # whoever writes it
        os.close(descriptor)
    except OSError as fault:
        sys.exit(f"the memory of the task cannot be limited: {fault.strerror}")
    try:
        os.execvp(program[0], program)  # noqa: S606 - the program of the task, which needs no shell
    except OSError as fault:
        sys.exit(f"`{program[0]}` cannot be started: {fault.strerror}")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
