"""What a server can is found by asking; what it cannot gets a clear word, and the rest works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.wire import Answer, Wire
from kfgit.backends.cluster.kfp import capabilities
from kfgit.backends.cluster.kfp.api import KfpApi, KfpFault
from kfgit.ir import Resource
from kfgit.plan import Unchanged, subject
from tests.cluster.carrying import Target, package, resource, run, schedule
from tests.cluster.older import ORPHAN, TAGS, Older


def server(wire: Wire, *lacks: str, **health: Any) -> Older:
    return Older(wire, frozenset(lacks), health)


def api(wire: Older, namespace: str | None = None) -> KfpApi:
    return KfpApi(cast("Wire", wire), namespace)


def test_what_2_17_has_is_found(wire: Wire) -> None:
    older = server(wire, tag_name="unknown")
    can = capabilities.ask(api(older))
    assert len(older.asked) == 1
    assert (can.tags, can.orphan, can.native, can.remarks()) == (True, True, False, ())
    assert (can.tags, can.orphan) == (True, True)
    assert len(older.asked) == 3


def test_what_was_seen_is_not_asked_for(wire: Wire) -> None:
    older = server(wire)
    can = capabilities.ask(api(older))
    can.seen("tags")
    assert can.tags
    assert len(older.asked) == 1


def test_what_is_missing_is_said_once_it_matters(wire: Wire) -> None:
    can = capabilities.ask(api(server(wire, TAGS, ORPHAN, tag_name="unknown")))
    assert can.remarks() == ()
    assert not can.tags
    assert not can.orphan
    tags, orphan = can.remarks()
    assert "has no tags (it is older than 2.17)" in tags
    assert "the inventory alone knows" in tags
    assert "has no `propagation_policy` (it is older than 2.16)" in orphan


def test_asking_changes_nothing(wire: Wire) -> None:
    kfp = api(server(wire))
    before = kfp.experiments(), kfp.pipelines(), kfp.schedules()
    can = capabilities.ask(kfp)
    assert can.tags
    assert can.orphan
    assert (kfp.experiments(), kfp.pipelines(), kfp.schedules()) == before


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"tag_name": "2.13.9"}, "is KFP 2.13.9, and kfgit needs 2.14 or later"),
        ({"tag_name": "v1.8.22"}, "is KFP v1.8.22, and kfgit needs 2.14 or later"),
        ({"multi_user": True}, "has many users: say whose namespace is meant, in `target.kfp.namespace`"),
    ],
)
def test_what_will_not_do_is_refused(wire: Wire, health: Mapping[str, Any], words: str) -> None:
    with pytest.raises(MachineFault, match=words):
        capabilities.ask(api(server(wire, **health)))


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"tag_name": "2.18.0"}, "newer than the 2.17 that kfgit was made for"),
        ({"tag_name": "3.0.0-rc.1"}, "newer than the 2.17 that kfgit was made for"),
        ({"pipeline_store": "kubernetes"}, "keeps pipelines as Kubernetes objects"),
    ],
)
def test_what_is_otherwise_is_remarked(wire: Wire, health: Mapping[str, Any], words: str) -> None:
    (remark,) = capabilities.ask(api(server(wire, **health))).remarks()
    assert words in remark


@pytest.mark.parametrize("tag", ["2.14.0", "2.17.3", "unknown", "", "master-abc", "2.17.0-rhoai"])
def test_nothing_is_said_of_others(wire: Wire, tag: str) -> None:
    assert capabilities.ask(api(server(wire, tag_name=tag))).remarks() == ()


def test_with_a_namespace_many_users_are_fine(wire: Wire) -> None:
    assert not capabilities.ask(api(server(wire, multi_user=True), "team")).native


def test_a_server_that_fails_is_no_server_that_lacks_something(wire: Wire) -> None:
    class Broken(Older):
        def _ask(
            self, ask: Any, method: str, path: str, query: dict[str, str], given: dict[str, Any]
        ) -> Answer:
            if path.endswith("/healthz"):
                return super()._ask(ask, method, path, query, given)
            return Answer(500, {}, b'{"code":13,"message":"x","details":[{"code":13,"message":"gone"}]}')

    can = capabilities.ask(api(Broken(wire)))
    for feature in ("tags", "orphan"):
        with pytest.raises(KfpFault, match="gone"):
            getattr(can, feature)


# --- the whole life of objects on a server that lacks something


def desired(tag: str, word: str, **other: Any) -> list[Resource]:
    made_of = package(word)
    spec = {"displayName": "", "description": "", "digest": made_of.digest, **other}
    return [
        resource("Experiment", f"exp-{tag}", {"description": "a"}),
        resource("Pipeline", f"pipe-{tag}", spec, made_of),
        schedule(f"nightly-{tag}", f"pipe-{tag}", made_of, f"exp-{tag}"),
        run(f"smoke-{tag}", f"pipe-{tag}", made_of, f"exp-{tag}", key=word),
    ]


@pytest.mark.parametrize("lacks", [(TAGS,), (ORPHAN,), (TAGS, ORPHAN)], ids="-".join)
def test_all_that_can_work_works(wire: Wire, lacks: tuple[str, ...]) -> None:
    tag = uuid4().hex[:8]
    target = Target(cast("Wire", server(wire, *lacks)), uuid4().hex[:16])
    for word in ("hello", "goodbye"):
        told = target.apply(desired(tag, word))
        assert [each.error for each in told if each.state != "done"] == []
        assert target.plan(desired(tag, word))[0].pending == ()
    pipeline = target.kfp.pipeline_named(f"pipe-{tag}")
    assert pipeline is not None
    assert {each.name for each in target.kfp.versions(pipeline.pipeline_id)} == {
        package(word).digest[:12] for word in ("goodbye", "hello")
    }
    told = target.apply([])
    assert [each.error for each in told if each.state != "done"] == []
    assert target.kfp.pipeline_named(f"pipe-{tag}") is None
    assert target.schedules(f"nightly-{tag}") == []


def test_without_tags_a_display_name_stays(wire: Wire) -> None:
    tag = uuid4().hex[:8]
    target = Target(cast("Wire", server(wire, TAGS)), uuid4().hex[:16])
    target.apply(desired(tag, "hello"))
    plan, _, _ = target.plan(desired(tag, "hello", displayName="Shown"))
    (told,) = [each for each in plan.changes if subject(each) == ("Pipeline", f"pipe-{tag}")]
    assert isinstance(told, Unchanged)
    assert told.notes == ("this KFP cannot change display names (it is older than 2.17)",)


def test_names_that_no_kubernetes_object_can_have_are_told(wire: Wire) -> None:
    target = Target(cast("Wire", server(wire, pipeline_store="kubernetes")), uuid4().hex[:16])
    made_of = package("hello")
    spec = {"displayName": "", "description": "", "digest": made_of.digest}
    fits, other = (resource("Pipeline", name, spec, made_of) for name in ("a-b.c", "Churn Train"))
    _, live, _ = target.plan([fits, other])
    ((key, (note,)),) = live.notes.items()
    assert key == ("Pipeline", "Churn Train")
    assert "cannot have this name" in note
