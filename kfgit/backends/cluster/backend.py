"""The cluster backend itself: the protocol of `backend`, over the modules beside it."""

from __future__ import annotations

from dataclasses import dataclass

from kfgit.backend import MachineFault
from kfgit.model import ClusterTarget


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Whose objects, and on which installation."""

    project: str
    environment: str
    target: ClusterTarget


@dataclass(frozen=True, slots=True)
class ClusterBackend:
    """See `kfgit.backend.Backend`. Open it with `open`."""

    settings: ClusterSettings

    @classmethod
    def open(cls, settings: ClusterSettings) -> ClusterBackend:
        """Finds the way to the installation; raises `MachineFault` where there is none."""
        raise MachineFault(f"the cluster of `{settings.environment}` cannot be reached yet")
