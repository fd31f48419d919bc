"""What a plan may delete without a word, what it may show of values, and what a plan file makes of both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kfgit.apply import guard
from kfgit.backend import Refused
from kfgit.ir import Resource
from kfgit.plan import (
    HIDDEN,
    Delete,
    Difference,
    Live,
    LiveObject,
    Plan,
    Replace,
    Rules,
    cause_of,
    destroy,
    difference,
    plan,
    precious,
    subject,
)

TARGET = "https://10.0.0.1 ml (uid 1)"


def deleting(*names: str, target: str = TARGET, owned: int = 100, wanted: int = 50) -> Plan:
    kinds = {
        "pipeline": "Pipeline",
        "schedule": "Schedule",
        "experiment": "Experiment",
        "namespace": "Namespace",
    }
    gone = [
        LiveObject(kinds[kind], name, "1", {}, "d", owned=True)
        for kind, _, name in (n.partition("/") for n in names)
    ]
    return Plan("prod", target, tuple(map(Delete, gone)), owned=owned, wanted=wanted)


def refusal(plan: Plan, *confirmed: str) -> str | None:
    try:
        guard(plan, confirmed)
    except Refused as fault:
        return str(fault)
    return None


def test_few_schedules_go_without_a_word() -> None:
    assert refusal(deleting()) is None
    assert refusal(deleting("schedule/a", "schedule/b", "schedule/c", owned=3)) is None
    many = [f"schedule/s{n}" for n in range(20)]
    assert refusal(deleting(*many)) is None


def test_many_need_the_digest_of_this_very_plan() -> None:
    many = [f"schedule/s{n}" for n in range(21)]
    plan = deleting(*many)
    told = str(refusal(plan))
    assert (
        told
        == f"this plan deletes 21 of 100 objects; if that is meant, repeat it with --confirm {plan.digest}"
    )
    assert refusal(plan, plan.digest) is None
    assert refusal(plan, deleting(*many[1:]).digest) is not None


def test_on_a_cluster_nothing_wanted_deletes_nothing() -> None:
    plan = deleting("schedule/a", wanted=0)
    assert "kfgit destroy -e prod" in str(refusal(plan, plan.digest))
    local = deleting("schedule/a", wanted=0, target="local")
    assert "everything" in str(refusal(local))
    assert refusal(local, local.digest) is None
    assert refusal(deleting(wanted=0)) is None


def test_what_holds_data_is_confirmed_one_by_one() -> None:
    plan = deleting("pipeline/a", "experiment/b", "schedule/c", "namespace/d")
    told = str(refusal(plan, plan.digest, "pipeline/a"))
    assert told.endswith("repeat it with --confirm experiment/b --confirm namespace/d")
    assert refusal(plan, plan.digest, "Pipeline/a", "experiment/b", "namespace/d") is None
    assert refusal(deleting("pipeline/a", target="local")) is None
    assert precious(plan) == ("pipeline/a", "experiment/b", "namespace/d")


def test_what_is_emptied_to_be_made_anew_is_confirmed_too() -> None:
    claim = LiveObject("PersistentVolumeClaim", "data", "1", {}, "", owned=True, recreate=True)
    wanted = Resource("PersistentVolumeClaim", "data", {"apiVersion": "v1"}, "d")
    changes = (
        Replace(wanted, claim, "source", ()),
        Replace(wanted, replace(claim, recreate=False), "source", ()),
    )
    assert precious(Plan("e", "t", changes[:1])) == ("persistentvolumeclaim/data",)
    assert precious(Plan("e", "t", changes[1:])) == ()


def test_both_guards_together() -> None:
    plan = deleting(*[f"pipeline/p{n}" for n in range(30)])
    every = [f"pipeline/p{n}" for n in range(30)]
    assert plan.digest in str(refusal(plan, *every))
    assert "--confirm pipeline/p29" in str(refusal(plan, plan.digest, *every[:-1]))
    assert refusal(plan, plan.digest, *every) is None


# --- values


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"a": {"password": "hunter2!"}}, {"a": {}}, [("a.password", HIDDEN, None)]),
        ({"a": {}}, {"a": {"x": {"api_key": "abc"}}}, [("a.x", None, {"api_key": HIDDEN})]),
        ({"lr": "0.1"}, {"lr": "0.2"}, [("lr", "0.1", "0.2")]),
        ({"n": "ghp_" + "x" * 36}, {"n": "y"}, [("n", HIDDEN, "y")]),
        ({"tokens": ["a", "b"]}, {"tokens": ["a"]}, [("tokens", ["a", "b"], ["a"])]),
        (
            {"env": [{"name": "LEVEL", "value": "low"}, {"name": "DB_PASSWORD", "value": "hunter2!"}]},
            {"env": [{"name": "LEVEL", "value": "high"}]},
            [("env.DB_PASSWORD", HIDDEN, None), ("env.LEVEL", "low", "high")],
        ),
        (
            {"c": [[{"name": "A_TOKEN", "value": "z!"}]]},
            {"c": []},
            [("c", [[{"name": "A_TOKEN", "value": HIDDEN}]], [])],
        ),
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]},
            {"env": [{"name": "B", "value": "1"}, {"name": "A", "value": "1"}]},
            [("env[0].name", "A", "B"), ("env[1].name", "B", "A")],
        ),
        (
            {"env": [{"name": "A", "value": "1"}] * 2},
            {"env": []},
            [("env", [{"name": "A", "value": "1"}] * 2, [])],
        ),
    ],
)
def test_what_is_shown_of_values(
    before: object, after: object, shown: list[tuple[str, object, object]]
) -> None:
    assert [(d.path, d.before, d.after) for d in difference(before, after)] == shown


def test_the_cause_of_a_field() -> None:
    moved, other = Difference("a", 1, 2, drift=True), Difference("a", 1, 2)
    assert (cause_of(moved, "source"), cause_of(other, "source"), cause_of(other, "drift")) == (
        "drift",
        "source",
        "drift",
    )
    assert cause_of(other, "adoption") == "adoption"


def test_a_desired_value_keeps_its_digest_though_it_is_hidden() -> None:
    """Two secrets are two states."""
    one, other = (Resource("Schedule", "s", {"inputs": {"password": p}}, p) for p in ("one!", "two!"))
    assert one.digest != other.digest
    (told,) = difference(one.spec, other.spec)
    assert (told.before, told.after) == (HIDDEN, HIDDEN)


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        (Rules({"schedules": "keep"}), set()),
        (Rules({"schedules": "delete"}, ("schedule/nightly",)), set()),
        (Rules({"schedules": "delete"}), {"old", "new"}),
    ],
)
def test_what_is_kept_keeps_what_took_over_from_it(rules: Rules, gone: set[str]) -> None:
    """Cut off before the old one was deleted: the inventory still knows the old one, which is off."""
    old = LiveObject("Schedule", "nightly", "old", {"enabled": False}, "a", owned=True, applied="b")
    new = replace(old, id="new", spec={"enabled": True}, digest="c", leftover=True)
    changes = plan("prod", TARGET, [], Live((old, new)), rules).changes
    assert {each.live.id for each in changes if isinstance(each, Delete)} == gone


@pytest.mark.parametrize(
    ("live", "glob", "stays"),
    [
        (LiveObject("Schedule", "me-nightly", "1", {}, "d", owned=True), "schedule/nightly", True),
        (LiveObject("Schedule", "me-nightly", "1", {}, "d", owned=True), "schedule/me-*", True),
        (LiveObject("Schedule", "me-nightly", "1", {}, "d", owned=True), "pipeline/nightly", False),
        (
            LiveObject("Pipeline", "Churn (prod)", "1", {}, "d", owned=True, documents=("churn",)),
            "pipeline/ch?rn",
            True,
        ),
        (
            LiveObject("PriorityClass", "high", "1", {}, "d", owned=True, documents=("gpu", "big")),
            "profile/big",
            True,
        ),
        (LiveObject("PriorityClass", "high", "1", {}, "d", owned=True), "priorityclass/*", True),
        (LiveObject("PriorityClass", "high", "1", {}, "d", owned=True), "resourceprofile/low", False),
    ],
)
def test_a_document_s_name_protects_as_well(live: LiveObject, glob: str, stays: bool) -> None:  # noqa: FBT001
    found = destroy("me", TARGET, Live((live,)), Rules({}, (glob,), "me-"))
    assert [isinstance(each, Delete) for each in found.changes] == [not stays]


def test_a_document_s_name_confirms_as_well() -> None:
    named = LiveObject("Pipeline", "Churn (prod)", "1", {}, "d", owned=True, documents=("churn",))
    plan = Plan("prod", TARGET, (Delete(named),), owned=100, wanted=50)
    assert str(refusal(plan, "pipeline/train")).endswith("--confirm 'pipeline/Churn (prod)'")
    assert refusal(plan, "pipeline/churn") is None


def test_all_that_is_missing_is_told_at_once() -> None:
    plan = deleting("pipeline/a", "pipeline/b", *(f"schedule/s{n}" for n in range(20)))
    told = str(refusal(plan, "pipeline/a"))
    assert told.endswith(f"with --confirm {plan.digest} --confirm pipeline/b")
    assert refusal(plan, plan.digest, "pipeline/a", "pipeline/b") is None


def test_a_stranger_s_pipeline_is_told_with_what_stands_on_it() -> None:
    """Whom a mark names keeps it: it is not there to be taken over."""
    mine = Resource("Pipeline", "train", {"digest": "a" * 64}, "p")
    nightly = Resource("Schedule", "nightly", {"pipeline": "train", "version": "a" * 12}, "s")
    pinned = Resource("Schedule", "pinned", {"pipeline": "train", "version": "theirs"}, "s")
    smoke = Resource("Run", "smoke", {"pipeline": "train", "key": "once"}, "r")
    wanted = (mine, nightly, pinned, smoke)
    theirs = LiveObject("Pipeline", "train", "1", {}, "d", owned=False)
    kept = replace(theirs, detail={"owner": "another set of kfgit, 12 (Kept by kfgit (aud, prod).)"})
    for live, adopt in ((theirs, True), (kept, False)):
        found = {
            subject(each)[1]: each.notes for each in plan("e", TARGET, wanted, Live((live,)), Rules()).changes
        }
        (told,) = found["train"]
        assert ("kfgit adopt" in told, "(aud, prod)" in told) == (adopt, not adopt)
        assert all(
            "fails unless it holds this commit's content" in found[name][0] for name in ("nightly", "smoke")
        )
        assert found["pinned"] == ()
    ours = plan("e", TARGET, wanted, Live((replace(theirs, owned=True),)), Rules()).changes
    assert [each.notes for each in ours] == [()] * 4
