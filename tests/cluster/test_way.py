"""The way to a real Kubernetes API server: with a token, with a plugin, and with too few rights."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfgit.backends.cluster.connection.connecting import connect
from kfgit.backends.cluster.connection.wire import Forbidden, Unauthorized
from kfgit.model import ClusterTarget
from tests.cluster.cluster import Cluster

TARGET = ClusterTarget()
RULES: list[Mapping[str, Any]] = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]}
]


def test_reads_and_writes_go_through(kubeconfig: Path, namespace: str) -> None:
    found = connect(TARGET, {"KUBECONFIG": str(kubeconfig)})
    place = f"/api/v1/namespaces/{found.namespace}/configmaps"
    assert found.namespace == namespace
    made = found.kube.write("POST", place, json={"metadata": {"name": "a"}, "data": {"k": "ä" * 200_000}})
    assert made.status == 201
    # Large enough that the server packs it.
    assert found.kube.read("GET", f"{place}/a").json()["data"] == {"k": "ä" * 200_000}
    assert (
        found.kube.write("POST", place, json={"metadata": {"name": "a"}}).json()["reason"] == "AlreadyExists"
    )
    assert found.kube.write("DELETE", f"{place}/a").status == 200
    assert found.kube.read("GET", f"{place}/a").status == 404
    found.close()


def test_who_may_not_is_told_the_rule(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    account = cluster.service_account(namespace, RULES)
    found = connect(TARGET, {"KUBECONFIG": str(account.kubeconfig(tmp_path / "config", namespace))})
    place = f"/api/v1/namespaces/{namespace}/configmaps"
    assert found.kube.write("POST", place, json={"metadata": {"name": "a"}}).status == 201
    who = f"`system:serviceaccount:{namespace}:account-.*` may not"
    with pytest.raises(
        Forbidden, match=rf"{who} delete configmaps in namespace `{namespace}`: .*verbs: \[delete\]"
    ):
        found.kube.write("DELETE", f"{place}/a")
    with pytest.raises(
        Forbidden, match=r"rule of a ClusterRole `verbs: \[list\], apiGroups: \[\"\"\], resources: \[nodes\]`"
    ):
        found.kube.read("GET", "/api/v1/nodes")
    with pytest.raises(
        Forbidden, match=r"rule `verbs: \[get\], apiGroups: \[\"\"\], resources: \[services/proxy\]`"
    ):
        found.kfp.read("GET", "/apis/v2beta1/healthz")
    with pytest.raises(Forbidden, match=r"nonResourceURLs: \[/metrics\]"):
        found.kube.read("GET", "/metrics")
    found.close()


def test_a_plugin_whose_token_ends_is_asked_again(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("nobody-has-this-one")
    told = (
        "import json; print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', "
        f"'status': {{'token': open({str(token)!r}).read()}}}}))"
    )
    path = cluster.admin.kubeconfig(tmp_path / "config", namespace)
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", told],
            "interactiveMode": "Never",
        }
    }
    path.write_text(yaml.safe_dump(config))
    found = connect(TARGET, {"KUBECONFIG": str(path)})
    with pytest.raises(
        Unauthorized, match=r"does not know who asks \(401: Unauthorized\): the credentials of the kubeconfig"
    ):
        found.kube.read("GET", f"/api/v1/namespaces/{namespace}")
    token.write_text(cluster.admin.token)
    assert found.kube.read("GET", f"/api/v1/namespaces/{namespace}").status == 200
    assert found.kube.requests == 4
    found.close()
