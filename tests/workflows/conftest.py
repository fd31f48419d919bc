"""GitHub, a Kubernetes API server and KFP around a team's repository."""

from __future__ import annotations

from tests.cluster.conftest import cluster, programs

__all__ = ["cluster", "programs"]
