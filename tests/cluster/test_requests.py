"""How many requests a plan and an apply make: what decides how long they take on a real cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from kfgit.backends.cluster.backend import ClusterBackend, ClusterSettings
from kfgit.ir import Resource
from kfgit.model import ClusterTarget, KfpServer
from tests.backends import contract
from tests.cluster.cluster import Cluster
from tests.cluster.stand import Stand, stand

# What a plan without changes may ask, of whatever size; and an apply besides for each object.
PLAN = 20
EACH = {"create": 3, "update": 3, "replace": 9, "delete": 3}
# An apply reads once more under the lock, writes ahead and at its end, and takes and gives back the lock.
APPLY = PLAN + 15


@pytest.fixture(scope="module")
def place(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with stand(cluster, tmp_path_factory.mktemp("requests")) as own:
        yield own


def opened(place: Stand) -> ClusterBackend:
    target = ClusterTarget(context="tests", kfp=KfpServer(endpoint=place.server.url))
    admin = place.kube.kubeconfig(place.folder / "admin", place.name)
    return ClusterBackend.open(ClusterSettings("demo", "prod", target), {"KUBECONFIG": str(admin)})


def wanted(
    pipelines: int, changed: int = 0, text: str = "two", cron: str = "0 0 2 * * *"
) -> tuple[Resource, ...]:
    """One experiment, so many pipelines, and two schedules of each; the first so many in another form."""
    found = [contract.experiment()]
    for number in range(pipelines):
        name, content = f"work-{number}", text if number < changed else "one"
        when = cron if number < changed else "0 0 2 * * *"
        own = contract.pipeline(content)
        found.append(contract.resource("Pipeline", name, dict(own.spec), own.package))
        found += [
            contract.schedule(content, f"{name}-{which}", pipeline=name, cron=when)
            for which in ("early", "late")
        ]
    return tuple(found)


def applied(place: Stand, desired: Sequence[Resource]) -> tuple[int, Counter[str]]:
    """The requests of an apply, and what it did."""
    with closing(opened(place)) as backend, backend.lock("tests"):
        plan = contract.planned(backend, desired)
        results = contract.carried_out(backend, plan)
        assert [each.error for each in results if each.state != "done"] == []
    return backend.requests, Counter(each.action for each in results)


def planned(place: Stand, desired: Sequence[Resource]) -> int:
    """The requests of a plan that has nothing to do."""
    with closing(opened(place)) as backend:
        plan = contract.planned(backend, desired)
    assert plan.pending == ()
    assert plan.requests == backend.requests
    return plan.requests


def test_a_thousand_objects_are_seen_with_few_requests_and_changed_with_few_each(place: Stand) -> None:
    for desired in (
        wanted(333),
        wanted(333, 10),
        wanted(333, 10, cron="0 0 3 * * *"),
        wanted(330, 10, cron="0 0 3 * * *"),
    ):
        requests, done = applied(place, desired)
        assert requests <= APPLY + sum(EACH[action] * count for action, count in done.items()), done
        assert planned(place, desired) <= PLAN


@pytest.mark.parametrize("pipelines", [0, 1, 10])
def test_small_plans_are_no_dearer(cluster: Cluster, tmp_path: Path, pipelines: int) -> None:
    with stand(cluster, tmp_path) as own:
        applied(own, wanted(pipelines))
        assert planned(own, wanted(pipelines)) <= 12
