"""Compiles a pipeline with kfgit: `kfgit_compile.py ROOT PIPELINE PACKAGE TOLD`.

TOLD gets the seconds that it took, from the files to the written package, without the import.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from kfgit import compiler, driver


def main(root: str, pipeline: str, package: str, told: str) -> int:
    """Reads, checks and compiles, as `kfgit compile` does."""
    gc.disable()  # as the command does
    began = time.perf_counter()
    checked = driver.check(driver.load(Path(root)), driver.LOCAL).value.project
    made = compiler.compile_pipeline(checked.pipelines[pipeline])
    Path(package).write_text(made.to_yaml(), encoding="utf-8")
    Path(told).write_text(json.dumps({"seconds": time.perf_counter() - began}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
