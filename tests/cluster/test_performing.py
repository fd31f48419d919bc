"""Changes carried out against a KFP server: killed, cut, doubled at every write, and the same state in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest

from kfgit.backends.cluster.kfp_api import RunQuery
from kfgit.ir import Resource
from kfgit.plan import Unchanged
from tests.cluster import carrying
from tests.cluster.carrying import FATES, Fated, Killed, Target, package, resource, run, schedule
from tests.e2e.door import Project
from tests.serving import serving


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that stores and runs nothing."""
    with serving(Project.new(tmp_path_factory.mktemp("kfp")), "--no-engine") as server:
        yield server.url


@pytest.fixture
def target(url: str) -> Target:
    """A set of its own."""
    return carrying.target(url, uuid4().hex[:16])


class Wanted:
    """What two commits of one project want; the second one changes, replaces and deletes."""

    def __init__(self) -> None:
        tag = uuid4().hex[:8]
        self.tag = tag
        self.e, self.p, self.gone = f"exp-{tag}", f"pipe-{tag}", f"gone-{tag}"
        self.nightly, self.hourly, self.off = f"nightly-{tag}", f"hourly-{tag}", f"off-{tag}"
        self.one, self.two = package("hello"), package("goodbye")

    @property
    def first(self) -> list[Resource]:
        return [
            resource("Experiment", self.e, {"description": "a first one"}),
            self._pipeline(self.gone, "hello"),
            self._pipeline(self.p, "hello"),
            schedule(self.hourly, self.p, self.one, self.e, cron="0 0 * * * *", inputs={"who": "hourly"}),
            schedule(self.nightly, self.p, self.one, f"loose-{self.tag}"),
            schedule(self.off, self.p, self.one, self.e, enabled=False),
            schedule(f"late-{self.gone}", self.gone, self.one, self.e),
            run(f"begin-{self.tag}", self.p, self.one, self.e),
        ]

    @property
    def second(self) -> list[Resource]:
        return [
            resource("Experiment", self.e, {"description": "a first one"}),
            self._pipeline(self.p, "goodbye"),
            schedule(self.hourly, self.p, self.two, self.e, cron="0 30 * * * *", inputs={"who": "hourly"}),
            schedule(self.nightly, self.p, self.two, f"loose-{self.tag}", enabled=False),
            schedule(self.off, self.p, self.one, self.e),
            run(f"begin-{self.tag}", self.p, self.two, self.e, key="twice"),
        ]

    def _pipeline(self, name: str, word: str) -> Resource:
        made_of = package(word)
        spec = {"displayName": "", "description": "says it", "digest": made_of.digest}
        return resource("Pipeline", name, spec, made_of)


def check(target: Target, desired: list[Resource], runs: int) -> None:
    """The server has what is wanted, once, and a plan finds nothing to do."""
    found, _, _ = target.plan(desired)
    assert [change for change in found.changes if not isinstance(change, Unchanged)] == []
    for each in desired:
        if each.kind == "Schedule":
            assert [one.enabled for one in target.schedules(each.name)] == [each.spec["enabled"]]
        if each.kind == "Run":
            assert len(target.kfp.runs(RunQuery(display_name=each.name))) == runs


def never_two(target: Target, wanted: Wanted) -> None:
    """Of no name two schedules are on."""
    for name in (wanted.nightly, wanted.hourly, wanted.off):
        assert sum(each.enabled for each in target.schedules(name)) <= 1


def test_what_is_wanted_comes_to_be_and_changes_and_goes(target: Target) -> None:
    wanted = Wanted()
    for desired, runs in ((wanted.first, 1), (wanted.second, 2)):
        told = target.apply(desired)
        assert [each.error for each in told if each.state != "done"] == []
        check(target, desired, runs)
    assert target.kfp.pipeline_named(wanted.gone) is None
    assert [each.error for each in target.apply([]) if each.state != "done"] == []
    assert target.kfp.pipeline_named(wanted.p) is None
    assert target.kfp.experiment_named(wanted.e) is None
    assert target.kfp.experiment_named(f"loose-{wanted.tag}") is not None


def meet(target: Target, desired: list[Resource], wanted: Wanted, fate: str, n: int) -> bool:
    """An apply whose `n`th write meets its fate, and another one; whether there was such a write."""
    wire = Fated(target.wire, n, FATES[fate], watch=lambda: never_two(target, wanted))
    with suppress(Killed):
        target.apply(desired, wire)
    following = Fated(target.wire, late=wire.late, wait=n % 9, watch=wire.watch)
    told = target.apply(desired, following)
    assert [each.error for each in told if each.state != "done"] == []
    for each in following.late:
        each()
    if fate in ("late", "killed_late"):
        # What came in after it was looked for is a leftover.
        target.apply(desired)
    return len(wire.writes) >= n


@pytest.mark.parametrize("fate", FATES)
def test_at_every_write_of_two_commits(url: str, fate: str) -> None:
    done = False
    n = 0
    while not done:
        n += 1
        wanted = Wanted()
        target = carrying.target(url, uuid4().hex[:16])
        there = meet(target, wanted.first, wanted, fate, n)
        check(target, wanted.first, 1)
        there = meet(target, wanted.second, wanted, fate, n) or there
        check(target, wanted.second, 2)
        done = not there
    assert n > 15
