"""A real Kubernetes API server for all tests here. Without Go there is none, and the tests are skipped."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfgit.backends.cluster.connection.wire import Wire
from kfgit.backends.cluster.kubernetes.api import KubeApi
from tests.apart import Unavailable
from tests.cluster import binaries, carrying, kueue
from tests.cluster.asking import asking
from tests.cluster.carrying import Target
from tests.cluster.cluster import Cluster, User, joined
from tests.cluster.stage import Stage, staged


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with etcd and Kubernetes' servers."""
    try:
        return binaries.folder()
    except Unavailable as reason:
        if binaries.is_required():
            raise
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API server of this session; it has no kinds but Kubernetes' own."""
    with joined(_shared(tmp_path_factory) / "cluster", programs) as running:
        yield running


@pytest.fixture(scope="session")
def queued(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server that has Kueue's kinds."""
    with joined(_shared(tmp_path_factory) / "queued", programs) as running:
        kueue.install(running.admin, kueue.NEW)
        yield running


@pytest.fixture(scope="session")
def older(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server with Kueue's kinds as they were before Kueue 0.15; it leaves `extendedResourceName` out."""
    gate = "--emulated-version=1.35"
    with joined(_shared(tmp_path_factory) / "older", programs, gate) as running:
        kueue.install(running.admin, kueue.OLD)
        yield running


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For tests of what has no namespace, such as nodes: one at a time, since workers share a server."""
    with (_shared(tmp_path_factory) / "alone.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:  # also where a fork has it open still
            fcntl.flock(lock, fcntl.LOCK_UN)


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    # A worker of xdist has a folder below that of the session.
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def admin(cluster: Cluster) -> User:
    """Who may do everything."""
    return cluster.admin


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A namespace for one test alone."""
    return cluster.namespace()


@pytest.fixture
def kubeconfig(cluster: Cluster, namespace: str, tmp_path: Path) -> Path:
    """The administrator's kubeconfig, whose context is in the test's namespace."""
    return cluster.admin.kubeconfig(tmp_path / "kubeconfig", namespace)


@pytest.fixture
def kube(cluster: Cluster, namespace: str, tmp_path: Path) -> KubeApi:
    """kfgit's own way to the API server, as the administrator."""
    return asking(cluster.admin, namespace, tmp_path)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The door, with KFP's side."""
    with staged(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """The way to a server that stores and runs nothing."""
    with carrying.server(tmp_path_factory.mktemp("kfp")) as found:
        yield found


@pytest.fixture
def target(wire: Wire) -> Target:
    """A set of its own."""
    return carrying.target(wire)
