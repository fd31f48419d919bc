"""Carries out one attempt of a task: prepares its folders, runs its program, reads what it left.

A python component runs in a cached virtual environment (`environments`), a container component in docker or podman
where one answers (`containers`), else as a process of this machine; with `docker` or `podman` asked for by name both
run in their image. The program gets what KFP's launcher would give it (`launcher`) and a clean environment: the
container's declared variables, and of this machine's only those in `_ALLOWED`. Secrets come from files beside the
repository, are passed on, and never written: not into the log, not into `repro.sh`. No program outlives kfgit
(`reaper`).

An attempt's folder holds `log.txt`, `executor_input.json`, `executor_output.json`, `outputs/` (parameters), `work/`
(where it runs), `home/`, `tmp/` and `repro.sh`. A new attempt starts without the artifacts of the one before it.
"""

from __future__ import annotations

from kfgit.backends.local.launcher import Stopped, TaskFailure
from kfgit.backends.local.worker.attempt import run_attempt
from kfgit.backends.local.worker.env_files import env_file
from kfgit.backends.local.worker.imports import run_import
from kfgit.backends.local.worker.masking import Masker
from kfgit.backends.local.worker.parity import parity, run_parity
from kfgit.backends.local.worker.settings import AttemptPlace, Hooks, WorkerSettings, settle

__all__ = [
    "AttemptPlace", "Hooks", "Masker", "Stopped", "TaskFailure", "WorkerSettings", "env_file", "parity", "run_attempt",
    "run_import", "run_parity", "settle",
]  # fmt: skip
