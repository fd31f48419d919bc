"""The local engine: compiled pipelines as a pure state machine.

`load` makes a package runnable, `start` makes a run of it, and `advance` says for every signal (a task ended, time
went by, someone cancels) how the run stands and what the workers are to do now. No files, clock, threads or chance:
the same signals give the same run, which is how a run survives a crash. `records`, `changes` and `outcome` tell it.

Faithful to KFP 2.17 on a cluster, that is to its driver and to Argo as its compiler drives it, not to `kfp.local`;
each module names the sources it follows and where it differs. The words of the talk are in `protocol`.
"""

from __future__ import annotations

from kfgit.backends.local.engine.inputs import check_inputs
from kfgit.backends.local.engine.loading import load
from kfgit.backends.local.engine.machine import advance, outcome, start
from kfgit.backends.local.engine.program import EngineError, Program
from kfgit.backends.local.engine.progress import hooked
from kfgit.backends.local.engine.report import changes, records
from kfgit.backends.local.engine.state import Outcome, RunContext, RunState

__all__ = [
    "EngineError",
    "Outcome",
    "Program",
    "RunContext",
    "RunState",
    "advance",
    "changes",
    "check_inputs",
    "hooked",
    "load",
    "outcome",
    "records",
    "start",
]
