"""Four hundred tasks without edges between them, compiled to a package, beside the SDK's own compiler."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.table import Row, at_most

_TASKS = 400
_PEERS = Path(__file__).with_name("peers")


def measure(bench: Bench) -> Iterator[Row]:
    """Documents to package, and an equal program in KFP's language to package."""
    root = projects.flat(bench.folder("compile"), _TASKS)
    package, told = root / "package.yaml", root / "told.json"

    def kfgit() -> Mapping[str, float]:
        whole = bench.seconds(*bench.kfgit, "compile", "flat", "--out", str(package), cwd=root)
        bench.seconds(
            sys.executable, str(_PEERS / "kfgit_compile.py"), str(root), "flat", str(package), str(told)
        )
        return {"kfgit": whole, "kfgit without import": _told(told)}

    peer = _sdk(bench)
    taken = bench.interleaved("compile", [kfgit, *([peer] if peer else [])], 5)
    without, what = taken["kfgit without import"], f"compile {_TASKS} flat tasks"
    yield Row(what, taken["kfgit"], "kfp.compiler", taken.get("kfp"))
    yield Row(
        "… both without imports",
        without,
        "kfp.compiler",
        taken.get("kfp without import"),
        at_most(without, 0.15),
    )


def _told(path: Path) -> float:
    return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])


def _sdk(bench: Bench) -> Trial | None:
    interpreter = bench.sdk_python
    if interpreter is None:
        return None
    folder = bench.folder("kfp")
    told = folder / "told.json"
    argv = (
        "-W",
        "ignore",
        str(_PEERS / "kfp_compile.py"),
        str(_TASKS),
        str(folder / "package.yaml"),
        str(told),
    )

    def trial() -> Mapping[str, float]:
        whole = bench.seconds(str(interpreter), *argv, cwd=folder)
        return {"kfp": whole, "kfp without import": _told(told)}

    return trial
