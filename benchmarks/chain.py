"""Ten trivial python tasks, one after the other: nearly everything that is timed is the engine.

The peer runs the package that kfgit compiled, in `kfp.local`'s quickest setting (see `peers/kfp_run.py`). Its default,
a new virtual environment for each task, takes seconds a task and a package index: `--thorough` times it on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.kfp_local import kfp_local
from benchmarks.table import Row, at_most

_TASKS = 10


def measure(bench: Bench) -> Iterator[Row]:
    """The chain in kfgit and in `kfp.local`."""
    root = projects.chain(bench.folder("chain"), _TASKS)
    peer = kfp_local(bench, root, "chain")
    taken = bench.interleaved("chain", [_run(bench, root), *([peer] if peer else [])], 5)
    mine, what = taken["kfgit"], f"{_TASKS} python tasks in a chain"
    yield Row(what, mine, "kfp.local, no venv", taken.get("whole"), at_most(mine, 1.5))
    yield Row(what, mine, "… without its import", taken.get("without import"))
    if bench.thorough:
        yield from _with_venv(bench)


def _with_venv(bench: Bench) -> Iterator[Row]:
    root = projects.chain(bench.folder("single"), 1)
    peer = kfp_local(bench, root, "chain", venv=True)
    taken = bench.interleaved("chain, use_venv", [_run(bench, root), *([peer] if peer else [])], 1)
    yield Row("1 python task", taken["kfgit"], "kfp.local, its default", taken.get("whole"))


def _run(bench: Bench, root: Path) -> Trial:
    return lambda: {"kfgit": bench.seconds(*bench.kfgit, "run", "chain", "--no-cache", cwd=root)}
