"""kfgit's own client of the Kubernetes API, for one of the tests' users."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from kfgit.backends.cluster.connection.connecting import connect
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.model import ClusterTarget
from tests.cluster.cluster import User


def asking(user: User, namespace: str, folder: Path) -> KubeApi:
    """The API of one namespace as a user may use it."""
    config = user.kubeconfig(folder / f"kubeconfig-{uuid4().hex}", namespace)
    connection = connect(ClusterTarget(context="tests"), {"KUBECONFIG": str(config)})
    return KubeApi(connection.kube, connection.namespace)
