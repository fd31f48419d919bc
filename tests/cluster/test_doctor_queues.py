"""`kfgit doctor -e ENV` on Kueue's queues; what its controller says of them the tests write, as there is none."""

from __future__ import annotations

import pytest

from kfgit.backends.cluster import rights
from tests.cluster import kueue
from tests.cluster.cluster import Cluster
from tests.cluster.stage import APPLY, Stage
from tests.cluster.test_queues import Site

INACTIVE = "Can't submit new workloads to clusterQueue"
MISSING = "Can't admit new workloads: references missing ResourceFlavor(s): l4."


@pytest.fixture(params=[kueue.NEW, kueue.OLD])
def site(request: pytest.FixtureRequest, stage: Stage) -> Site:
    """A project whose queues are there, on a server with a Kueue of today or of yesterday."""
    cluster: Cluster = request.getfixturevalue("queued" if request.param == kueue.NEW else "older")
    made = Site(stage, cluster, cluster.namespace(), request.param)
    # Only a Kubernetes of today has the rest.
    made.commit(("extendedResourceName: example.com/l4", ""))
    made.run(*APPLY)
    return made


def says(site: Site, kind: str, status: str, reason: str, message: str) -> None:
    """What Kueue's controller writes down."""
    condition = {
        "type": "Active",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-23T00:00:00Z",
    }
    site.admin.patch(
        f"{site.objects()[kind]}/status", {"status": {"conditions": [condition], "pendingWorkloads": 3}}
    )


def queues(site: Site, code: int = 0) -> list[tuple[str, str]]:
    told = site.run("doctor", "-e", "prod", "-o", "json", code=code).json["findings"]
    return [(each["state"], site.short(each["message"])) for each in told if each["name"] == "queues"]


def test_what_kueue_says_of_a_queue_is_told(site: Site) -> None:
    assert queues(site) == [("note", "Kueue has not said yet whether the LocalQueue `team` is active")]
    says(site, "ClusterQueue", "True", "Ready", "Can admit new workloads")
    says(site, "LocalQueue", "True", "Ready", "Can submit new workloads to localQueue")
    assert queues(site) == [("ok", "the LocalQueue `team` is active; 3 of its workloads wait")]
    says(site, "LocalQueue", "False", "Stopped", "LocalQueue is stopped")
    stopped = "the LocalQueue `team` admits nothing (Stopped): LocalQueue is stopped"
    assert queues(site, 7) == [("problem", stopped)]


def test_a_queue_behind_is_told_once_with_its_reason(site: Site) -> None:
    says(site, "LocalQueue", "False", "ClusterQueueIsInactive", INACTIVE)
    says(site, "ClusterQueue", "False", "FlavorNotFound", MISSING)
    assert queues(site, 7) == [
        ("problem", f"the ClusterQueue `gpu` admits nothing (FlavorNotFound): {MISSING}")
    ]
    # Who uses it not is not stopped by it.
    site.commit(
        ("profile: gpu}", "resources: {limits: {cpu: 500m}}}"), ("extendedResourceName: example.com/l4", "")
    )
    assert [state for state, _ in queues(site)] == ["note"]


def test_who_may_not_list_queues_is_told_the_rule(site: Site) -> None:
    says(site, "LocalQueue", "False", "ClusterQueueIsInactive", INACTIVE)
    allowed = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for (group, resource), verbs in {**rights.NAMESPACED, **rights.OF_NAMESPACE["LocalQueue"]}.items()
    ]
    robot = site.cluster.service_account(site.namespace, allowed)
    (told,) = site.stage.run(robot, site.namespace, ("doctor", "-e", "prod", "-o", "json"))
    found = {each["message"]: each for each in told.json["findings"] if each["name"] == "queues"}
    inactive = f"the LocalQueue `team` admits nothing (ClusterQueueIsInactive): {INACTIVE}"
    assert found[inactive]["state"] == "problem"
    (unseen,) = (each for message, each in found.items() if message != inactive)
    assert 'verbs: [list], apiGroups: ["kueue.x-k8s.io"], resources: [clusterqueues]' in unseen["help"]
