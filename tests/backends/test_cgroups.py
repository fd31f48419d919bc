"""Control groups against a small model of the kernel, which keeps its rules. `test_cgroups_real` asks the real one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.backends.local.cgroups import Groups, Limits, Place, Refusal
from tests.backends.kernel import CHILD, KFGIT, MOUNT, MOUNTS, SHELL, Group, Keeper, Model


def model(own: str = "/unit", **more: object) -> Model:
    """A machine whose unit for kfgit has kfgit and a child of it, and the memory controller."""
    groups = {MOUNT: Group(shared={"memory", "cpu", "pids"})}
    path = MOUNT
    for part in own.strip("/").split("/") if own != "/" else ():
        path = f"{path}/{part}"
        groups[path] = Group(shared=set() if path == MOUNT + own else {"memory", "cpu", "pids"})
    groups[path].processes |= {KFGIT, CHILD}
    parents = {1: 0, SHELL: 1, KFGIT: SHELL, CHILD: KFGIT}
    made = Model(groups, {"memory", "cpu", "pids"}, path, parents)
    for name, value in more.items():
        setattr(made, name, value)
    return made


@st.composite
def machines(draw: st.DrawFn) -> Model:
    """All sorts: where kfgit is, who is there too, what is handed down, and what may be written."""
    own = draw(st.sampled_from(["/", "/unit", "/a/unit"]))
    made = model(own, rooted=draw(st.booleans()), kind=draw(st.sampled_from(["domain", "domain threaded"])))
    for group in made.groups.values():
        group.writable = draw(st.booleans()) or draw(st.booleans())
        if group is not made.groups[made.own]:
            group.shared = set(draw(st.sets(st.sampled_from(["memory", "cpu"]))) | {"pids"})
    made.controllers = set(draw(st.sets(st.sampled_from(["memory", "cpu"]))) | {"pids"})
    made.groups[made.own].processes |= draw(st.sets(st.sampled_from([SHELL, 0, 777])))
    if draw(st.booleans()):
        made.parents[777] = CHILD
    made.coming = draw(st.lists(st.integers(200, 230), max_size=30, unique=True))
    return made


@given(machines())
def test_nobody_else_is_moved_and_a_refusal_leaves_all_as_it_was(made: Model) -> None:
    before, paths = made.where(), set(made.groups)
    keeper = Keeper()
    groups = Groups(made, keeper, KFGIT)
    place = groups.place()
    after = made.where()
    strangers = {SHELL, 0} | ({777} if 777 not in made.parents else set())
    assert {pid: after.get(pid) for pid in strangers & before.keys()} == {
        pid: before[pid] for pid in strangers & before.keys()
    }
    if isinstance(place, Refusal):
        assert set(made.groups) == paths
        assert {pid: after[pid] for pid in before} == before
        return
    assert "memory" in place.controllers
    assert {after[pid] for pid in (KFGIT, CHILD)} == {keeper.places.get(made.own, made.own)}
    folder = groups.make(place, "0", Limits(1 << 20, 500 if "cpu" in place.controllers else None))
    assert made.groups[folder].files["memory.max"] == str(1 << 20)
    assert keeper.groups == {folder}
    made.coming = []
    made.move(CHILD, folder)
    groups.end(folder)
    assert folder not in made.groups
    assert keeper.groups == set()


def test_alone_in_its_group_kfgit_goes_one_level_down() -> None:
    made = model()
    groups = Groups(made, Keeper(), KFGIT)
    place = groups.place()
    assert place == Place(f"{MOUNT}/unit", frozenset({"memory", "cpu"}))
    assert made.groups[f"{MOUNT}/unit/kfgit-100"].processes == {KFGIT, CHILD}
    assert groups.place() is place
    folder = groups.make(place, "x", Limits(96 << 20, 1500))
    assert made.groups[folder].files == {
        "memory.oom.group": "1",
        "memory.max": "100663296",
        "cpu.max": "150000 100000",
    }


def test_at_the_root_nobody_is_moved() -> None:
    made = model("/")
    made.groups[MOUNT].processes.add(SHELL)
    before = made.where()
    assert isinstance(Groups(made, Keeper(), KFGIT).place(), Place)
    assert made.where() == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mounts": ""}, "this machine has no cgroup v2"),
        ({"mounts": MOUNTS.replace(" / /sys", " /elsewhere /sys")}, "kfgit's cgroup is not to be seen from here"),
        ({"controllers": {"pids"}, "groups": {MOUNT: Group({KFGIT})}, "own": MOUNT}, "memory controller is not one"),
        ({"kind": "threaded"}, "kfgit's cgroup is one of threads"),
        ({"parents": {1: 0, KFGIT: 1, CHILD: 1}}, "kfgit is not alone in its cgroup; start it as `systemd-run"),
    ],
)  # fmt: skip
def test_why_not_is_said(change: dict[str, Any], why: str) -> None:
    place = Groups(model(**change), Keeper(), KFGIT).place()
    assert isinstance(place, Refusal)
    assert why in place.why


def test_a_place_that_may_not_be_written_is_refused() -> None:
    made = model()
    made.groups[made.own].writable = False
    place = Groups(made, Keeper(), KFGIT).place()
    assert isinstance(place, Refusal)
    assert place.why.startswith("kfgit may not make groups in its cgroup (Permission denied)")


@pytest.mark.parametrize(
    ("events", "killed"),
    [
        ("low 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n", "by its limit"),
        ("low 0\nmax 0\noom 0\noom_kill 1\n", "by others"),
        ("low 0\nmax 3\noom 0\noom_kill 0\n", None),
        (None, None),
    ],
)
def test_who_killed_it_stands_in_its_events(events: str | None, killed: str | None) -> None:
    made = model()
    made.groups[made.own].files |= {} if events is None else {"memory.events": events}
    assert Groups(made, Keeper(), KFGIT).killed(made.own) == killed


def test_empty_groups_of_the_dead_are_removed_and_no_others() -> None:
    made = model("/")
    for name in ("kfgit-999-x", "kfgit-998-x", f"kfgit-{SHELL}-x", "system"):
        made.groups[f"{MOUNT}/{name}"] = Group()
    made.groups[f"{MOUNT}/kfgit-998-x"].processes.add(CHILD)
    Groups(made, Keeper(), KFGIT).place()
    assert set(made.folders(MOUNT)) == {"kfgit-998-x", f"kfgit-{SHELL}-x", "system"}
