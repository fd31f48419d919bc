"""Runs a package with `kfp.local`: `kfp_run.py PACKAGE TOLD [--venv]`, where KFP's SDK is installed.

Without `--venv` it has the quickest setting there is: no virtual environment, and no step that installs KFP, which is
what `install_kfp_package=False` leaves out of a component. kfgit's package has that step, so it is taken out first.
With `--venv` everything is as KFP has it by default. TOLD gets the seconds that the run took, without the import.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import yaml


def main(package: str, told: str, *options: str) -> int:
    """Runs the package to its end; 1 when it did not succeed."""
    local: Any = importlib.import_module("kfp.local")
    components: Any = importlib.import_module("kfp.components")
    venv = "--venv" in options
    if not venv:
        package = _without_install(Path(package))
    began = time.perf_counter()
    local.init(local.SubprocessRunner(use_venv=venv), pipeline_root=str(Path(told).parent / "root"))
    components.load_component_from_file(package)()  # raises when a task fails
    Path(told).write_text(json.dumps({"seconds": time.perf_counter() - began}), encoding="utf-8")
    return 0


def _without_install(package: Path) -> str:
    """The package whose commands begin after their `sh -c 'pip install … && "$0" "$@"'`, written once."""
    target = package.with_suffix(".bare.yaml")
    if not target.exists():
        spec: dict[str, Any] = yaml.load(package.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for executor in spec["deploymentSpec"]["executors"].values():
            container = executor["container"]
            if container["command"][:2] == ["sh", "-c"] and "pip install" in container["command"][2]:
                container["command"] = container["command"][3:]
        target.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return str(target)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
