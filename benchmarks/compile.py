"""Four hundred tasks without edges between them, compiled to a package, beside the SDK's own compiler."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.table import Row

_TASKS = 400
_PEER = Path(__file__).with_name("peers") / "kfp_compile.py"


def measure(bench: Bench) -> Iterator[Row]:
    """Documents to package, and an equal program in KFP's language to package."""
    root = projects.flat(bench.folder("compile"), _TASKS)
    package = root / "package.yaml"
    peer = _sdk(bench)
    taken = bench.interleaved(
        "compile",
        [
            lambda: {
                "kfgit": bench.seconds(*bench.kfgit, "compile", "flat", "--out", str(package), cwd=root)
            },
            *([peer] if peer else []),
        ],
        3,
    )
    mine, what = taken["kfgit"], f"compile {_TASKS} flat tasks"
    yield Row(what, mine, "kfp.compiler", taken.get("whole"))
    yield Row(what, mine, "… without its import", taken.get("without import"))


def _sdk(bench: Bench) -> Trial | None:
    interpreter = bench.sdk_python
    if interpreter is None:
        return None
    folder = bench.folder("kfp")
    told = folder / "told.json"
    argv = (
        str(interpreter),
        "-W",
        "ignore",
        str(_PEER),
        str(_TASKS),
        str(folder / "package.yaml"),
        str(told),
    )

    def trial() -> Mapping[str, float]:
        whole = bench.seconds(*argv, cwd=folder)
        return {"whole": whole, "without import": json.loads(told.read_text(encoding="utf-8"))["seconds"]}

    return trial
