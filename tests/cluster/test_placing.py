"""Kubernetes objects put in place: made, changed, made anew, taken over, removed; and those of others left alone."""

from __future__ import annotations

from typing import Any, cast
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster.changes import performing
from kfgit.backends.cluster.changes.applying import Context
from kfgit.backends.cluster.kfp.api import KfpApi
from kfgit.backends.cluster.kfp.capabilities import Capabilities
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.objects import Observer
from kfgit.backends.cluster.records.codec import Place
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.ir import Resource
from kfgit.plan import Adopt, Create, Delete, LiveObject, Replace, Update
from tests.cluster.carrying import resource
from tests.cluster.cluster import User


class Hand:
    """An apply of one set, with nothing of KFP's."""

    def __init__(self, kube: KubeApi) -> None:
        self.kube, self.owner, self.naps = kube, uuid4().hex[:16], cast("list[float]", [])
        self.ledger = Ledger(kube, Place("demo", "prod"))

    @property
    def context(self) -> Context:
        self.ledger.checkpoint()
        return Context(
            cast("KfpApi", None),
            sleep=self.naps.append,
            kube=self.kube,
            ledger=self.ledger,
            capabilities=cast("Capabilities", None),
            inventory=self.ledger.read(),
            owner=self.owner,
            number=1,
        )

    def live(self, wanted: Resource) -> LiveObject:
        """The object as a plan sees it."""
        observer = Observer(self.kube, self.owner, self.context.inventory)
        (found,) = observer.observe([wanted]).objects
        return found


@pytest.fixture
def hand(kube: KubeApi) -> Hand:
    return Hand(kube)


def wanted(data: dict[str, str], **other: Any) -> Resource:
    """A ConfigMap, which stands for whatever a profile brings."""
    return resource("ConfigMap", "settings", {"apiVersion": "v1", "data": data, **other})


def test_an_object_is_made_changed_and_removed(hand: Hand, admin: User, namespace: str) -> None:
    place = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    uid = performing.perform(Create(wanted({"a": "1"})), hand.context)
    assert performing.perform(Create(wanted({"a": "1"})), hand.context) == uid
    live = hand.live(wanted({"a": "2"}))
    assert (live.id, live.owned) == (uid, True)
    assert performing.perform(Update(wanted({"a": "2"}), live, "source", ()), hand.context) == uid
    assert admin.get(place)["data"] == {"a": "2"}
    for _ in range(2):
        assert performing.perform(Delete(live), hand.context) == uid
    assert not admin.exists(place)
    assert hand.context.inventory.entries == ()


def test_an_object_of_others_is_refused(hand: Hand, admin: User, namespace: str) -> None:
    place = f"/api/v1/namespaces/{namespace}/configmaps"
    admin.create(place, {"metadata": {"name": "settings"}, "data": {"theirs": "1"}})
    with pytest.raises(Refused, match="this project did not make it"):
        performing.perform(Create(wanted({"ours": "1"})), hand.context)
    assert admin.get(f"{place}/settings")["data"] == {"theirs": "1"}


def test_an_object_that_somebody_made_anew_is_not_changed(hand: Hand, admin: User, namespace: str) -> None:
    place = f"/api/v1/namespaces/{namespace}/configmaps"
    performing.perform(Create(wanted({"a": "1"})), hand.context)
    live = hand.live(wanted({"a": "2"}))
    admin.delete(f"{place}/settings")
    admin.create(place, {"metadata": {"name": "settings"}, "data": {"theirs": "1"}})
    with pytest.raises(MachineFault):
        performing.perform(Update(wanted({"a": "2"}), live, "source", ()), hand.context)
    performing.perform(Delete(live), hand.context)
    assert admin.get(f"{place}/settings")["data"] == {"theirs": "1"}


def test_an_object_that_cannot_be_changed_is_made_anew(hand: Hand, admin: User, namespace: str) -> None:
    first, second = (wanted({"a": text}, immutable=True) for text in "12")
    uid = performing.perform(Create(first), hand.context)
    live = hand.live(second)
    assert live.recreate
    fresh = performing.perform(Replace(second, live, "source", ()), hand.context)
    assert fresh != uid
    found = admin.get(f"/api/v1/namespaces/{namespace}/configmaps/settings")
    assert (found["metadata"]["uid"], found["data"]) == (fresh, {"a": "2"})
    assert [each.id for each in hand.context.inventory.entries] == [fresh]


def test_an_object_that_something_holds_is_told(hand: Hand, admin: User, namespace: str) -> None:
    place = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    first, second = (wanted({"a": text}, immutable=True) for text in "12")
    performing.perform(Create(first), hand.context)
    live = hand.live(second)
    admin.patch(place, {"metadata": {"finalizers": ["example.com/held"]}})
    with pytest.raises(MachineFault, match="is being deleted, and something still holds it"):
        performing.perform(Replace(second, live, "source", ()), hand.context)
    assert hand.naps == list(hand.context.looks)
    admin.patch(place, {"metadata": {"finalizers": None}})
    assert performing.perform(Replace(second, live, "source", ()), hand.context) != live.id


def test_an_object_is_taken_over_as_it_is(hand: Hand, admin: User, namespace: str) -> None:
    place = f"/api/v1/namespaces/{namespace}/configmaps"
    admin.create(place, {"metadata": {"name": "settings"}, "data": {"theirs": "1"}})
    live = hand.live(wanted({"ours": "1"}))
    assert not live.owned
    assert performing.perform(Adopt(wanted({"ours": "1"}), live, ()), hand.context) == live.id
    assert admin.get(f"{place}/settings")["data"] == {"theirs": "1"}
    assert hand.live(wanted({"ours": "1"})).owned
    admin.delete(f"{place}/settings")
    with pytest.raises(Refused, match="is not there any more"):
        performing.perform(Adopt(wanted({"ours": "1"}), live, ()), hand.context)
