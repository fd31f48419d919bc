"""What a commit must have done before it may go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.events import AppliedRun, ApplyRecord, State
from kfgit.promotion.choosing import Candidate, candidates, chosen
from kfgit.promotion.requirements import Evidence, Proof, Stand, Wanted, check, spoken

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ONE, TWO = "1" * 40, "2" * 40
SMOKE = AppliedRun("smoke", "train", "d" * 64, "run-1", "SUCCEEDED")


def record(
    number: int = 1, commit: str | None = ONE, runs: Sequence[AppliedRun] = (SMOKE,), **more: object
) -> ApplyRecord:
    ended = NOW - timedelta(hours=3)
    whole = ApplyRecord(number, "demo", commit, "x", "ada", ended, ended, {"done": 2}, runs=tuple(runs))
    return replace(whole, **more)  # type: ignore[arg-type]


def judged(
    applies: Sequence[ApplyRecord],
    wanted: Wanted | None = None,
    stands: Mapping[str, Stand] | None = None,
    proofs: Sequence[Proof] = (),
) -> dict[str, tuple[bool, str]]:
    known = stands or {}
    found = Evidence(
        "staging",
        ONE,
        tuple(applies),
        lambda run: known.get(run.id, Stand(run.state)),
        lambda: proofs,
    )
    return {each.name: (each.met, each.why) for each in check(found, wanted or Wanted(), NOW)}


def test_green_is_an_apply_whose_runs_succeeded() -> None:
    found = judged([record()])
    assert found == {
        "applied": (True, "apply 1 in staging"),
        "green": (True, "run/smoke of train succeeded"),
    }
    assert judged([record(runs=())])["green"] == (True, "it wanted no runs")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"finished_at": None}, "apply 1 of it in staging is not over yet, or was cut off"),
        ({"result": {"done": 1, "failed": 2, "skipped": 1}}, "apply 1 of it in staging ended with 2 failed, 1 skipped"),
        ({"folder": True}, "was of a folder, which may have differed from the commit"),
    ],
)  # fmt: skip
def test_what_is_no_apply_of_the_commit(more: dict[str, Any], why: str) -> None:
    found = judged([record(**more)])
    assert list(found) == ["applied"]
    assert found["applied"][0] is False
    assert why in found["applied"][1]
    assert "kfgit apply -e staging --rev 1111111111" in found["applied"][1]
    # One time that it went well is enough.
    assert judged([record(2, **more), record(1)])["applied"][0]


def test_never_applied() -> None:
    met, why = judged([])["applied"]
    told = "staging has not applied commit 1111111111, as far as its history goes"
    assert (met, why) == (False, f"{told}: kfgit apply -e staging --rev 1111111111")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("RUNNING", "is RUNNING, so not yet: kfgit runs watch run-1 -e staging"),
        ("PENDING", "is PENDING, so not yet"),
        ("FAILED", "FAILED: kfgit runs show run-1 -e staging"),
        ("CANCELED", "CANCELED: kfgit runs show"),
        ("SKIPPED", "SKIPPED: kfgit runs show"),
        (None, "is gone, and nobody knows how it ended"),
    ],
)
def test_a_run_that_did_not_succeed(state: State | None, why: str) -> None:
    found = judged([record()], stands={"run-1": Stand(state)})
    assert found["green"][0] is False
    assert f"run/smoke of train {why}" in found["green"][1]


def test_runs_that_nobody_knows() -> None:
    assert "was not started" in judged([record(runs=[replace(SMOKE, id="", state=None)])])["green"][1]
    assert judged([record(unlisted=3)])["green"] == (
        False,
        "3 more runs are not in the history, so nobody knows how they ended",
    )
    many = [replace(SMOKE, id=f"run-{n}", name=f"smoke-{n}", state="FAILED") for n in range(9)]
    assert judged([record(runs=many)])["green"][1].endswith("; and 6 more")


def test_soak_begins_with_the_end_of_the_last_run() -> None:
    runs = [SMOKE, replace(SMOKE, id="run-2", name="long")]
    ends = {
        "run-1": Stand("SUCCEEDED", NOW - timedelta(hours=2)),
        "run-2": Stand("SUCCEEDED", NOW - timedelta(minutes=30)),
    }
    wanted = Wanted(soak=timedelta(hours=1))
    met, why = judged([record(runs=runs)], wanted, ends)["soak 1h"]
    assert (met, why) == (
        False,
        "it stands since 2026-11-23 11:30 UTC, for 30m: long enough at 2026-11-23 12:30 UTC",
    )
    assert judged([record(runs=runs[:1])], wanted, ends)["soak 1h"][0]
    assert judged([record(runs=())], wanted)["soak 1h"][0]
    assert "soak 1h" not in judged([record()], wanted, {"run-1": Stand("FAILED")})


def test_every_pipeline() -> None:
    proofs = (Proof("train", "d", "run-1"), Proof("serve", "e", None), Proof("new", None, None))
    found = judged([record()], Wanted("all"), proofs=proofs)
    assert [found[f"pipeline/{name}"][0] for name in ("train", "serve", "new")] == [True, False, False]
    assert "kfgit run serve -e staging" in found["pipeline/serve"][1]
    assert "staging has no such pipeline" in found["pipeline/new"][1]
    single = judged([record()], Wanted(pipelines=("train", "odd")), proofs=proofs)
    assert set(single) == {"applied", "green", "pipeline/train", "pipeline/odd"}
    assert single["pipeline/odd"] == (False, "the commit has no pipeline `odd`")


def test_applied_alone_looks_at_no_run() -> None:
    assert list(judged([record()], Wanted("applied"), {"run-1": Stand("FAILED")})) == ["applied"]


@given(st.integers(0, 10**7))
def test_a_time_is_spoken_as_documents_write_it(seconds: int) -> None:
    text = spoken(timedelta(seconds=seconds))
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total, digits = 0, ""
    for letter in text:
        if letter in units:
            total, digits = total + int(digits) * units[letter], ""
        else:
            digits += letter
    assert total == seconds


# --- laws

levels = st.sampled_from(["applied", "green", "all"])
states = st.sampled_from(["SUCCEEDED", "FAILED", "RUNNING", None])


@given(levels, st.lists(states, max_size=4), st.booleans(), st.booleans(), st.integers(0, 5))
def test_what_is_enough_for_more_is_enough_for_less(
    level: str, ran: list[State | None], whole: object, proven: object, soak: int
) -> None:
    """`all` asks for no less than `green`, and that for no less than `applied`; a longer soak for no less than none."""
    runs = [replace(SMOKE, id=f"run-{n}", name=f"r{n}", state=state) for n, state in enumerate(ran)]
    applies = [record(runs=runs, result={"failed": 0 if whole else 1})]
    proofs = (Proof("train", "d", "run-1" if proven else None),)

    def passes(wanted: Wanted) -> bool:
        return all(met for met, _ in judged(applies, wanted, proofs=proofs).values())

    order = ["applied", "green", "all"]
    for less in order[: order.index(level)]:
        if passes(Wanted(level, soak=timedelta(hours=soak))):  # type: ignore[arg-type]
            assert passes(Wanted(less, soak=timedelta(hours=soak)))  # type: ignore[arg-type]
            assert passes(Wanted(less))  # type: ignore[arg-type]
    assert passes(Wanted("applied")) is whole
    assert passes(Wanted("green")) is (whole and all(state == "SUCCEEDED" for state in ran))


# --- which commit


def test_the_last_applied_commit_goes() -> None:
    applies = (
        record(5, TWO, verb="destroy"),
        record(4, ONE, folder=True),
        record(3, None),
        record(2, TWO),
        record(1, ONE),
    )
    known = tuple(candidates(applies, lambda applied: applied))
    assert [(each.commit, [r.id for r in each.applies]) for each in known] == [(ONE, [4, 1]), (TWO, [2])]
    assert chosen(known, None) == known[0]
    assert chosen(known, TWO) == known[1]
    assert chosen(known, "3" * 40) == Candidate("3" * 40, "3" * 40)
    assert chosen((), None) is None


def test_of_a_pinned_environment_what_it_was_pinned_to_goes() -> None:
    applies = (record(3, "4" * 40), record(2, "5" * 40), record(1, TWO))
    pins = {"4" * 40: ONE, "5" * 40: ONE, TWO: TWO}
    known = tuple(candidates(applies, pins.__getitem__))
    assert [(each.commit, each.applied, [r.id for r in each.applies]) for each in known] == [
        (ONE, "4" * 40, [3, 2]),
        (TWO, TWO, [1]),
    ]
    assert chosen(known, "5" * 40) == known[0]
