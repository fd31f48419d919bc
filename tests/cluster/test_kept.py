"""The lock and the inventory of real applies, through the door."""

from __future__ import annotations

import httpx
import pytest

from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.records import lock
from kfgit.backends.cluster.records.codec import Place
from kfgit.backends.cluster.records.inventory import Inventory
from kfgit.backends.cluster.records.ledger import Ledger
from tests.cluster.cluster import User
from tests.cluster.scenarios import BASE, pipeline
from tests.cluster.stage import APPLY, PLAN, Stage

PLACE = Place("demo", "prod")


def inventory(kube: KubeApi) -> Inventory:
    return Ledger(kube, PLACE).read()


def test_what_was_applied_is_written_down_for_kfgit_and_for_people(
    stage: Stage, kube: KubeApi, admin: User, namespace: str
) -> None:
    stage.commit(namespace, BASE)
    (told,) = stage.run(admin, namespace, APPLY)
    assert told.code == 0, told
    found = inventory(kube)
    own = namespace.rpartition("-")[2]
    assert {(each.kind, each.name) for each in found.entries if each.kind != "Run"} == {
        ("PriorityClass", f"gold-{namespace}"),
        ("Experiment", f"course-{own}"),
        ("Pipeline", f"train-{own}"),
        ("Pipeline", f"serve-{own}"),
        ("Schedule", f"nightly-{own}"),
        ("Schedule", f"hourly-{own}"),
    }
    assert found.journal is None
    (record,) = found.history
    notes = admin.get(f"/api/v1/namespaces/{namespace}/configmaps/{PLACE.name}")["metadata"]["annotations"]
    assert notes["kfgit.dev/commit"] == record.commit
    assert notes["kfgit.dev/applied-by"] == record.who
    assert notes["kfgit.dev/state"] == "done"
    lease = admin.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{PLACE.name}")
    assert not lease["spec"].get("holderIdentity")
    # Nothing to do is nothing to write.
    (told,) = stage.run(admin, namespace, APPLY)
    assert (told.code, inventory(kube)) == (0, found)


def test_an_apply_waits_for_nobody_and_says_who_is_at_it(
    stage: Stage, kube: KubeApi, admin: User, namespace: str
) -> None:
    stage.commit(namespace, BASE)
    with lock.lease(kube, PLACE.name, "anna"):
        (told,) = stage.run(admin, namespace, APPLY)
        (planned,) = stage.run(admin, namespace, PLAN)
    assert (told.code, planned.code) == (4, 0)
    assert "anna@" in told.err
    assert f"kubectl delete lease {PLACE.name} --namespace {namespace}" in told.err
    assert inventory(kube) == Inventory()


def test_what_others_removed_and_nobody_wants_is_forgotten(
    stage: Stage, kube: KubeApi, admin: User, namespace: str
) -> None:
    stage.commit(namespace, BASE)
    assert stage.run(admin, namespace, APPLY)[0].code == 0
    (gone,) = (each for each in inventory(kube).entries if each.name.startswith("hourly"))
    httpx.delete(f"{stage.kfp.url}/apis/v2beta1/recurringruns/{gone.id}").raise_for_status()
    changed = {path: text for path, text in BASE.items() if "hourly" not in path}
    stage.commit(namespace, {**changed, "pipelines/train.yaml": pipeline("train", "two")})
    (told,) = stage.run(admin, namespace, APPLY)
    assert told.code == 0, told
    left = {each.kind for each in inventory(kube).entries if each.name.startswith("hourly")}
    assert left == set()


@pytest.mark.parametrize("command", [PLAN, APPLY, ("status", "-e", "prod")], ids=lambda each: each[0])
def test_a_broken_inventory_stops_everything_and_tells_the_way_out(
    stage: Stage, admin: User, namespace: str, command: tuple[str, ...]
) -> None:
    stage.commit(namespace, BASE)
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    admin.create(maps, {"metadata": {"name": PLACE.name}, "data": {"somebody": "else's"}})
    (told,) = stage.run(admin, namespace, command)
    assert told.code == 8
    assert f"ConfigMap `{PLACE.name}` in namespace `{namespace}`" in told.err
    assert "rename it; if it is broken, remove it" in told.err


def test_a_lost_inventory_is_made_again_from_the_marks(
    stage: Stage, kube: KubeApi, admin: User, namespace: str
) -> None:
    stage.commit(namespace, BASE)
    assert stage.run(admin, namespace, APPLY)[0].code == 0
    before = {(each.kind, each.name): each.id for each in inventory(kube).entries if each.kind != "Run"}
    assert inventory(kube).kfp == f"KFP at {stage.kfp.url}"
    admin.delete(f"/api/v1/namespaces/{namespace}/configmaps/{PLACE.name}")
    remark = f"the inventory of this environment is gone (ConfigMap `{PLACE.name}`)"
    (planned,) = stage.run(admin, namespace, PLAN)
    assert remark in " ".join(planned.out.split())
    (told,) = stage.run(admin, namespace, APPLY)
    assert told.code == 0, told
    (planned,) = stage.run(admin, namespace, PLAN)
    assert remark not in " ".join(planned.out.split())
    after = {(each.kind, each.name): each.id for each in inventory(kube).entries if each.kind != "Run"}
    assert after == before
