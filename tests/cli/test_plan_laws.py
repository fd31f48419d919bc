"""The laws of plans, for whatever may be wanted and live; carried out on a target in memory and on the local one."""

from __future__ import annotations

import fnmatch
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import given, settings, strategies as st

from kfgit import canonical
from kfgit.apply import apply
from kfgit.backend import MachineFault
from kfgit.backends.local.backend import LocalBackend, LocalSettings
from kfgit.events import ChangeFinished
from kfgit.ir import Package, Resource
from kfgit.plan import (
    FREE_DELETES,
    FREE_SHARE,
    ORDER,
    Adopt,
    Change,
    Create,
    Delete,
    Live,
    LiveObject,
    Plan,
    Replace,
    Rules,
    Unchanged,
    Update,
    action,
    destroy,
    difference,
    excess,
    plan,
    subject,
)

PRUNE = {"Experiment": "experiments", "Pipeline": "pipelines", "Schedule": "schedules", "Run": "runs"}
PACKAGE = Package(
    "p", {"pipelineInfo": {"name": "p"}, "root": {"dag": {"tasks": {}}}, "schemaVersion": "2.1.0"}
)

names = st.sampled_from(["a", "b", "c", "d"])
values = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["x", "y"])
specs = st.dictionaries(st.sampled_from(["k", "l"]), values | st.lists(values, max_size=2), max_size=2)


def resource(kind: str, name: str, spec: Mapping[str, object]) -> Resource:
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]))


@st.composite
def wanted(draw: st.DrawFn) -> list[Resource]:
    keys = draw(st.lists(st.tuples(st.sampled_from(ORDER), names), unique=True, max_size=8))
    return [resource(kind, name, {**draw(specs), **draw(_needs(kind))}) for kind, name in keys]


def _needs(kind: str) -> st.SearchStrategy[dict[str, str]]:
    """What schedules and runs stand on."""
    if kind not in {"Schedule", "Run"}:
        return st.just({})
    return st.fixed_dictionaries({"pipeline": names}, optional={"experiment": names})


@st.composite
def living(draw: st.DrawFn) -> Live:
    keys = draw(st.lists(st.tuples(st.sampled_from(ORDER), names), unique=True, max_size=8))
    objects = []
    for index, (kind, name) in enumerate(keys):
        spec, owned = draw(specs), draw(st.booleans())
        applied = draw(st.sampled_from([None, resource(kind, name, spec).digest, "other"])) if owned else None
        objects.append(LiveObject(kind, name, f"id-{index}", spec, canonical.digest(spec), owned, applied))
    return Live(tuple(objects))


rules = st.builds(
    Rules,
    st.dictionaries(st.sampled_from(sorted(PRUNE.values())), st.sampled_from(["delete", "keep"])),
    st.lists(st.sampled_from(["pipeline/*", "*/a", "schedule/b", "*"]), max_size=2).map(tuple),
)


def made(desired: list[Resource], live: Live, how: Rules) -> Plan:
    return plan("local", "local", desired, live, how)


@dataclass
class Memory:
    """A target that holds objects and does nothing else."""

    objects: dict[tuple[str, str, bool], LiveObject] = field(default_factory=dict)
    parallelism: int = 1

    def observe(self) -> Live:
        return Live(tuple(self.objects.values()))

    def perform(self, change: Change) -> str:
        match change:
            case (
                Create(desired=desired)
                | Update(desired=desired)
                | Replace(desired=desired)
                | Adopt(desired=desired)
            ):
                key = (desired.kind, desired.name, True)
                found = LiveObject(
                    desired.kind,
                    desired.name,
                    f"id-{desired.digest[:8]}",
                    desired.spec,
                    "",
                    owned=True,
                    applied=desired.digest,
                )
                self.objects[key] = replace(found, digest=canonical.digest(desired.spec))
                return found.id
            case Delete(live=live):
                del self.objects[live.kind, live.name, True]
                return live.id
            case Unchanged():
                return ""


def carried_out(found: Plan, target: Memory) -> None:
    for event in apply(found, target):  # type: ignore[arg-type]  # starts no runs
        if isinstance(event, ChangeFinished):
            assert event.state == "done"


