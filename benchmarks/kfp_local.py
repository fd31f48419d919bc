"""`kfp.local` as a trial: it runs the package that kfgit compiles from the same documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench import Bench, Trial

_PEER = Path(__file__).with_name("peers") / "kfp_run.py"


def kfp_local(bench: Bench, root: Path, pipeline: str, *, venv: bool = False) -> Trial | None:
    """The figures `whole` and `without import` of one run; None where the SDK is missing."""
    interpreter = bench.sdk_python
    if interpreter is None:
        return None
    folder = bench.folder("kfp")
    package, told = folder / "package.yaml", folder / "told.json"
    bench.seconds(*bench.kfgit, "compile", pipeline, "--out", str(package), cwd=root)
    argv = (
        str(interpreter),
        "-W",
        "ignore",
        str(_PEER),
        str(package),
        str(told),
        *(["--venv"] if venv else []),
    )

    def trial() -> Mapping[str, float]:
        whole = bench.seconds(*argv, cwd=folder)
        return {"whole": whole, "without import": json.loads(told.read_text(encoding="utf-8"))["seconds"]}

    return trial
