"""What Kubernetes' own controllers do after a deletion of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster.kubernetes.api import KubeApi
from tests.cluster import keeper
from tests.cluster.cluster import Cluster, User, until

CONTROLLERS = "garbage-collector-controller,namespace-controller,persistentvolumeclaim-protection-controller"


@pytest.fixture(scope="module", autouse=True)
def controllers(cluster: Cluster, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The controllers, for as long as the tests here last; twice at once they do what they do once."""
    folder = tmp_path_factory.mktemp("controllers")
    config = cluster.admin.kubeconfig(folder / "kubeconfig", "default")
    servers = keeper.Servers(folder)
    servers.start(
        programs / "kube-controller-manager",
        f"--kubeconfig={config}",
        f"--controllers={CONTROLLERS}",
        "--leader-elect=false",
        "--secure-port=0",
    )
    yield
    assert not servers.ended.is_set(), (folder / "kube-controller-manager.log").read_text()[-2000:]
    servers.close()


def thing(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_what_stands_on_a_deleted_object_goes_with_it_and_what_is_made_anew_stays(
    kube: KubeApi, admin: User, namespace: str
) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    uid = kube.apply(thing("ours"))["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ours", "uid": uid}
    admin.create(maps, thing("theirs", ownerReferences=[owner]))
    assert kube.delete("v1", "ConfigMap", "ours", uid)
    again = kube.apply(thing("ours"))["metadata"]["uid"]
    until(lambda: not admin.exists(f"{maps}/theirs"))
    assert admin.get(f"{maps}/ours")["metadata"]["uid"] == again != uid


def test_a_claim_is_there_until_its_finalizers_are_done(kube: KubeApi) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {**thing("scratch"), "kind": "PersistentVolumeClaim", "spec": spec}
    uid = kube.apply(claim)["metadata"]["uid"]
    assert kube.delete("v1", "PersistentVolumeClaim", "scratch", uid)
    until(lambda: kube.get("v1", "PersistentVolumeClaim", "scratch") is None)
    assert kube.apply(claim)["metadata"]["uid"] != uid


def test_a_namespace_that_is_gone_is_told(kube: KubeApi, admin: User, namespace: str) -> None:
    kube.apply(thing("ours"))
    admin.delete(f"/api/v1/namespaces/{namespace}")
    until(lambda: not admin.exists(f"/api/v1/namespaces/{namespace}"))
    with pytest.raises(MachineFault, match=f"has no namespace `{namespace}`"):
        kube.namespace_uid()
