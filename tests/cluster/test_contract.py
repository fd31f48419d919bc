"""The cluster backend keeps the contract: over a real Kubernetes API server, and `kfgit up` as KFP's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kfgit.backends.cluster.backend import ClusterBackend, ClusterSettings
from kfgit.model import ClusterTarget, KfpServer
from tests.backends.contract import Contract
from tests.cluster.stand import Kfp
from tests.e2e.door import Project
from tests.serving import serving

_COLLECTIONS = {
    "Experiment": "experiments",
    "Pipeline": "pipelines",
    "Schedule": "recurringruns",
    "Run": "runs",
}


class ClusterPlace:
    """A namespace, and a KFP of its own which runs what is started."""

    def __init__(self, namespace: str, endpoint: str) -> None:
        self._target = ClusterTarget(context="tests", namespace=namespace, kfp=KfpServer(endpoint=endpoint))
        self._kfp = Kfp(endpoint)

    def open(self, project: str = "demo", environment: str = "prod") -> ClusterBackend:
        return ClusterBackend.open(ClusterSettings(project, environment, self._target))

    def close(self) -> None:
        self._kfp.close()

    def disable(self, schedule: str) -> None:
        self._kfp.ask("POST", f"recurringruns/{schedule}:disable")

    def remove(self, kind: str, id_: str) -> None:
        if kind == "Pipeline":
            self._kfp.ask("DELETE", f"pipelines/{id_}", cascade="true")
        else:
            self._kfp.ask("DELETE", f"{_COLLECTIONS[kind]}/{id_}")


@pytest.fixture
def place(
    namespace: str, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ClusterPlace]:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    with serving(Project.new(tmp_path / "kfp"), "--no-scheduler") as server:
        made = ClusterPlace(namespace, server.url)
        yield made
        made.close()


class TestClusterBackend(Contract):
    pass
