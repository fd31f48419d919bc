"""What profiles cost: plans of pipelines whose tasks name them, and runs whose tasks wait for room.

Each is beside the same without a profile, so that the ratio is what profiles add.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.table import Row

_PIPELINES = 500
_TASKS = 200


def measure(bench: Bench) -> Iterator[Row]:
    """A plan of 500 pipelines that change nothing and of a remap of all of them; 200 tasks that ask for memory."""
    yield from _plans(bench)
    yield from _admission(bench)


def _plans(bench: Bench) -> Iterator[Row]:
    plain, priced, remapped = (bench.folder(name) for name in ("plain", "priced", "remapped"))
    projects.priced(plain, _PIPELINES, None)
    for root in (priced, remapped):
        projects.priced(root, _PIPELINES, "l4")
    for root in (plain, priced, remapped):
        bench.seconds(*bench.kfgit, "apply", cwd=root)
    projects.priced(remapped, _PIPELINES, "a100")

    def plan(what: str, root: Path) -> Trial:
        return lambda: {what: bench.seconds(*bench.kfgit, "plan", cwd=root)}

    trials = [plan("plain", plain), plan("priced", priced), plan("remapped", remapped)]
    taken = bench.interleaved("profiles: plan", trials, 3)
    what, beside = f"plan of {_PIPELINES} pipelines with profiles", "the same without"
    yield Row(f"{what} and prices", taken["priced"], beside, taken["plain"])
    yield Row(f"{what}, all remapped", taken["remapped"], beside, taken["plain"])


def _admission(bench: Bench) -> Iterator[Row]:
    roots = {memory: projects.asking(bench.folder("asking"), _TASKS, memory) for memory in ("", "1Mi", "8Gi")}

    def run(memory: str) -> Trial:
        words = (*bench.kfgit, "run", "--no-cache", "--executor", "process", "flat")
        return lambda: {memory: bench.seconds(*words, cwd=roots[memory])}

    taken = bench.interleaved("profiles: run", [run(memory) for memory in roots], 5)
    what = f"{_TASKS} container tasks `true` that ask for {{}}".format
    yield Row(what("memory"), taken["1Mi"], "the same without", taken[""])
    yield Row(what("a quarter of all memory"), taken["8Gi"], "the same without", taken[""])
