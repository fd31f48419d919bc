"""`kfgit doctor -e ENV` holds profiles against nodes, which are plain objects of a real API server here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.cluster import rights
from tests.cluster.cluster import Cluster
from tests.cluster.site import Site, site

PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: gpu-l4}
spec:
  requests: {cpu: "4", memory: 16Gi}
  limits: {memory: 16Gi}
  accelerator: {resource: nvidia.com/gpu, model: L4}
  node:
    selector: {pool: l4}
    tolerations: [{key: nvidia.com/gpu, operator: Exists}]
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: gpu-a100}
spec: {extends: gpu-l4, node: {selector: {pool: a100}}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: huge}
spec: {requests: {memory: 4Ti}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: trains}
spec:
  tasks:
    one: {component: greet, profile: gpu-l4}
    two: {component: greet, profile: PROFILE}
"""
NODES = "/api/v1/nodes"


@contextmanager
def nodes(cluster: Cluster, *wanted: dict[str, Any]) -> Iterator[None]:
    """Nodes of the cluster for a while; a kubelet would write their status."""
    made = []
    try:
        for each in wanted:
            name = each["metadata"]["name"]
            cluster.admin.create(NODES, {key: each[key] for key in ("metadata", "spec") if key in each})
            made.append(name)
            status = {"metadata": {"name": name}, "status": {"allocatable": each["allocatable"]}}
            cluster.admin.patch(f"{NODES}/{name}/status", status)
            # The API server taints what is not ready yet; a controller takes that away.
            taints = each.get("spec", {}).get("taints")
            cluster.admin.patch(f"{NODES}/{name}", {"spec": {"taints": taints}})
        yield
    finally:
        for name in made:
            cluster.admin.ask("DELETE", f"{NODES}/{name}")


def gpu_node(name: str, count: int, **labels: str) -> dict[str, Any]:
    taints = [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    allocatable = {"cpu": "15890m", "memory": "56Gi", "nvidia.com/gpu": str(count), "pods": "110"}
    metadata = {"name": name, "labels": labels}
    return {"metadata": metadata, "spec": {"taints": taints}, "allocatable": allocatable}


PLAIN = {"metadata": {"name": "plain"}, "allocatable": {"cpu": "8", "memory": "30Gi", "pods": "110"}}


pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def prod(cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    with site(cluster, tmp_path, "--no-engine") as made:
        made.commit({"components/profiles.yaml": PROFILES.replace("PROFILE", "gpu-a100")})
        yield made


def profiles(prod: Site, code: int) -> dict[str, tuple[str, str]]:
    """What is found of each profile: its state, and the sentence."""
    told = prod.json("doctor", code=code)["findings"]
    found = ((each["state"], each["message"].split(": ", 1)) for each in told if each["name"] == "profile")
    return {name: (state, message) for state, (name, message) in found}


def test_each_profile_is_told_where_it_fits_and_how_often(cluster: Cluster, prod: Site) -> None:
    three = [gpu_node(f"l4-{number}", 4, pool="l4") for number in range(3)]
    with nodes(cluster, PLAIN, *three, gpu_node("other", 8, pool="h100")):
        found = profiles(prod, 7)
        out = prod("doctor", code=7).out
    # Memory is for three, GPUs and processors would be enough for more.
    assert found["gpu-l4"] == ("ok", "3 of 5 nodes fit, 9 tasks at once; 1 task of the source uses it")
    assert found["gpu-a100"][0] == "problem"
    nearest = "nearest is l4-0: its label pool is l4"
    message = f"of 5 nodes 4 with 1 × nvidia.com/gpu, none with the label pool=a100 ({nearest})"
    assert found["gpu-a100"][1] == f"could run nowhere: {message}; 1 task of the source uses it"
    nearest = "nearest is plain: it has 30Gi of memory"
    message = f"of 5 nodes 1 whose taints it tolerates, none with 4Ti of memory ({nearest})"
    assert found["huge"] == ("note", f"could run nowhere: {message}; unused")
    assert "✘ profile      gpu-a100: could run nowhere" in out


def test_a_cordoned_node_and_one_of_a_pool_that_may_grow(cluster: Cluster, prod: Site) -> None:
    prod.commit({"components/profiles.yaml": PROFILES.replace("PROFILE", "gpu-l4")})
    node = gpu_node("l4", 1, pool="l4", **{"karpenter.sh/nodepool": "gpu"})
    node["spec"]["unschedulable"] = True
    with nodes(cluster, node):
        state, message = profiles(prod, 0)["gpu-l4"]
    assert state == "note"
    assert "does not tolerate node.kubernetes.io/unschedulable:NoSchedule" in message
    assert message.endswith("2 tasks of the source use it")


def test_who_may_not_list_nodes_is_told_the_rule(
    cluster: Cluster, prod: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for (group, resource), verbs in rights.NAMESPACED.items()
    ]
    account = cluster.service_account(prod.namespace, allowed)
    path = prod.project.root.parent / "kubeconfig-of-the-account"
    monkeypatch.setenv("KUBECONFIG", str(account.kubeconfig(path, prod.namespace)))
    told = json.loads(prod.project.kfgit("doctor", "-e", "prod", "-o", "json").out)["findings"]
    [found] = [each for each in told if each["name"] == "nodes"]
    assert found["state"] == "note"
    assert 'verbs: [list], apiGroups: [""], resources: [nodes]' in found["help"]


DEVICES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: ours}
spec:
  accelerator: {resource: ours.example.com/l4, count: 2}
  deviceClass: {name: ours, selectors: ["device.driver == 'DRIVER'"], extendedResourceName: ours.example.com/l4}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: theirs}
