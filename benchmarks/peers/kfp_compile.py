"""Compiles so many flat tasks with KFP's SDK: `kfp_compile.py TASKS PACKAGE TOLD`, where it is installed.

TOLD gets the seconds that it took, from the program to the written package, without the import.
"""

# ruff: noqa: I002 - KFP reads the annotations of a component as they are, and takes no text for a type

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def step(number: int) -> int:
    """The component, as `projects.flat` has it."""
    return number + 1


def main(tasks: str, package: str, told: str) -> int:
    """Traces the pipeline and writes its package."""
    dsl: Any = importlib.import_module("kfp.dsl")
    compiler: Any = importlib.import_module("kfp.compiler")
    began = time.perf_counter()
    component = dsl.component(step)

    def flat() -> None:
        for number in range(int(tasks)):
            component(number=number)

    compiler.Compiler().compile(dsl.pipeline(flat), package)
    Path(told).write_text(json.dumps({"seconds": time.perf_counter() - began}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
