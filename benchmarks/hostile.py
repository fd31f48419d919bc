"""Repositories that were made to hurt, beside an ordinary project of as many bytes.

`tests/hostile` holds that each of them is told or taken, and ends; here is how long that takes. All of them are
validated once, and the slowest are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks import projects
from benchmarks.bench import Bench, Samples, Trial
from benchmarks.table import Row, size
from tests.hostile.bounded import Bounded
from tests.hostile.pulls import PULLS, opened
from tests.hostile.repositories import MIB, REPOSITORIES, write

_SLOWEST = 5
# Told of its mistakes, most of them.
_CODES = (0, 1)
# Seconds of the processor after which one hangs.
_PATIENCE = 300
_PULL = "changed"


class _Looked(NamedTuple):
    """One of them, validated once."""

    seconds: float
    memory: int
    name: str
    root: Path


def measure(bench: Bench) -> Iterator[Row]:
    """The slowest of all, the one that needs the most memory, and the largest pull request."""
    with Bounded(_PATIENCE) as kfgit:
        looked = [_look(bench, kfgit, name) for name in REPOSITORIES]
        most = max(looked, key=lambda each: each.memory)
        plain = kfgit(_ordinary(bench, _bytes(most.root)), "validate", "--no-cache")
    for each in sorted(looked, reverse=True)[:_SLOWEST]:
        yield _validated(bench, each)
    memory = Samples(most.memory, most.memory), Samples(plain.bytes, plain.bytes)
    yield Row(
        f"validate {most.name}: memory, the most of all", memory[0], _beside(most), memory[1], shown=size
    )
    yield _compared(bench)


def _look(bench: Bench, kfgit: Bounded, name: str) -> _Looked:
    bench.say(f"hostile: looking at {name}")
    root = bench.folder("hostile") / "project"
    write(root, REPOSITORIES[name])
    ran = kfgit(root, "validate", "--no-cache")
    return _Looked(ran.seconds, ran.bytes, name, root)


def _validated(bench: Bench, one: _Looked) -> Row:
    plain = _ordinary(bench, _bytes(one.root))
    trials = [_trial(bench, "hostile", one.root), _trial(bench, "ordinary", plain)]
    taken = bench.interleaved(f"hostile {one.name}", trials, 3)
    return Row(f"validate {one.name}", taken["hostile"], _beside(one), taken["ordinary"])


def _compared(bench: Bench) -> Row:
    """Both commits are read and checked, so twice the time of one is what it cannot go below."""
    git, base, head = opened(bench.folder("pull"), *PULLS[_PULL])

    def diff() -> Mapping[str, float]:
        return {"diff": bench.seconds(*bench.kfgit, "diff", base, head, "-o", "markdown", cwd=git.root)}

    taken = bench.interleaved("hostile diff", [diff, _trial(bench, "validate", git.root)], 2)
    return Row("diff of 10,000 changed schedules", taken["diff"], "validate of one side", taken["validate"])


def _trial(bench: Bench, figure: str, root: Path) -> Trial:
    return lambda: {figure: bench.seconds(*bench.kfgit, "validate", "--no-cache", cwd=root, codes=_CODES)}


def _ordinary(bench: Bench, amount: int) -> Path:
    """A sound project of about so many bytes, in documents of 1 KB."""
    root = bench.folder("ordinary") / "project"
    root.mkdir()
    return projects.small(root, max(amount // 1_000, 2))


def _beside(one: _Looked) -> str:
    return f"an ordinary project of {size(_bytes(one.root))}"


def _bytes(root: Path) -> int:
    """All that is read: larger files are not."""
    sizes = (path.stat().st_size for path in root.rglob("*") if path.is_file())
    return sum(each for each in sizes if each <= 2 * MIB)
