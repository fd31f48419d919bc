"""What a user waits for before anything happens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.table import Row, at_most_more

_EXAMPLE = Path(__file__).parents[1]


def measure(bench: Bench) -> Iterator[Row]:
    """The commands that do least, beside Python's own start."""
    taken = bench.interleaved(
        "startup",
        [
            lambda: {"version": bench.seconds(*bench.kfgit, "--version")},
            lambda: {"pass": bench.seconds(sys.executable, "-c", "pass")},
            lambda: {"help": bench.seconds(*bench.kfgit, "--help")},
            lambda: {"validate": bench.seconds(*bench.kfgit, "-C", str(_EXAMPLE), "validate")},
            lambda: {"yaml": bench.seconds(sys.executable, "-c", "import yaml")},
        ],
        15,
    )
    version, floor = taken["version"], taken["pass"]
    yield Row("kfgit --version", version, "python -c pass", floor, at_most_more(version, floor, 0.015))
    yield Row("kfgit --help", taken["help"], "python -c pass", floor)
    yield Row("kfgit validate, the example", taken["validate"], "python -c 'import yaml'", taken["yaml"])
