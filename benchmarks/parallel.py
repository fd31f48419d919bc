"""Four independent tasks of three seconds: do they run side by side, and what does that cost?"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import projects
from benchmarks.bench import Bench
from benchmarks.kfp_local import kfp_local
from benchmarks.table import Row, at_most

_TASKS = 4
_SECONDS = 3
_SHELL = f"{' '.join([f'sleep {_SECONDS} &'] * _TASKS)} wait"


def measure(bench: Bench) -> Iterator[Row]:
    """Container tasks beside a shell that does the same, python tasks beside `kfp.local`."""
    root = projects.naps(bench.folder("parallel"), _TASKS, _SECONDS)
    run = (*bench.kfgit, "run", "--no-cache", "--executor", "process")
    peer = kfp_local(bench, root, "functions")
    taken = bench.interleaved(
        "parallel",
        [
            lambda: {"containers": bench.seconds(*run, "containers", cwd=root)},
            lambda: {"sh": bench.seconds("sh", "-c", _SHELL)},
            lambda: {"functions": bench.seconds(*run, "functions", cwd=root)},
            *([peer] if peer else []),
        ],
        3,
    )
    containers, functions = taken["containers"], taken["functions"]
    what = f"{_TASKS} {{}} tasks of {_SECONDS} s".format
    aim = at_most(containers, 3.6)
    yield Row(what("container"), containers, f"sh: {_TASKS} × sleep {_SECONDS} &", taken["sh"], aim)
    yield Row(what("python"), functions, "kfp.local, no venv", taken.get("whole"))