@given(wanted(), living(), rules, st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_count(
    desired: list[Resource], live: Live, how: Rules, chance: random.Random
) -> None:
    shuffled, objects = list(desired), list(live.objects)
    chance.shuffle(shuffled)
    chance.shuffle(objects)
    one, other = made(desired, live, how), made(shuffled, Live(tuple(objects)), how)
    assert one == other
    assert one.digest == other.digest


@given(wanted(), living(), rules)
def test_changes_come_in_an_order_that_can_be_carried_out(
    desired: list[Resource], live: Live, how: Rules
) -> None:
    changes = made(desired, live, how).pending
    deletes = [isinstance(change, Delete) for change in changes]
    assert deletes == sorted(deletes)
    ranks = [ORDER.index(subject(change)[0]) for change in changes]
    count = deletes.count(False)
    assert ranks[:count] == sorted(ranks[:count])
    assert ranks[count:] == sorted(ranks[count:], reverse=True)


@given(wanted(), living(), rules)
def test_every_object_is_told_once(desired: list[Resource], live: Live, how: Rules) -> None:
    found = made(desired, live, how)
    keys = [subject(change) for change in found.changes]
    assert len(keys) == len(set(keys))
    assert {(r.kind, r.name) for r in desired} <= set(keys)
    assert sum(found.summary.values()) == len(keys)
    assert (found.owned, found.wanted) == (sum(o.owned for o in live.objects), len(desired))


@given(wanted(), living(), rules)
def test_what_is_as_it_should_be_and_what_is_foreign_is_not_touched(
    desired: list[Resource], live: Live, how: Rules
) -> None:
    objects = {(o.kind, o.name): o for o in live.objects}
    specs_of = {(r.kind, r.name): r for r in desired}
    for change in made(desired, live, how).pending:
        key = subject(change)
        found = objects.get(key)
        assert found is None or found.owned or (key[0] == "Run" and isinstance(change, Create))
        if isinstance(change, Update | Replace):
            assert found is not None
            assert change.diff == tuple(difference(found.spec, specs_of[key].spec))
            alike = found.applied == specs_of[key].digest
            # Without a difference it is what was written down of it that is behind.
            assert change.diff or (found.applied is not None and not alike)
            assert change.cause == ("adoption" if found.applied is None else "drift" if alike else "source")


@given(wanted(), living(), rules)
def test_deletes_follow_the_rules(desired: list[Resource], live: Live, how: Rules) -> None:
    wished = {(r.kind, r.name) for r in desired}
    expected = {
        (o.kind, o.name)
        for o in live.objects
        if o.owned
        and (o.kind, o.name) not in wished
        and how.prune.get(PRUNE[o.kind]) == "delete"
        and not any(fnmatch.fnmatchcase(f"{o.kind.lower()}/{o.name}", glob) for glob in how.protect)
    }
    assert {subject(c) for c in made(desired, live, how).changes if isinstance(c, Delete)} == expected


@given(wanted(), living(), rules)
def test_apply_then_plan_is_empty(desired: list[Resource], live: Live, how: Rules) -> None:
    # A run that others made is none of ours: there only is one after we started it.
    target = Memory({(o.kind, o.name, o.owned): o for o in live.objects if o.owned or o.kind != "Run"})
    foreign = {key: found for key, found in target.objects.items() if not found.owned}
    carried_out(made(desired, target.observe(), how), target)
    again = made(desired, target.observe(), how)
    assert again.pending == ()
    assert foreign.items() <= target.objects.items()
    assert again.digest == made([], Live(()), how).digest


@given(living(), rules)
def test_destroy_leaves_what_is_foreign_or_protected(live: Live, how: Rules) -> None:
    target = Memory({(o.kind, o.name, o.owned): o for o in live.objects})
    carried_out(destroy("local", "local", target.observe(), how), target)
    left = [o for o in target.objects.values() if o.owned]
    assert all(
        any(fnmatch.fnmatchcase(f"{o.kind.lower()}/{o.name}", glob) for glob in how.protect) for o in left
    )
    assert {o.id for o in live.objects if not o.owned} <= {o.id for o in target.objects.values()}
    assert destroy("local", "local", target.observe(), how).pending == ()


@given(st.integers(0, 40), st.integers(0, 40))
def test_much_is_not_deleted_without_a_word(kept: int, gone: int) -> None:
    objects = [LiveObject("Schedule", f"s{i}", f"{i}", {}, "", owned=True) for i in range(kept + gone)]
    desired = [resource("Schedule", f"s{i}", {}) for i in range(kept)]
    told = excess(made(desired, Live(tuple(objects)), Rules({"schedules": "delete"})))
    assert (told is None) == (
        gone == 0 or (kept > 0 and gone <= max(FREE_DELETES, FREE_SHARE * (kept + gone)))
    )


@given(specs, specs)
def test_a_difference_tells_what_differs(one: dict[str, object], other: dict[str, object]) -> None:
    found = list(difference(one, other))
    assert (found == []) == all(one.get(key) == other.get(key) for key in {*one, *other})
    assert [(d.path, d.after, d.before) for d in found] == [
        (d.path, d.before, d.after) for d in difference(other, one)
    ]


@dataclass
class Failing:
    """Fails at one change, by a fault of the machine or a mistake of its own."""

    memory: Memory
    at: int
    parallelism: int
    fault: Exception

    def perform(self, change: Change) -> str:
        self.at -= 1
        if self.at == -1:
            raise self.fault
        return self.memory.perform(change)


faults = st.sampled_from([MachineFault("no"), KeyError("no")])


@given(wanted(), living(), rules, st.integers(0, 8), st.integers(1, 3), faults)
def test_a_failure_stops_what_stands_on_it_and_the_next_apply_ends_it(
    desired: list[Resource], live: Live, how: Rules, at: int, parallelism: int, fault: Exception
) -> None:
    target = Memory({(o.kind, o.name, o.owned): o for o in live.objects if o.owned or o.kind != "Run"})
    first = made(desired, target.observe(), how)
    broken = Failing(target, at, parallelism, fault)
    ends = [e for e in apply(first, broken) if isinstance(e, ChangeFinished)]  # type: ignore[arg-type]
    told = [(e.action, e.kind, e.name) for e in ends]
    assert sorted(told) == sorted((action(c), *subject(c)) for c in first.pending)
    failed = {(e.kind, e.name) for e in ends if e.state == "failed"}
    assert len(failed) == (at < sum(e.state != "skipped" for e in ends))
    stood = {(e.kind, e.name) for e in ends if e.state == "skipped" and e.action != "delete"}
    # Deletions come last: nothing is left to stand on one that failed.
    missing = {(e.kind, e.name) for e in ends if e.state == "failed" and e.action != "delete"}
    needing = {
        subject(c)
        for c in first.pending
        if not isinstance(c, Delete | Unchanged)
        and not missing.isdisjoint(
            {("Pipeline", c.desired.spec.get("pipeline")), ("Experiment", c.desired.spec.get("experiment"))}
        )
    }
    assert stood == needing
    if missing:
        assert {e.state for e in ends if e.action == "delete"} <= {"skipped"}
    carried_out(made(desired, target.observe(), how), target)
    assert made(desired, target.observe(), how).pending == ()


@contextmanager
def local() -> Iterator[LocalBackend]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        backend = LocalBackend.open(LocalSettings(root / "s", root, root, root / "e", "local", "demo"))
        try:
            yield backend
        finally:
            backend.close()


def on_the_target(desired: list[Resource]) -> list[Resource]:
    """The same wishes as a real target takes them."""
    found = []
    for each in desired:
        match each.kind:
            case "Experiment":
                found.append(resource("Experiment", each.name, {"description": str(each.spec.get("k"))}))
            case "Pipeline":
                package = Package("p", {**PACKAGE.spec, "x": each.spec.get("k")})
                about = {"displayName": "", "description": str(each.spec.get("l")), "digest": package.digest}
                found.append(replace(resource("Pipeline", each.name, about), package=package))
            case "Schedule":
                spec: dict[str, object] = {
                    "pipeline": "p",
                    "cron": "0 0 2 * * *",
                    "every": None,
                    "timezone": "UTC",
                    "start": None,
                    "end": None,
                }
                found.append(resource("Schedule", each.name, {**spec, "inputs": each.spec, "enabled": True}))
            case _:
                pass
    return found


@settings(max_examples=25, deadline=None)
@given(wanted(), wanted(), rules)
def test_the_local_target_keeps_the_laws(first: list[Resource], second: list[Resource], how: Rules) -> None:
    with local() as backend:
        for desired in map(on_the_target, (first, second, first)):
            for event in apply(plan("local", "local", desired, backend.observe(), how), backend):
                assert not isinstance(event, ChangeFinished) or event.state == "done", event
            assert plan("local", "local", desired, backend.observe(), how).pending == ()
        for _ in apply(destroy("local", "local", backend.observe(), Rules()), backend):
            pass
        assert not [thing for thing in backend.observe().objects if thing.owned]
