"""Commands of kfgit, each in a process of its own whose time and memory are measured.

`Bounded` starts one process that has imported kfgit, and that one forks for each command: so a command costs what it
does, and not another start of Python. The kernel remembers a child's largest memory from the moment it was forked,
which is why the tests' own process, which may be large, must not be its parent.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path(__file__).parents[2]
# A hang that costs no time of the processor ends, too, after so many seconds on the clock.
_PATIENCE = 600


class Ran(NamedTuple):
    """How a command ended, all it printed, its seconds of the processor, its bytes of memory, and its result alone."""

    code: int
    told: str
    seconds: float
    bytes: int
    out: str


class Bounded:
    """Runs commands; those that take more than `seconds` of the processor hang, and are killed (-9).

    That is a guard and no aim: ten times of what the slowest takes, and far less than work that grows with the square
    of its input. What they take is measured by `python -m benchmarks hostile`.
    """

    def __init__(self, seconds: int) -> None:
        # Without what measures coverage in other processes: it costs more than kfgit does.
        plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        self._seconds = seconds
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.bounded"],
            cwd=ROOT,
            env={**plain, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self._process.__exit__(None, None, None)  # closes what it reads, and waits for its end

    def __call__(self, root: Path, *argv: str) -> Ran:
        """One command in the folder `root`; what it remembers lies beside that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        told, aside = root.parent / "told", root.parent / "told.aside"
        for each in (told, aside):
            each.unlink(missing_ok=True)
        self._process.stdin.write(json.dumps([str(root), str(told), self._seconds, *argv]) + "\n")
        self._process.stdin.flush()
        code, seconds, kilobytes = json.loads(self._process.stdout.readline())
        out, rest = (each.read_bytes().decode() for each in (told, aside))
        return Ran(code, out + rest, seconds, kilobytes * 1024, out)


def serve() -> None:
    """Carries out what is asked for, line by line."""
    import jinja2  # noqa: F401 - here and not in the tests' process
    import jsonschema  # noqa: F401 - see above

    from kfgit import driver
    from kfgit.cli import app, validate  # noqa: F401 - see above

    driver.schemas()
    for line in sys.stdin:
        root, told, seconds, *argv = json.loads(line)
        child = os.fork()
        if child == 0:
            _carry_out(root, told, seconds, argv)
        _, status, used = os.wait4(child, 0)
        answer = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss
        print(json.dumps(answer), flush=True)


def _carry_out(root: str, told: str, seconds: int, argv: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    signal.alarm(_PATIENCE)
    os.chdir(root)
    os.environ["KFGIT_CACHE"] = str(Path(root).parent / "cache")
    for number, target in ((0, os.devnull), (1, told), (2, f"{told}.aside")):
        opened = os.open(target, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
    sys.argv = ["kfgit", *argv]
    code = 70
    try:
        from kfgit.__main__ import main

        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
