from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.connecting import connect
from kfgit.backends.cluster.connection.pooling import pool
from kfgit.backends.cluster.connection.wire import Ambiguous, Answer, Forbidden, Wire
from kfgit.backends.cluster.kubernetes import api as kube_api
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import (
    Conflict,
    Held,
    Immutable,
    Invalid,
    KubeFault,
    NoSuchKind,
)
from kfgit.backends.cluster.records import lock
from kfgit.backends.cluster.records.codec import Place
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.model import ClusterTarget
from kfgit.plan import Plan
from tests.cluster import faults
from tests.cluster.asking import asking
from tests.cluster.cluster import Cluster, User, until
from tests.cluster.proxy import Proxy, Upstream
from tests.cluster.requests import Answer as Refusal
from tests.cluster.scripted import Say, Scripted


def config_map(name: str = "settings", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture
def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_apply_makes_and_changes_and_a_dry_run_does_neither(kube: KubeApi, admin: User, maps: str) -> None:
    assert kube.apply(config_map(a="1"), dry_run=True)["data"] == {"a": "1"}
    assert not admin.exists(f"{maps}/settings")
    first = kube.apply(config_map(a="1"))
    assert kube.apply(config_map(a="2"), dry_run=True)["data"] == {"a": "2"}
    assert kube.get("v1", "ConfigMap", "settings") == admin.get(f"{maps}/settings") == first
    second = kube.apply(config_map(b="2"))
    assert (second["data"], second["metadata"]["uid"]) == ({"b": "2"}, first["metadata"]["uid"])
    (entry,) = second["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("kfgit", "Apply")


def test_what_another_manages_is_not_taken_but_told(kube: KubeApi, admin: User, maps: str) -> None:
    admin.apply(f"{maps}/settings", config_map(a="theirs", b="theirs"), manager="helm")
    admin.patch(f"{maps}/settings", {"data": {"c": "theirs"}})
    for dry_run in (True, False):
        with pytest.raises(Conflict) as told:
            kube.apply(config_map(a="ours", b="theirs", c="ours"), dry_run=dry_run)
        assert set(told.value.held) == {Held(".data.a", "helm"), Held(".data.c", "somebody")}
        assert "ConfigMap `settings` is not changed" in str(told.value)
        assert "`.data.a` by `helm`" in str(told.value)
    assert admin.get(f"{maps}/settings")["data"]["a"] == "theirs"


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        ({"data": {"a": 1}}, "expected string"),
        ({"datas": {}}, "field not declared in schema"),
        ({"data": {"no/slash": ""}}, "a valid config key must consist of"),
    ],
)
def test_what_the_server_refuses_is_told_in_its_words(
    kube: KubeApi, manifest: dict[str, Any], word: str
) -> None:
    with pytest.raises(Invalid, match=word) as told:
        kube.apply({**config_map(), **manifest})
    assert not isinstance(told.value, Immutable)


def test_what_cannot_be_changed_is_told_apart(kube: KubeApi) -> None:
    kube.apply({**config_map(a="1"), "immutable": True})
    with pytest.raises(Immutable):
        kube.apply({**config_map(a="2"), "immutable": True})
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r"}}

    def to(name: str) -> dict[str, str]:
        return {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}

    kube.apply({**role, "roleRef": to("view")})
    with pytest.raises(Immutable):
        kube.apply({**role, "roleRef": to("edit")})


def test_a_kind_that_the_server_does_not_know_is_told(kube: KubeApi) -> None:
    for version, kind in (
        ("kueue.x-k8s.io/v1", "LocalQueue"),
        ("v1", "LocalQueue"),
        ("apps/v9", "Deployment"),
    ):
        with pytest.raises(NoSuchKind, match=f"knows no kind `{kind}` in `{version}`"):
            kube.list(version, kind)


