"""What the engine adds to a process: many container tasks that do nothing, less what one of them costs.

`kfp.local` has nothing to put beside it: without docker it runs no container components.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks import projects
from benchmarks.bench import Bench
from benchmarks.table import Row

_TASKS = 200
_FLOOR = f"import subprocess\nfor _ in range({_TASKS}): subprocess.run(['true'])"


def measure(bench: Bench) -> Iterator[Row]:
    """The whole process and the cost of each task, beside bare processes in a loop."""
    root = projects.trues(bench.folder("overhead"), _TASKS)
    run = (*bench.kfgit, "run", "--no-cache", "--executor", "process")

    taken = bench.interleaved(
        "overhead",
        [
            lambda: {"one": bench.seconds(*run, "one", cwd=root)},
            lambda: {"many": bench.seconds(*run, "flat", cwd=root)},
            lambda: {"nothing": bench.seconds(sys.executable, "-c", "import subprocess")},
            lambda: {"loop": bench.seconds(sys.executable, "-c", _FLOOR)},
        ],
        5,
    )
    one, many, nothing, loop = (taken[name] for name in ("one", "many", "nothing", "loop"))
    yield Row("1 container task", one, "python -c 'import subprocess'", nothing)
    yield Row(f"{_TASKS} container tasks `true`", many, "subprocess.run in a loop", loop)
    yield Row("… each", many.beyond(one, _TASKS - 1), "… each", loop.beyond(nothing, _TASKS))
