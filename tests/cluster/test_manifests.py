"""Objects as they are on a real server, told in the words of the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from kfgit import canonical
from kfgit.backends.cluster.kubernetes import manifests
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Conflict, Stale
from kfgit.backends.cluster.kubernetes.objects import Observer
from kfgit.backends.cluster.records.inventory import Entry, Inventory
from kfgit.ir import Resource
from kfgit.plan import UNRECORDED, Change, Create, Live, Replace, Rules, Unchanged, Update, plan
from tests.cluster.cluster import User

SET = "0123456789abcdef"


def resource(kind: str, name: str, spec: Mapping[str, Any]) -> Resource:
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]))


def config_map(data: Mapping[str, Any], **metadata: Any) -> Resource:
    said = {"metadata": metadata} if metadata else {}
    return resource("ConfigMap", "settings", {"apiVersion": "v1", **said, "data": data})


def quota(**hard: str) -> Resource:
    return resource("ResourceQuota", "limits", {"apiVersion": "v1", "spec": {"hard": hard}})


def claim(size: str, **labels: str) -> Resource:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    said = {"metadata": {"labels": labels}} if labels else {}
    return resource("PersistentVolumeClaim", "scratch", {"apiVersion": "v1", **said, "spec": spec})


@dataclass(slots=True)
class Applied:
    """What was applied, and an inventory of it; `remembers` is false for one that was lost."""

    kube: KubeApi
    remembers: bool = True
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """Another for each test: what is in no namespace they all see."""
        return self.kube.namespace

    def apply(self, wanted: Resource) -> str:
        answer = self.kube.apply(manifests.manifest(wanted, self.owner))
        uid: str = answer["metadata"]["uid"]
        extra = manifests.remembered(answer, wanted)
        self.entries[uid] = Entry(wanted.kind, wanted.name, uid, wanted.digest, wanted.spec, extra)
        return uid

    def live(self, *desired: Resource) -> Live:
        entries = tuple(self.entries.values()) if self.remembers else ()
        return Observer(self.kube, self.owner, Inventory(entries)).observe(desired)

    def change(self, wanted: Resource) -> Change:
        changes = plan("e", "t", [wanted], self.live(wanted), Rules()).changes
        (found,) = changes
        return found

    def is_unchanged(self, wanted: Resource) -> bool:
        """Whether there is nothing to do but to write down what the inventory does not know."""
        change = self.change(wanted)
        if self.remembers:
            return change == Unchanged(wanted.kind, wanted.name)
        return isinstance(change, Update) and not change.diff and change.notes == (UNRECORDED,)

    def told(self, wanted: Resource) -> list[tuple[str, Any, Any, bool]]:
        """The fields that would change."""
        change = self.change(wanted)
        assert isinstance(change, Update | Replace)
        return [(each.path, each.before, each.after, each.drift) for each in change.diff]


@pytest.fixture(params=[True, False], ids=["inventory", "lost"])
def applied(kube: KubeApi, request: pytest.FixtureRequest) -> Applied:
    return Applied(kube, remembers=request.param)


@pytest.fixture
def sure(kube: KubeApi) -> Applied:
    return Applied(kube)


@pytest.fixture
def priority(admin: User) -> Iterator[str]:
    """The name of a class of the whole cluster, which other tests share."""
    name = f"test-{uuid4().hex[:8]}"
    yield name
    if admin.exists(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}"):
        admin.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")


WANTED = [
    config_map({"a": "1"}),
    config_map({"a": "1"}, labels={"team": "x"}, annotations={"note": "y"}),
    config_map({}),
    quota(**{"requests.cpu": "0.5", "pods": "10", "requests.memory": "1024Mi"}),
    claim("1024Mi"),
    claim("1Gi", team="x"),
    resource("ServiceAccount", "runner", {"apiVersion": "v1", "automountServiceAccountToken": False}),
    resource(
        "Role",
        "reader",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        },
    ),
    resource(
        "LimitRange",
        "usual",
        {"apiVersion": "v1", "spec": {"limits": [{"type": "Container", "default": {"cpu": "0.5"}}]}},
    ),
    resource(
        "NetworkPolicy",
        "closed",
        {"apiVersion": "networking.k8s.io/v1", "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    "wanted", WANTED, ids=[f"{each.kind}-{number}" for number, each in enumerate(WANTED)]
)
def test_what_was_applied_is_unchanged(applied: Applied, wanted: Resource) -> None:
    assert isinstance(applied.change(wanted), Create)
    uid = applied.apply(wanted)
    assert applied.is_unchanged(wanted)
    (live,) = applied.live(wanted).objects
    assert (live.id, live.owned, live.applied, live.spec) == (uid, True, wanted.digest, wanted.spec)
    # Nobody wants it any more, but another of its kind.
    (live,) = applied.live(resource(wanted.kind, "another", wanted.spec)).objects
    assert (live.id, live.owned, live.applied) == (uid, True, wanted.digest)


def test_a_plan_without_changes_takes_one_list_for_each_kind(sure: Applied) -> None:
    wanted = [quota(pods="10", cpu="0.5"), config_map({"a": "1"}), claim("1024Mi")]
    for each in wanted:
        sure.apply(each)
    before = sure.kube.wire.requests
    assert len(sure.live(*wanted).objects) == 3
    # With what is to be known of `v1` first.
    assert sure.kube.wire.requests - before <= 4


def test_the_drift_of_a_config_map_is_told_field_by_field(
    applied: Applied, admin: User, namespace: str
) -> None:
    wanted = config_map({"a": "1", "b": "2", "c": "3"}, labels={"team": "x"})
    applied.apply(wanted)
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    admin.patch(
        path, {"data": {"a": "other", "b": None, "d": "theirs"}, "metadata": {"labels": {"team": "y"}}}
    )
    drift = applied.remembers
    change = applied.change(wanted)
    assert isinstance(change, Update)
    assert [(each.path, each.before, each.after) for each in change.diff] == [
        ("data.a", "other", "1"),
        ("data.b", None, "2"),
        ("metadata.labels.team", "y", "x"),
    ]
    assert change.cause == "drift"
    assert all(each.drift for each in change.diff) or not drift
    # Whoever changed it manages it now: the plan says that apply will not take it.
    (note,) = change.notes
    assert "`.data.a` by `somebody`" in note
    with pytest.raises(Conflict) as told:
        applied.apply(wanted)
    assert {(each.field, each.manager) for each in told.value.held} == {
        (".data.a", "somebody"),
        (".metadata.labels.team", "somebody"),
    }
    admin.patch(path, {"data": {"a": "1"}, "metadata": {"labels": {"team": "x"}}})
    assert applied.told(wanted) == [("data.b", None, "2", drift)]
    applied.apply(wanted)
    assert applied.is_unchanged(wanted)


def test_a_change_of_the_source_is_no_drift_though_the_server_writes_it_otherwise(sure: Applied) -> None:
    sure.apply(quota(cpu="0.5", pods="10"))
    assert sure.told(quota(cpu="2", pods="10")) == [("spec.hard.cpu", "0.5", "2", False)]
    # The same, written otherwise: nothing of the object would change.
    same = sure.change(quota(cpu="500m", pods="10"))
    assert isinstance(same, Unchanged) or (isinstance(same, Update) and same.diff == ())


def test_the_drift_of_a_quota_is_told_beside_the_change_of_the_source(
    sure: Applied, admin: User, namespace: str
) -> None:
    sure.apply(quota(cpu="0.5", pods="10", memory="1Gi"))
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/limits"
    admin.patch(path, {"spec": {"hard": {"pods": "11"}}})
    assert sure.told(quota(cpu="2", pods="10", memory="1Gi")) == [
        ("spec.hard.cpu", "0.5", "2", False),
        ("spec.hard.pods", "11", "10", True),
    ]


def test_a_field_that_is_not_wanted_any_more_goes(applied: Applied) -> None:
    applied.apply(config_map({"a": "1", "b": "2"}, labels={"team": "x"}))
    wanted = config_map({"a": "1"})
    assert [each[:3] for each in applied.told(wanted)] == [
        ("data.b", "2", None),
        ("metadata", {"labels": {"team": "x"}}, None),
    ]
    applied.apply(wanted)
    assert applied.is_unchanged(wanted)


def test_what_others_add_is_theirs(applied: Applied, admin: User, namespace: str) -> None:
    wanted = config_map({"a": "1"})
    applied.apply(wanted)
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    admin.patch(path, {"data": {"theirs": "1"}, "metadata": {"labels": {"x": "y"}, "finalizers": ["a.b/c"]}})
    assert applied.is_unchanged(wanted)
    applied.apply(wanted)
    assert admin.get(path)["data"] == {"a": "1", "theirs": "1"}
    admin.patch(path, {"metadata": {"finalizers": None}})


def deployment(image: str, *names: str) -> Resource:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": name, "image": image} for name in names]},
    }
    selector = {"matchLabels": {"app": "x"}}
    return resource(
        "Deployment",
        "served",
        {"apiVersion": "apps/v1", "spec": {"selector": selector, "template": template}},
    )


def test_what_others_put_into_a_list_is_theirs(applied: Applied, admin: User, namespace: str) -> None:
    wanted = deployment("a:1", "one", "two")
    applied.apply(wanted)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/served"
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "p:1"}]}}}}
    admin.apply(path, {"apiVersion": "apps/v1", "kind": "Deployment", **sidecar}, manager="injector")
    assert applied.is_unchanged(wanted)
    changed = [{"name": "two", "image": "b:1"}]
    drift = {"spec": {"template": {"spec": {"containers": changed}}}}
    kind = "application/strategic-merge-patch+json"
    assert admin.ask("PATCH", path, drift, kind=kind, fieldManager="kubectl-edit").is_success
    told = applied.told(wanted)
    assert told == [("spec.template.spec.containers[two].image", "b:1", "a:1", applied.remembers)]
    assert [each[:3] for each in applied.told(deployment("a:1", "one", "three"))] != []


def test_a_priority_class_takes_another_value_only_as_a_new_object(applied: Applied, priority: str) -> None:
    def wanted(value: int, description: str = "") -> Resource:
        said = {"description": description} if description else {}
        return resource(
            "PriorityClass", priority, {"apiVersion": "scheduling.k8s.io/v1", "value": value, **said}
        )

    applied.apply(wanted(10))
    assert applied.is_unchanged(wanted(10))
    assert isinstance(applied.change(wanted(10, "new")), Update)
    change = applied.change(wanted(20))
    assert isinstance(change, Replace)
    assert [(each.path, each.before, each.after) for each in change.diff] == [("value", 10, 20)]
    assert change.notes == ()


def test_a_claim_is_made_anew_with_a_warning(applied: Applied) -> None:
    applied.apply(claim("1Gi"))
    change = applied.change(claim("2Gi"))
    assert isinstance(change, Replace)
    assert [each.path for each in change.diff] == ["spec.resources.requests.storage"]
    assert "with all that it holds" in change.notes[0]
    assert isinstance(applied.change(claim("1024Mi", team="x")), Update)


def test_what_the_server_refuses_is_said_by_the_plan(applied: Applied) -> None:
    assert "must be greater than or equal to 0" in str(applied.live(quota(pods="-1")).notes)
    assert "field not declared in schema" in str(applied.live(config_map({"a": "1"}, lables={})).notes)
    notes = applied.live(resource("Queue", "q", {"apiVersion": "kueue.x-k8s.io/v1"})).notes
    assert "knows no kind `Queue` in `kueue.x-k8s.io/v1`" in notes["Queue", "q"][0]
    notes = applied.live(resource("ConfigMapp", "q", {"apiVersion": "v1"})).notes
    assert "knows no kind `ConfigMapp` in `v1`" in notes["ConfigMapp", "q"][0]


def test_a_strangers_object_is_foreign_and_a_copy_of_ours_too(
    applied: Applied, admin: User, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    admin.create(path, {"metadata": {"name": "settings"}, "data": {"a": "1"}})
    wanted = config_map({"a": "1"})
    change = applied.change(wanted)
    assert isinstance(change, Unchanged)
    assert "did not make" in change.notes[0]
    other = resource("ConfigMap", "other", wanted.spec)
    applied.apply(other)
    copy = admin.get(f"{path}/other")
    admin.create(
        path, {**copy, "metadata": {**copy["metadata"], "name": "copy", "uid": "", "resourceVersion": ""}}
    )
    assert [(each.name, each.owned) for each in applied.live(wanted, other).objects] == [
        ("other", True),
        ("settings", False),
    ]


def test_ours_without_our_label_is_ours_by_its_uid(sure: Applied, admin: User, namespace: str) -> None:
    wanted = config_map({"a": "1"})
    sure.apply(wanted)
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    admin.patch(path, {"metadata": {"labels": {manifests.SET: None}}})
    assert sure.change(wanted) == Unchanged("ConfigMap", "settings")
    (live,) = sure.live().objects
    assert live.owned
    # One that somebody made in its place is not.
    admin.delete(path)
    admin.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "settings"}})
    (live,) = sure.live().objects
    assert not live.owned


def test_what_somebody_removed_has_vanished(sure: Applied, admin: User, namespace: str) -> None:
    wanted = config_map({"a": "1"})
    sure.apply(wanted)
    admin.delete(f"/api/v1/namespaces/{namespace}/configmaps/settings")
    change = sure.change(wanted)
    assert isinstance(change, Create)
    assert change.cause == "drift"


def test_only_the_very_object_is_changed_where_its_uid_is_said(
    kube: KubeApi, admin: User, namespace: str
) -> None:
    wanted = config_map({"a": "1"})
    uid = kube.apply(manifests.manifest(wanted, SET))["metadata"]["uid"]
    kube.apply(manifests.manifest(wanted, SET, uid))
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    admin.delete(f"{path}/settings")
    with pytest.raises(Stale):
        kube.apply(manifests.manifest(wanted, SET, uid))
    admin.create(path, {"metadata": {"name": "settings"}, "data": {"b": "theirs"}})
    with pytest.raises(Stale):
        kube.apply(manifests.manifest(wanted, SET, uid))
    assert admin.get(f"{path}/settings")["data"] == {"b": "theirs"}