spec: {accelerator: {resource: theirs.example.com/l4}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: nameless}
spec: {accelerator: {resource: deviceclass.resource.kubernetes.io/theirs}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: nobodys}
spec: {accelerator: {resource: nobodys.example.com/l4}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: trains}
spec:
  tasks:
    one: {component: greet, profile: theirs}
"""
DRA = "/apis/resource.k8s.io/v1"


@contextmanager
def devices(cluster: Cluster, driver: str) -> Iterator[None]:
    """Three devices on one node, two on another, and a class of others that takes one sort of them."""
    selector = f"device.attributes['{driver}'].productName == 'NVIDIA L4'"
    selectors = [{"cel": {"expression": selector}}]
    spec: dict[str, Any] = {"selectors": selectors, "extendedResourceName": "theirs.example.com/l4"}
    made: list[tuple[str, dict[str, Any]]] = [
        (f"{DRA}/deviceclasses", {"metadata": {"name": "theirs"}, "spec": spec})
    ]
    for node, products in (("one", ["NVIDIA L4"] * 3), ("two", ["NVIDIA L4", "NVIDIA A100"])):
        found = [
            {"name": f"gpu-{number}", "attributes": {"productName": {"string": product}}}
            for number, product in enumerate(products)
        ]
        pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
        spec = {"driver": driver, "nodeName": node, "pool": pool, "devices": found}
        made.append((f"{DRA}/resourceslices", {"metadata": {"name": f"{node}.{driver}"}, "spec": spec}))
    try:
        for path, body in made:
            cluster.admin.create(path, body)
        yield
    finally:
        for path, body in made:
            cluster.admin.ask("DELETE", f"{path}/{body['metadata']['name']}")


def test_devices_of_a_class_are_counted_from_resource_slices(cluster: Cluster, prod: Site) -> None:
    driver = f"{prod.namespace}.example.com"
    prod.commit({"components/profiles.yaml": DEVICES.replace("DRIVER", driver)})
    plain = [{**PLAIN, "metadata": {"name": name}} for name in ("one", "two")]
    with nodes(cluster, *plain), devices(cluster, driver):
        found = profiles(prod, 0)
        whose = "{0}.example.com/l4 comes from the DeviceClass {0}, for which ResourceSlices have {1} devices".format
        assert found["ours"] == ("ok", f"2 of 2 nodes fit, 2 tasks at once; {whose('ours', 5)}; unused")
        message = f"2 of 2 nodes fit, 4 tasks at once; {whose('theirs', 4)}; 1 task of the source uses it"
        assert found["theirs"] == ("ok", message)
        assert found["nameless"][1].startswith("2 of 2 nodes fit, 4 tasks at once; deviceclass.resource.kube")
        assert found["nobodys"][1] == (
            "could run nowhere: of 2 nodes none with 1 × nobodys.example.com/l4 (nearest is one: it has no "
            "nobodys.example.com/l4); unused"
        )
    # Without a driver there is nothing that a class could take.
    with nodes(cluster, *plain):
        state, message = profiles(prod, 7)["theirs"]
        ours = profiles(prod, 7)["ours"]
    assert (state, message.partition(":")[0]) == ("problem", "could run nowhere")
    assert ours[0] == "note"
    assert ours[1].endswith("for which ResourceSlices have no devices; unused")


def test_who_may_not_list_resource_slices_is_told_the_rule(
    cluster: Cluster, prod: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    prod.commit({"components/profiles.yaml": DEVICES.replace("DRIVER", "a.example.com")})

    def rules(found: rights.Rules) -> list[dict[str, Any]]:
        return [
            {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
            for (group, resource), verbs in found.items()
        ]

    one = {("", "nodes"): ("list",)}
    account = cluster.service_account(prod.namespace, rules(rights.NAMESPACED), rules(one))
    path = prod.project.root.parent / "kubeconfig-of-the-account"
    monkeypatch.setenv("KUBECONFIG", str(account.kubeconfig(path, prod.namespace)))
    with nodes(cluster, PLAIN):
        told = json.loads(prod.project.kfgit("doctor", "-e", "prod", "-o", "json", code=7).out)["findings"]
    [found] = [each for each in told if each["name"] == "nodes"]
    assert found["state"] == "note"
    assert 'apiGroups: ["resource.k8s.io"], resources: [resourceslices]' in found["help"]
    [ours] = [each["message"] for each in told if each["message"].startswith("ours: ")]
    assert "1 of 1 node fit" in ours
    assert ours.endswith("; ours.example.com/l4 comes from the DeviceClass ours and is not counted; unused")


def test_a_cluster_without_nodes_and_an_environment_without_profiles(cluster: Cluster, prod: Site) -> None:
    with nodes(cluster):
        findings = prod.json("doctor")["findings"]
    assert [each["message"] for each in findings if each["name"] in {"nodes", "profile"}] == [
        "the cluster has none now; nothing is said of profiles"
    ]
    (prod.project.root / "components/profiles.yaml").unlink()
    prod.commit({})
    findings = prod.json("doctor")["findings"]
    assert not [each for each in findings if each["name"] in {"nodes", "profile"}]
