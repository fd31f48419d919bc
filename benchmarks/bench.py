"""What every measurement stands on: a scratch folder, a clean environment, timed processes, interleaved repetitions.

A figure is the wall time of a whole process, from the fork to the end. The subjects of one comparison run in turn
(A B A B …), so that a machine whose speed drifts is equally unkind to all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Self, TypeAlias

from benchmarks import sdk

# Seconds by what they were spent on: one process may tell more than one figure.
Trial: TypeAlias = Callable[[], Mapping[str, float]]

# One process; what takes longer hangs.
_PATIENCE = 600


class Broken(Exception):
    """A process failed, so there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The seconds of one subject.

    `least` is what the program needs, since others can only take from it; `middle`, the median, what one usually waits.
    """

    least: float
    middle: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """What is told of one subject's runs."""
        return cls(min(seconds), median(seconds))

    def beyond(self, base: Samples, times: int) -> Samples:
        """One of so many equal parts of what this takes longer than `base`."""
        return Samples(max(self.least - base.least, 0.0) / times, max(self.middle - base.middle, 0.0) / times)


@dataclass(frozen=True)
class Bench:
    """One call of `python -m benchmarks`. `scratch` is removed at its end, `cache` stays."""

    scratch: Path
    cache: Path
    asked_runs: int | None = None
    thorough: bool = False

    def say(self, text: str) -> None:
        """Progress and notes, on stderr: the table alone is the result."""
        print(text, file=sys.stderr, flush=True)

    def folder(self, name: str) -> Path:
        """A new folder in `scratch`."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The caller's variables without those that change what Python, kfgit or KFP do.

        Compiled bytecode goes to the cache, so nothing is written beside the sources and every start finds it.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "KFGIT", "KFP", "_KFP"))}
        return {
            **kept,
            "KFGIT_CACHE": str(self.cache / "kfgit"),
            "PYTHONPYCACHEPREFIX": str(self.cache / "bytecode"),
            "TMPDIR": str(self.folder("tmp")),
        }

    @cached_property
    def kfgit(self) -> tuple[str, ...]:
        """The command as users start it: the script beside this interpreter."""
        script = Path(sys.executable).with_name("kfgit")
        return (str(script),) if script.exists() else (sys.executable, "-m", "kfgit")

    @cached_property
    def sdk_python(self) -> Path | None:
        """The interpreter of an environment with KFP's SDK; None, and why, where none can be made."""
        try:
            return sdk.python(self.cache, self.say)
        except sdk.Unavailable as reason:
            self.say(f"without the peer {sdk.REQUIREMENT}: {reason}")
            return None

    def seconds(self, *argv: str, cwd: Path | None = None, codes: Collection[int] = (0,)) -> float:
        """The wall time of one process. Raises `Broken` with its last words when it ends with another code."""
        return self._run(argv, cwd, codes)[0]

    def text(self, *argv: str, cwd: Path | None = None) -> str:
        """What one process prints. Raises `Broken` with its last words when it fails."""
        return self._run(argv, cwd, (0,))[1]

    def _run(self, argv: tuple[str, ...], cwd: Path | None, codes: Collection[int]) -> tuple[float, str]:
        with tempfile.TemporaryFile() as said:
            began = time.perf_counter()
            try:
                process = subprocess.Popen(
                    argv, cwd=cwd or self.scratch, env=self.environment, stdin=subprocess.DEVNULL, stdout=said,
                    stderr=said,
                )  # fmt: skip
            except OSError as fault:
                raise Broken(str(fault)) from fault
            code = _end(process)
            took = time.perf_counter() - began
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
        if code not in codes:
            raise Broken(f"`{' '.join(argv)}` ended with {code}:\n{text.strip()[-2000:]}")
        return took, text

    def interleaved(self, name: str, trials: Sequence[Trial], runs: int) -> Mapping[str, Samples]:
        """Every trial once to warm up, then `runs` rounds of all of them; the samples of each figure by its name."""
        rounds = self.asked_runs or runs
        taken: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            self.say(f"{name}: {f'round {number} of {rounds}' if number else 'warming up'}")
            for trial in trials:
                for figure, seconds in trial().items():
                    taken.setdefault(figure, []).append(seconds)
        return {figure: Samples.of(seconds[1:]) for figure, seconds in taken.items()}


def _end(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process, and kills one that hangs.

    `wait(timeout=…)` would look only every so often, up to 50 ms late; without a timeout the kernel wakes us.
    """
    hangs = threading.Timer(_PATIENCE, process.kill)
    hangs.daemon = True
    hangs.start()
    try:
        return process.wait()
    finally:
        hangs.cancel()


def cache_folder() -> Path:
    """Where environments and bytecode stay from one call to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kfgit-benchmarks"
