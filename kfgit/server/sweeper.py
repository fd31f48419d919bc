"""Removes the ended runs that the environment does not want to keep, now and then, beside everything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from kfgit.backend import MachineFault
from kfgit.backends.local import retention
from kfgit.backends.local.backend import LocalBackend
from kfgit.model import Retention

SWEEP_SECONDS = 300.0


class Sweeper:
    """The sweeps of one environment; `told` hears of what went wrong."""

    def __init__(
        self,
        backend: LocalBackend,
        wanted: Retention,
        now: Callable[[], datetime],
        told: Callable[[str], None],
    ) -> None:
        self._backend, self._wanted, self._now, self._told = backend, wanted, now, told
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sweep, name="kfgit-sweeper", daemon=True)

    def start(self) -> None:
        """Begins with a sweep; does nothing where everything is kept."""
        if self._wanted != Retention():
            self._thread.start()

    def stop(self) -> None:
        """Ends after the batch that is being removed."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _sweep(self) -> None:
        while not self._over.is_set():
            try:
                for _ in retention.batches(self._backend, self._wanted, self._now()):
                    if self._over.is_set():
                        return
            except (MachineFault, OSError) as fault:
                self._told(f"old runs could not be removed: {fault}")
            self._over.wait(SWEEP_SECONDS)
