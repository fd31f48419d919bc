"""`deploy/` before a real API server: every manifest is taken, its pods pass Pod Security `restricted`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import apart
from tests.cluster.cluster import User
from tests.deploy.building import COMPONENTS, DEPLOY, WORKLOADS, overlay, pods, tool

PLURALS = {
    "ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings", "ConfigMap": "configmaps",
    "CronJob": "cronjobs", "Deployment": "deployments", "NetworkPolicy": "networkpolicies", "Role": "roles",
    "RoleBinding": "rolebindings", "Service": "services", "ServiceAccount": "serviceaccounts",
}  # fmt: skip
GIT = ("git-password", "git-ssh")


@pytest.fixture(autouse=True)
def _kustomize() -> None:
    with apart.wanted():
        tool()


@pytest.fixture
def restricted(admin: User, namespace: str) -> str:
    """A namespace that takes no pod which could do more than it must."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    return namespace


def place(manifest: dict[str, Any]) -> str:
    """Where the API server has an object."""
    version, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{inside}/{PLURALS[manifest['kind']]}/{manifest['metadata']['name']}"


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("git", GIT)
def test_every_manifest_is_taken(
    workload: str, git: str, admin: User, restricted: str, tmp_path: Path
) -> None:
    components = [name for name in COMPONENTS if name not in GIT] + [git]
    manifests = overlay(tmp_path / "own", workload, components, restricted)
    assert len(manifests) > 8
    for manifest in manifests:
        answer = admin.ask(
            "PATCH", place(manifest), manifest, kind="application/apply-patch+yaml",
            fieldManager="tests", fieldValidation="Strict", dryRun="All",
        )  # fmt: skip
        assert answer.is_success, answer.text
        assert "would violate PodSecurity" not in answer.headers.get("warning", "")


@pytest.mark.parametrize("workload", WORKLOADS)
def test_its_pods_may_be_where_pod_security_is_restricted(
    workload: str, admin: User, restricted: str, tmp_path: Path
) -> None:
    [pod] = pods(overlay(tmp_path / "own", workload, COMPONENTS, restricted))
    path = f"/api/v1/namespaces/{restricted}/pods"
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod["spec"]}
    taken = admin.ask("POST", path, body, dryRun="All", fieldValidation="Strict")
    assert taken.is_success, taken.text
    careless = {**body, "spec": {**pod["spec"], "securityContext": {}}}
    refused = admin.ask("POST", path, careless, dryRun="All")
    assert refused.status_code == 403
    assert "violates PodSecurity" in refused.text


def test_the_role_for_kfp_behind_the_api_server_is_taken(admin: User, restricted: str) -> None:
    text = (DEPLOY / "kfp-proxy" / "rbac.yaml").read_text()
    for manifest in yaml.safe_load_all(
        re.sub(r"namespace: (kubeflow|ml-prod)", f"namespace: {restricted}", text)
    ):
        answer = admin.ask(
            "PATCH", place(manifest), manifest, kind="application/apply-patch+yaml",
            fieldManager="tests", fieldValidation="Strict", dryRun="All",
        )  # fmt: skip
        assert answer.is_success, answer.text


def test_a_mistake_would_be_found(admin: User, restricted: str, tmp_path: Path) -> None:
    [deployment] = [
        each for each in overlay(tmp_path / "own", "base", (), restricted) if each["kind"] == "Deployment"
    ]
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    answer = admin.ask(
        "PATCH", place(deployment), deployment, kind="application/apply-patch+yaml",
        fieldManager="tests", fieldValidation="Strict", dryRun="All",
    )  # fmt: skip
    # The server's own number for a field that its schema does not have.
    assert answer.status_code in {400, 500}
    assert "readinesProbe" in answer.text
