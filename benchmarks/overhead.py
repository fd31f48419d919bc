"""What the engine adds to a process: many container tasks that do nothing, less what one of them costs.

`kfp.local` has nothing to put beside it: without docker it runs no container components.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from benchmarks import projects
from benchmarks.bench import Bench
from benchmarks.table import Row

_TASKS = 200
_FLOOR = f"import subprocess\nfor _ in range({_TASKS}): subprocess.run(['true'])"


def measure(bench: Bench) -> Iterator[Row]:
    """The whole process and the cost of each task, beside bare processes in a loop."""
    root = projects.trues(bench.folder("overhead"), _TASKS)
    run = (*bench.kfgit, "run", "--no-cache", "--executor", "process")

    def engine() -> Mapping[str, float]:
        one = bench.seconds(*run, "one", cwd=root)
        many = bench.seconds(*run, "flat", cwd=root)
        return {"one": one, "many": many, "each": max(many - one, 0.0) / (_TASKS - 1)}

    def floor() -> Mapping[str, float]:
        nothing = bench.seconds(sys.executable, "-c", "import subprocess")
        many = bench.seconds(sys.executable, "-c", _FLOOR)
        return {"nothing": nothing, "loop": many, "process": max(many - nothing, 0.0) / _TASKS}

    taken = bench.interleaved("overhead", [engine, floor], 3)
    yield Row("1 container task", taken["one"], "python -c 'import subprocess'", taken["nothing"])
    yield Row(f"{_TASKS} container tasks `true`", taken["many"], "subprocess.run in a loop", taken["loop"])
    yield Row("… each", taken["each"], "… each", taken["process"])