def test_kinds_are_found_once_for_each_group_and_version(kube: KubeApi, admin: User) -> None:
    before = kube.wire.requests
    assert kube.list("apps/v1", "Deployment") == kube.list("apps/v1", "StatefulSet") == ()
    assert kube.get("apps/v1", "DaemonSet", "none") is None
    assert kube.wire.requests - before == 4
    group = f"g{uuid4().hex[:8]}.example.com"
    with pytest.raises(NoSuchKind):
        kube.list(f"{group}/v1", "Thing")
    admin.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(group))
    until(lambda: admin.ask("GET", f"/apis/{group}/v1/things").status_code == 200)
    # What was not there before is looked for again.
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {"size": 1}}
    kube.apply(thing)
    with pytest.raises(Invalid, match=r"unknown field|not declared"):
        kube.apply({**thing, "spec": {"sizes": 1}})
    with pytest.raises(Immutable):
        kube.apply({**thing, "spec": {"size": 2}}, dry_run=True)
    assert [each["metadata"]["name"] for each in kube.list(f"{group}/v1", "Thing")] == ["x"]
    admin.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}")


def definition(group: str) -> dict[str, Any]:
    size = {
        "type": "integer",
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "size is immutable"}],
    }
    spec = {"type": "object", "properties": {"size": size}}
    schema = {"type": "object", "properties": {"spec": spec}}
    return {
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def test_a_list_has_all_its_pages(
    kube: KubeApi, admin: User, maps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_api, "PAGE", 3)
    assert kube.list("v1", "ConfigMap") == ()
    assert kube.metadata("v1", "ConfigMap") == frozenset()
    for number in range(8):
        labels = {"half": str(number % 2)}
        admin.create(maps, {"metadata": {"name": f"m{number}", "labels": labels}, "data": {"a": "secret"}})
    before = kube.wire.requests
    listed = kube.list("v1", "ConfigMap")
    assert kube.wire.requests - before == 3
    assert [each["metadata"]["name"] for each in listed] == [f"m{number}" for number in range(8)]
    assert {(each["apiVersion"], each["kind"]) for each in listed} == {("v1", "ConfigMap")}
    halves = kube.list("v1", "ConfigMap", "half=1")
    assert [each["metadata"]["name"] for each in halves] == ["m1", "m3", "m5", "m7"]
    assert kube.metadata("v1", "ConfigMap") == {f"m{number}" for number in range(8)}


def test_names_are_asked_for_without_what_is_in_the_objects(
    cluster: Cluster, namespace: str, tmp_path: Path, maps: str
) -> None:
    cluster.admin.create(maps, {"metadata": {"name": "m"}, "data": {"a": "secret"}})
    kube = asking(cluster.admin, namespace, tmp_path)
    bodies: list[bytes] = []
    read = kube.wire.read

    class Listening:
        def __getattr__(self, name: str) -> Any:
            return getattr(kube_wire, name)

        def read(self, *args: Any, **more: Any) -> Answer:
            answer = read(*args, **more)
            bodies.append(answer.body)
            return answer

    kube_wire = kube.wire
    kube.wire = Listening()  # type: ignore[assignment]
    assert kube.metadata("v1", "ConfigMap") == {"m"}
    assert bodies
    assert not any(b"secret" in body for body in bodies)


def test_a_list_that_the_server_forgot_half_way_is_begun_anew_and_then_asked_for_in_one_piece(
    proxied: Proxied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_api, "PAGE", 3)
    for number in range(8):
        proxied.kube.apply(config_map(f"m{number}"))

    async def gone(_proxy: Proxy, request: Any) -> Any:
        answer = Refusal.of(request.owner, 409, "The provided continue parameter is too old")
        return replace(
            answer, status=410, body=answer.body.replace(b"409", b"410").replace(b"Conflict", b"Expired")
        )

    proxied.proxy.begin(faults.always(lambda request: request.next_page, gone))
    assert len(proxied.kube.list("v1", "ConfigMap")) == 8
    asked = [record.request.query for record in proxied.proxy.settle()]
    assert [("limit" in query, "continue" in query) for query in asked] == [
        (True, False), (True, True), (True, False), (True, True), (True, False), (True, True), (False, False),
    ]  # fmt: skip


def test_a_list_that_fails_half_way_is_no_list(proxied: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_api, "PAGE", 3)
    for number in range(8):
        proxied.kube.apply(config_map(f"m{number}"))
    proxied.proxy.begin(faults.always(lambda request: request.next_page, faults.conflict))
    with pytest.raises(KubeFault):
        proxied.kube.list("v1", "ConfigMap")


def test_only_the_very_object_is_deleted(kube: KubeApi, admin: User, maps: str) -> None:
    uid = kube.apply(config_map())["metadata"]["uid"]
    assert kube.delete("v1", "ConfigMap", "settings", uid)
    assert not kube.delete("v1", "ConfigMap", "settings", uid)
    admin.create(maps, config_map(a="theirs"))
    assert not kube.delete("v1", "ConfigMap", "settings", uid)
    assert admin.exists(f"{maps}/settings")


def test_a_namespace_is_known_by_its_uid(kube: KubeApi, admin: User, namespace: str) -> None:
    assert kube.namespace_uid() == admin.get(f"/api/v1/namespaces/{namespace}")["metadata"]["uid"]
    with pytest.raises(MachineFault, match="has no namespace `nowhere`"):
        KubeApi(kube.wire, "nowhere").namespace_uid()
    with pytest.raises(KubeFault, match='namespaces "nowhere" not found'):
        KubeApi(kube.wire, "nowhere").apply(config_map())


def test_a_page_that_is_no_object_is_not_taken_for_absence(kube: KubeApi) -> None:
    astray = replace_base(kube, kube.wire.base + "/elsewhere")
    with pytest.raises(MachineFault):
        astray.get("v1", "ConfigMap", "settings")
    with pytest.raises(MachineFault):
        astray.list("v1", "ConfigMap")


def replace_base(kube: KubeApi, base: str) -> KubeApi:
    return KubeApi(replace(kube.wire, base=base), kube.namespace)


def test_who_may_not_is_told_the_rule_that_is_missing(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    kube = asking(cluster.user("alice"), namespace, tmp_path)
    with pytest.raises(Forbidden, match=r"verbs: \[patch\], apiGroups: \[\"\"\], resources: \[configmaps\]"):
        kube.apply(config_map())


# --- answers that get lost


class Proxied:
    """The API behind a proxy that lets requests go wrong."""

    def __init__(self, proxy: Proxy, kube: KubeApi) -> None:
        self.proxy, self.kube = proxy, kube

    def lose(self, method: str, treatment: Any) -> None:
        """The first request with this method goes wrong."""
        met: list[int] = []

        def decide(request: Any) -> Any:
            if request.method == method and not met:
                met.append(1)
                return treatment
            return None

        self.proxy.begin(decide)


@pytest.fixture
def proxied(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Proxied]:
    upstream = Upstream(cluster.url, str(cluster.ca), cluster.admin.token)
    with Proxy({"kube": upstream}) as proxy:
        user = User(proxy.url("kube"), cluster.ca, "any")
        config = user.kubeconfig(tmp_path / "proxied", namespace)
        connection = connect(ClusterTarget(context="tests"), {"KUBECONFIG": str(config)})
        yield Proxied(proxy, KubeApi(connection.kube, namespace))


LOST = [
    faults.cut_before,
    faults.cut_after,
    faults.broken,
    faults.broken_after,
    faults.away,
    faults.doubled,
    faults.late,
]


@pytest.mark.parametrize("treatment", LOST, ids=lambda each: each.__name__)
def test_an_apply_and_a_deletion_come_through(proxied: Proxied, treatment: Any) -> None:
    proxied.lose("PATCH", treatment)
    uid = proxied.kube.apply(config_map(a="1"))["metadata"]["uid"]
    proxied.lose("DELETE", treatment)
    proxied.kube.delete("v1", "ConfigMap", "settings", uid)
    assert proxied.kube.get("v1", "ConfigMap", "settings") is None


def test_a_write_that_is_never_answered_is_in_doubt(proxied: Proxied) -> None:
    proxied.proxy.begin(faults.always(lambda request: not request.reads, faults.cut_after))
    with pytest.raises(Ambiguous):
        proxied.kube.apply(config_map(a="1"))


@pytest.mark.parametrize("treatment", [*LOST, faults.conflict], ids=lambda each: each.__name__)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_lock_is_had_though_an_answer_gets_lost(proxied: Proxied, treatment: Any, method: str) -> None:
    if method == "PUT":
        with lock.lease(proxied.kube, "kfgit-p-e", "anna"):
            pass
    proxied.lose(method, treatment)
    with lock.Lock(proxied.kube, "kfgit-p-e", renew_every=3600).hold("anna") as held:
        held.held()
        proxied.lose("PUT", treatment)
        held.renew()
        held.held()
    proxied.proxy.begin()
    with lock.lease(proxied.kube, "kfgit-p-e", "bert") as held:
        held.held()


@pytest.mark.parametrize("treatment", [*LOST, faults.conflict], ids=lambda each: each.__name__)
@pytest.mark.parametrize("room", [700_000, 300], ids=["whole", "shards"])
def test_the_inventory_is_written_though_an_answer_gets_lost(
    proxied: Proxied, treatment: Any, room: int
) -> None:
    ledger = Ledger(proxied.kube, Place("p", "e"), room=room)
    ledger.read()
    proxied.lose("POST", treatment)
    ledger.begin(Plan("e", "t", ()), [], "anna")
    proxied.lose("PUT", treatment)
    ledger.checkpoint()
    proxied.lose("PUT", treatment)
    ledger.end([])
    proxied.proxy.begin()
    assert [each.id for each in Ledger(proxied.kube, Place("p", "e")).past()] == [1]


NO_OBJECTS = (
    b"{}",
    b'{"metadata": null}',
    b'{"metadata": {"uid": 5}}',
    b'{"items": [1]}',
    b'{"resources": [{}]}',
)


@pytest.mark.parametrize("body", NO_OBJECTS, ids=bytes.decode)
def test_a_server_that_is_no_kubernetes_is_told_as_that(body: bytes) -> None:
    with Scripted(Say(200, body)) as server:
        stranger = KubeApi(Wire(server.url, pool()), "ml")
        held = lock.Lock(stranger, "kfgit-a-b")
        for ask in (
            stranger.namespace_uid,
            held.holder,
            held.hold("ada").__enter__,
            Ledger(stranger, Place("a", "b")).read,
            lambda: stranger.apply(config_map(), dry_run=True),
        ):
            with pytest.raises(MachineFault, match="no object of Kubernetes"):
                ask()


def test_pages_in_a_circle_and_pages_without_an_end_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfgit.backends.cluster.kubernetes.api._MAX_PAGES", 3)
    for tokens, why in (("xyx", "lead back to one read before"), ("stuvwx", "more than 3 pages")):
        says = [Say(200, b'{"items": [], "metadata": {"continue": "%s"}}' % each.encode()) for each in tokens]
        with Scripted(*says) as server:
            stranger = KubeApi(Wire(server.url, pool()), "ml")
            with pytest.raises(MachineFault, match=why):
                stranger.list("v1", "ConfigMap")
            assert len(server.asked) == 3


def test_nothing_is_written_again_without_the_lock() -> None:
    def lost() -> None:
        raise MachineFault("the lock was lost")

    with Scripted(Say(500, b"{}")) as server:
        fenced = KubeApi(Wire(server.url, pool(), guard=lost), "ml")
        for write in (lambda: fenced.apply(config_map()), lambda: fenced.delete("v1", "ConfigMap", "a", "u")):
            with pytest.raises(MachineFault, match="the lock was lost"):
                write()
        assert len(server.asked) == 2


def test_a_list_of_something_else_is_none() -> None:
    with Scripted(Say(200, b'{"items": [{}], "resources": [{}]}')) as server:
        stranger = KubeApi(Wire(server.url, pool()), "ml")
        with pytest.raises(MachineFault, match="no object of Kubernetes for a list"):
            stranger.list("v1", "ConfigMap")
        with pytest.raises(MachineFault, match="does not say what kinds it has in `a/v1`"):
            stranger.get("a/v1", "Thing", "x")
