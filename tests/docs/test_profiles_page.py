"""docs/profiles.md: what its commands print, and what KFP and the cluster get by its recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfgit import driver
from kfgit.driver import Checkout
from kfgit.graph import sharing
from tests.docs.markdown import ROOT, Fence, fences
from tests.docs.test_pages import PROJECTS, compare_shown, write

PAGE = ROOT / "docs" / "profiles.md"
# What is played on clusters is compared there, by tests/cluster/test_remap.py.
SHOWN = [fence for fence in fences(PAGE) if fence.text.startswith(("$ kfgit profiles ", "$ kfgit render "))]


@pytest.mark.parametrize("fence", SHOWN, ids=lambda fence: fence.place)
def test_shown_output_is_real(fence: Fence, tmp_path: Path, *, accept: bool) -> None:
    compare_shown(fence, tmp_path, accept=accept)


# What KFP gets of each task of the recipes: its devices, labels of the node, labels of the pod, and /dev/shm.
_L4 = {"nvidia.com/gpu.product": "NVIDIA-L4"}
_QUEUE, _PRIORITY = "kueue.x-k8s.io/queue-name", "kueue.x-k8s.io/priority-class"
RECIPES: dict[str, tuple[str, dict[str, str], dict[str, str], str | None]] = {
    "one": ("1 nvidia.com/gpu", _L4, {}, None),
    "slice": ("1 nvidia.com/mig-1g.10gb", {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, {}, None),
    "shared": ("1 nvidia.com/gpu.shared", {"nvidia.com/gpu.sharing-strategy": "time-slicing"}, {}, None),
    "node": ("8 nvidia.com/gpu", {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, {}, "128Gi"),
    "queued": ("1 nvidia.com/gpu", _L4, {_QUEUE: "vision", _PRIORITY: "batch"}, None),
    "urgent": ("1 nvidia.com/gpu", _L4, {_QUEUE: "vision", _PRIORITY: "urgent"}, None),
    "other": ("1 nvidia.com/gpu", _L4, {_QUEUE: "speech", _PRIORITY: "batch"}, None),
    "chips": (
        "4 google.com/tpu",
        {
            "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
            "cloud.google.com/gke-tpu-topology": "2x2",
        },
        {},
        None,
    ),
    "claimed": ("1 gpu.example.com/l4", {}, {}, None),
}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The project of the recipes."""
    root = tmp_path_factory.mktemp("recipes")
    write(PROJECTS[f"{PAGE.name}: Recipes"], root)
    return driver.check(driver.load(root), "prod").value


@pytest.mark.parametrize("task", RECIPES)
def test_a_recipe_is_what_it_says(recipes: Checkout, task: str) -> None:
    package = driver.compile_all(recipes)["recipes"]
    devices = package.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]["resources"][
        "accelerator"
    ]
    assert package.platform is not None
    executors = package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    found = executors.get(f"exec-{task}", {})
    assert (
        f"{devices['resourceCount']} {devices['resourceType']}",
        found.get("nodeSelector", {}).get("labels", {}),
        found.get("podMetadata", {}).get("labels", {}),
        next(
            (
                each["sizeLimit"]
                for each in found.get("emptyDirMounts", ())
                if each["mountPath"] == "/dev/shm"
            ),
            None,
        ),
    ) == RECIPES[task]
    assert (devices["count"], devices["type"]) == (devices["resourceCount"], devices["resourceType"])


def test_spot_nodes_are_preferred_and_no_must(recipes: Checkout) -> None:
    platform = driver.compile_all(recipes)["on-spot"].platform
    assert platform is not None
    found = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"]
    assert found["nodeSelector"]["labels"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    (term,) = found["nodeAffinity"]
    assert (term["weight"], term["matchExpressions"][0]["key"]) == (100, "cloud.google.com/gke-spot")
    assert [each["key"] for each in found["tolerations"]] == ["nvidia.com/gpu", "cloud.google.com/gke-spot"]


def test_what_the_recipes_leave_on_the_cluster(recipes: Checkout) -> None:
    kept = {f"{each.kind} {each.name}" for each in sharing.kept(recipes.project.project)}
    assert kept == {
        "ResourceQuota gpu-node", "ResourceFlavor l4", "ClusterQueue team-vision", "ClusterQueue team-speech",
        "LocalQueue vision", "LocalQueue speech", "WorkloadPriorityClass batch", "WorkloadPriorityClass urgent",
        "DeviceClass l4",
    }  # fmt: skip
