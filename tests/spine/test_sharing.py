"""Objects that several profiles share: the sum of what each says, in the form that Kueue takes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given, strategies as st

from kfgit.desired import profiles
from kfgit.graph import sharing
from kfgit.model import ClusterTarget, Environment, Placement, Profile, Project, Queue, Resources
from kfgit.source import Span

QUOTAS = st.dictionaries(
    st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "amd.com/gpu", "pods"]),
    st.integers(0, 9).map(str),
    max_size=3,
)


def span(line: int) -> Span:
    return Span("a.yaml", line, 1, line, 2)


def profile(name: str, quota: Mapping[str, str], line: int = 1, **more: Any) -> Profile:
    """A profile of the ClusterQueue `gpu`, with what it says itself."""
    queue = more.pop("queue", Queue("team", "gpu"))
    paths = [("queue", "localQueue"), *(("quota", resource) for resource in quota)]
    said = more.pop("said", dict.fromkeys(paths, span(line)))
    return Profile(
        name,
        span(line),
        Resources(),
        Placement(queue=queue.local),
        queue=queue,
        quota=quota,
        said=said,
        **more,
    )


def project(*found: Profile, prefix: str = "") -> Project:
    environment = Environment("prod", span(1), prefix=prefix, target="cluster", cluster=ClusterTarget())
    return Project("demo", environment, profiles={each.name: each for each in found})


def manifests(of: Project) -> dict[tuple[str, str], Any]:
    return {(each.kind, each.name): profiles.manifest(each) for each in sharing.kept(of)}


@given(st.lists(QUOTAS, min_size=1, max_size=6))
def test_a_cluster_queue_has_each_flavor_and_each_resource_in_one_group(quotas: list[dict[str, str]]) -> None:
    of = project(*(profile(f"p{number}", quota, number + 1) for number, quota in enumerate(quotas)))
    found = manifests(of)
    said = {f"p{number}": quota for number, quota in enumerate(quotas) if quota}
    assert ("LocalQueue", "team") in found
    assert {name for kind, name in found if kind == "ResourceFlavor"} == said.keys()
    if not said:
        assert ("ClusterQueue", "gpu") not in found
        return
    groups = found["ClusterQueue", "gpu"]["spec"]["resourceGroups"]
    covered = [resource for group in groups for resource in group["coveredResources"]]
    flavors = [flavor["name"] for group in groups for flavor in group["flavors"]]
    assert sorted(covered) == sorted({resource for quota in said.values() for resource in quota})
    assert sorted(flavors) == sorted(said)
    for group in groups:
        for flavor in group["flavors"]:
            # Kueue wants them in the order of what is covered (clusterqueue_webhook.go, validateFlavorQuotas).
            assert [each["name"] for each in flavor["resources"]] == group["coveredResources"]
            for each in flavor["resources"]:
                assert each["nominalQuota"] == said[flavor["name"]].get(each["name"], "0")
    # What has nothing in common is not held together.
    for one, other in pairwise(groups):
        assert not set(one["coveredResources"]) & set(other["coveredResources"])


@given(st.lists(QUOTAS, min_size=1, max_size=5), st.randoms())
def test_the_order_of_documents_is_no_difference(quotas: list[dict[str, str]], random: Any) -> None:
    found = [profile(f"p{number}", quota, number + 1) for number, quota in enumerate(quotas)]
    before = manifests(project(*found))
    random.shuffle(found)
    assert manifests(project(*found)) == before


def test_the_queue_of_a_base_is_shared_and_each_quota_has_a_flavor() -> None:
    base = profile("team", {}, queue=Queue("team", "gpu", cohort="research"))
    chain = {"extends": "team", "queue": base.queue}
    l4 = profile("l4", {"nvidia.com/gpu": "8"}, 2, **chain, said={("quota", "nvidia.com/gpu"): span(2)})
    # What only inherits uses the same objects.
    same = profile("same", l4.quota, 3, extends="l4", queue=base.queue, said={("requests", "cpu"): span(3)})
    found = manifests(project(base, l4, same, prefix="dev-"))
    assert sorted(found) == [("ClusterQueue", "gpu"), ("LocalQueue", "team"), ("ResourceFlavor", "dev-l4")]
    queue = found["ClusterQueue", "gpu"]["spec"]
    assert (queue["cohortName"], queue["namespaceSelector"]) == ("research", {})
    assert [each["name"] for group in queue["resourceGroups"] for each in group["flavors"]] == ["dev-l4"]


def test_a_quota_without_a_cluster_queue_is_the_namespace_s() -> None:
    quota = {
        "cpu": "4",
        "ephemeralStorage": "1Gi",
        "nvidia.com/gpu": "2",
        "pods": "9",
        "count/jobs.batch": "3",
        "storage": "1Ti",
        "hugepages-2Mi": "1Gi",
        "deviceclass.resource.kubernetes.io/l4": "5",
        "l4.deviceclass.resource.k8s.io/devices": "6",
        "gold.storageclass.storage.k8s.io/requests.storage": "2Ti",
    }
    alone = profile("alone", quota, queue=Queue("team"))
    found = manifests(project(alone, prefix="dev-"))
    assert found == {
        ("ResourceQuota", "dev-alone"): {
            "apiVersion": "v1",
            "spec": {
                "hard": {
                    "count/jobs.batch": "3",
                    "gold.storageclass.storage.k8s.io/requests.storage": "2Ti",
                    "hugepages-2Mi": "1Gi",
                    "l4.deviceclass.resource.k8s.io/devices": "6",
                    "pods": "9",
                    "requests.cpu": "4",
                    "requests.deviceclass.resource.kubernetes.io/l4": "5",
                    "requests.ephemeral-storage": "1Gi",
                    "requests.nvidia.com/gpu": "2",
                    "requests.storage": "1Ti",
                }
            },
        }
    }


def test_on_a_local_target_nothing_is_kept() -> None:
    found = project(
        profile("one", {"cpu": "1"}), profile("two", {"cpu": "2"}, 2, queue=Queue("team", "other"))
    )
    local = Project("demo", Environment("local", span(1)), profiles=found.profiles)
    assert sharing.kept(local) == ()
    assert sharing.check_sharing(local) == []
    assert {each.code for each in sharing.check_sharing(found)} == {"profile-conflict"}
