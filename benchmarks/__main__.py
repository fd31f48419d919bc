"""`python -m benchmarks [NAME…]`: takes the measurements and prints one table of all of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks import (
    chain,
    cluster,
    compile,
    diff,
    hostile,
    overhead,
    parallel,
    profiles,
    scale,
    server,
    startup,
    validate,
)
from benchmarks.bench import Bench, Broken, cache_folder
from benchmarks.table import Row, table

MEASUREMENTS: Mapping[str, Callable[[Bench], Iterable[Row]]] = {
    "startup": startup.measure,
    "chain": chain.measure,
    "parallel": parallel.measure,
    "overhead": overhead.measure,
    "validate": validate.measure,
    "compile": compile.measure,
    "diff": diff.measure,
    "hostile": hostile.measure,
    "server": server.measure,
    "scale": scale.measure,
    "cluster": cluster.measure,
    "profiles": profiles.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Takes what was asked for; 1 when something could not be measured, whatever the figures are."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(MEASUREMENTS):
        parser.error(
            f"there is no measurement {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}"
        )
    rows: list[Row] = []
    broken = False
    with tempfile.TemporaryDirectory(prefix="kfgit-bench-") as scratch:
        bench = Bench(Path(scratch), cache_folder(), asked.runs, asked.thorough)
        for name in asked.names or MEASUREMENTS:
            try:
                rows += MEASUREMENTS[name](bench)
            except Broken as fault:
                broken = True
                bench.say(f"{name}: {fault}")
    if rows:
        print(table(rows))
    return int(broken)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Times kfgit beside peers and floors."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument(
        "--runs", type=int, help="counted repetitions, instead of each measurement's own number"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="also what takes minutes or a network each time"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
