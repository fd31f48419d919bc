"""`kfgit schedules`: what it tells of ticks, and what it does to schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kfgit import ticks
from kfgit.backends.local import firing, holding
from kfgit.backends.local.store import Database, ticks as records
from tests.cli.acting import FULL, edit, plan, sql
from tests.cli.conftest import Kfgit, MakeProject

# Made two days and some hours ago, so that ticks of 02:00 are owed.
MADE = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=2)


@pytest.fixture
def root(kfgit: Kfgit, project: MakeProject) -> Path:
    root = project(FULL)
    assert kfgit("apply", cwd=root).code == 0
    sql(root, f"UPDATE schedules SET since = '{MADE:%Y-%m-%dT%H:%M:%S.%fZ}', created_at = since")
    sql(root, "UPDATE schedules SET created_at = since, updated_at = since")
    return root


def fire(root: Path, now: datetime) -> list[str]:
    """What a server would do then."""
    database = Database(root / ".kfgit" / "local" / "state.db")
    found = list[str]()
    while (done := firing.fire(database, "local", now)).looked:
        found += done.fired
    database.close()
    return found


def at(days: int, hours: float) -> datetime:
    return MADE.replace(hour=0) + timedelta(days=days, hours=hours)


def shown(kfgit: Kfgit, root: Path, name: str = "nightly") -> Any:
    return kfgit("schedules", "show", name, "-o", "json", cwd=root).json


def test_what_is_owed_is_told_until_a_server_fires_it(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("schedules", "next", "nightly", cwd=root)
    assert f"owed since {at(0, 2):%a %Y-%m-%d} 02:00 UTC: it fires as soon as a server looks" in told.out
    assert told.out.count("02:00 UTC") == 6
    assert told.err == "kfgit: nothing fires until a server does it: kfgit up -e local\n"
    assert [owed[-9:] for owed in shown(kfgit, root)["owed"]][:2] == ["02:00:00Z", "02:00:00Z"]
    fire(root, datetime.now(UTC))
    assert shown(kfgit, root)["owed"] == []
    assert "owed" not in kfgit("schedules", "next", "nightly", cwd=root).out


def test_an_interval_of_the_api_has_no_zone(kfgit: Kfgit, root: Path) -> None:
    sql(root, "UPDATE schedules SET spec = json_set(spec, '$.cron', '@every 5400s')")
    line = kfgit("schedules", "list", cwd=root).out.splitlines()[1]
    assert "  @every 5400s  yes  " in line


def test_of_much_that_is_owed_the_first_is_told(kfgit: Kfgit, root: Path) -> None:
    sql(root, "UPDATE schedules SET spec = json_set(spec, '$.cron', '0 * * * * *')")
    told = kfgit("schedules", "next", "nightly", cwd=root).out
    assert f"owed since {at(0, 1):%a %Y-%m-%d} 01:01 UTC" in told
    assert len(shown(kfgit, root)["owed"]) == ticks.TAIL + 1


def test_the_last_that_fired_is_told_however_many_were_skipped_since(kfgit: Kfgit, root: Path) -> None:
    sql(root, "UPDATE schedules SET spec = json_set(spec, '$.cron', '0 * * * * *')")
    (run,) = fire(root, at(0, 1.02))
    assert kfgit("runs", "watch", run, cwd=root).code == 0
    sql(root, "DELETE FROM versions")
    sql(root, "UPDATE schedules SET package = NULL, version_id = NULL")
    for minute in range(2, 110):
        fire(root, at(0, 1) + timedelta(minutes=minute))
    assert "✔ SUCCEEDED" in kfgit("schedules", "list", cwd=root).out
    assert shown(kfgit, root)["last"]["runState"] == "SUCCEEDED"
    assert [tick["state"] for tick in shown(kfgit, root)["ticks"]] == ["skipped"] * records.KEPT


def test_the_list_shows_the_last_tick_and_how_its_run_came_out(kfgit: Kfgit, root: Path) -> None:
    assert "never" in kfgit("schedules", "list", cwd=root).out
    (run,) = fire(root, at(0, 2))
    assert "PENDING" in kfgit("schedules", "list", cwd=root).out
    assert kfgit("runs", "watch", run, cwd=root).code == 0
    line = kfgit("schedules", "list", cwd=root).out.splitlines()[1]
    assert "✔ SUCCEEDED" in line
    (item,) = kfgit("schedules", "list", "-o", "json", cwd=root).json["items"]
    assert (item["last"]["run"], item["last"]["runState"], item["last"]["at"]) == (
        run,
        "SUCCEEDED",
        f"{at(0, 2):%Y-%m-%dT%H:%M:%SZ}",
    )
    assert (item["held"], item["owned"]) == (None, True)


def test_why_a_tick_did_not_fire_is_told(kfgit: Kfgit, root: Path) -> None:
    (run,) = fire(root, at(0, 2))
    fire(root, at(1, 2))
    listed = kfgit("schedules", "list", cwd=root).out
    busy = "maxConcurrency is 1, and a run of it had not ended"
    assert f"nightly lets the tick of {at(1, 2):%a %Y-%m-%d} 02:00 UTC wait: {busy}" in listed
    assert "it lets the tick of" in kfgit("schedules", "next", cwd=root).out
    kfgit("runs", "cancel", run, cwd=root)
    sql(root, "DELETE FROM versions")
    sql(root, "UPDATE schedules SET package = NULL, version_id = NULL")
    fire(root, at(1, 3))
    assert shown(kfgit, root)["held"]["reason"].startswith("the pipeline `hello` has no version `")
    assert "nightly skipped the tick of" in kfgit("schedules", "list", cwd=root).out
    assert "has no version" in kfgit("schedules", "show", "nightly", cwd=root).out


def test_a_schedule_is_shown_with_its_history(kfgit: Kfgit, root: Path) -> None:
    first = fire(root, at(0, 2))
    kfgit("runs", "watch", *first, cwd=root)
    second = fire(root, at(1, 5))
    told = kfgit("schedules", "show", "nightly", cwd=root).out
    rows = told.split("TICK")[1].splitlines()[1:]
    assert [row.split()[4] for row in rows] == ["fired", "fired"]
    assert rows[0].endswith(f"{second[0][:8]}  3h late")
    assert "maxConcurrency  1" in told
    assert [(tick["state"], tick["run"]) for tick in shown(kfgit, root)["ticks"]] == [
        ("fired", second[0]),
        ("fired", first[0]),
    ]


def test_what_nobody_made_up_for_is_told_with_the_reason(kfgit: Kfgit, root: Path) -> None:
    fire(root, at(2, 0))
    ticks = shown(kfgit, root)["ticks"]
    assert [tick["state"] for tick in ticks] == ["fired", "skipped"]
    assert "no server ran at that time" in kfgit("schedules", "show", "nightly", cwd=root).out


def test_a_schedule_is_turned_off_and_on(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("schedules", "disable", "nightly", cwd=root)
    assert (told.code, told.out) == (0, "nightly  disabled\n")
    assert "the next apply makes it what its document says" in told.err
    assert fire(root, at(0, 2)) == []
    assert "disabled" in kfgit("schedules", "next", cwd=root).out
    assert list(plan(kfgit, root)) == ["Schedule/nightly"]
    told = kfgit("schedules", "enable", "schedule/nightly", "-o", "json", cwd=root)
    assert [item["spec"]["enabled"] for item in told.json["items"]] == [True]
    assert told.err == ""
    assert plan(kfgit, root) == {}
    before = sql(root, "SELECT updated_at FROM schedules")
    kfgit("schedules", "enable", "nightly", cwd=root)
    assert sql(root, "SELECT updated_at FROM schedules") == before


def test_a_run_is_started_out_of_turn(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("schedules", "trigger", "nightly", "-o", "json", cwd=root)
    assert told.code == 0
    run = told.json
    assert (run["pipeline"], run["experiment"], run["state"]) == ("hello", "Default", "SUCCEEDED")
    assert run["name"].startswith("nightly-")
    assert shown(kfgit, root)["ticks"] == []
    assert sql(root, "SELECT schedule = (SELECT id FROM schedules), scheduled_at FROM runs") == [(1, None)]
    assert len(fire(root, at(0, 2))) == 1


def test_a_run_is_left_to_the_server_only_where_there_is_one(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("schedules", "trigger", "nightly", "--detach", cwd=root)
    assert (told.code, told.out) == (3, "")
    assert "kfgit up -e local" in told.err
    assert sql(root, "SELECT count(*) FROM runs") == [(0,)]
    state = root / ".kfgit" / "local"
    held = holding.hold(state, holding.this_process("somebody", "now", engine=True, scheduler=True))
    try:
        told = kfgit("schedules", "trigger", "nightly", "--detach", cwd=root)
        assert (told.code, sql(root, "SELECT id FROM runs")) == (0, [(told.out.strip(),)])
        assert kfgit("schedules", "list", cwd=root).err == ""
    finally:
        held.release()


def test_what_cannot_run_is_refused(kfgit: Kfgit, root: Path) -> None:
    sql(root, """UPDATE schedules SET spec = json_set(spec, '$.inputs', json('{"nobody": 1}'))""")
    told = kfgit("schedules", "trigger", "nightly", cwd=root)
    assert told.code == 3
    assert "nobody" in told.err
    assert sql(root, "SELECT count(*) FROM runs") == [(0,)]


@pytest.mark.parametrize("verb", ["show", "enable", "disable", "trigger", "next"])
def test_a_schedule_is_named_by_the_beginning_of_its_name_or_id(kfgit: Kfgit, root: Path, verb: str) -> None:
    ((id_,),) = sql(root, "SELECT id FROM schedules")
    for name in ("nightly", "night", "schedule/nightly", str(id_), str(id_)[:8]):
        assert kfgit("schedules", verb, name, cwd=root).code == 0
    told = kfgit("schedules", verb, "nightli", cwd=root)
    assert (told.code, told.out) == (64, "")
    assert "did you mean `nightly`" in told.err or "known: `nightly`" in told.err


def test_schedules_of_one_name_are_told_apart_by_their_ids(kfgit: Kfgit, root: Path) -> None:
    sql(
        root,
        """INSERT INTO schedules (id, name, spec, enabled, created_at, updated_at, since)
            SELECT 'another', name, spec, enabled, created_at, updated_at, since FROM schedules""",
    )
    told = kfgit("schedules", "disable", "nightly", cwd=root)
    assert (told.code, told.out) == (64, "")
    assert "several schedules are called `nightly`; give the id of one:" in told.err
    assert "another" in told.err
    assert kfgit("schedules", "disable", "another", cwd=root).code == 0
    assert sql(root, "SELECT enabled FROM schedules ORDER BY id = 'another'") == [(1,), (0,)]


def test_one_that_cannot_be_read_is_shown_all_the_same(kfgit: Kfgit, root: Path) -> None:
    sql(root, """UPDATE schedules SET spec = json_set(spec, '$.timezone', 'Mars/Olympus')""")
    assert fire(root, at(0, 2)) == []
    for verb in ("list", "next", "show"):
        told = kfgit("schedules", verb, *(["nightly"] if verb == "show" else []), cwd=root)
        assert told.code == 0
        assert ("there is no time zone `Mars/Olympus`" in told.out) == (verb != "next")
    assert kfgit("schedules", "trigger", "nightly", cwd=root).code == 0


def test_hostile_names_do_not_reach_the_terminal(kfgit: Kfgit, root: Path) -> None:
    sql(root, "UPDATE schedules SET name = 'a' || char(27) || '[2Jb'")
    for verb in ("list", "next"):
        assert "\x1b[2J" not in kfgit("schedules", verb, cwd=root).out
    assert "\x1b[2J" not in kfgit("schedules", "show", "a", cwd=root).out
    assert "\x1b[2J" not in kfgit("schedules", "disable", "a", cwd=root).out


def test_a_replaced_schedule_goes_on_counting(kfgit: Kfgit, root: Path) -> None:
    """The run of the old one goes on meanwhile, and counts."""
    (run,) = fire(root, at(0, 2))
    edit(root, "pipelines/nightly.yaml", "pipeline: hello", "pipeline: hello\n  inputs: {name: Ada}")
    assert plan(kfgit, root)["Schedule/nightly"][0] in {"replace", "update"}
    assert kfgit("apply", cwd=root).code == 0
    assert fire(root, at(0, 3)) == fire(root, at(1, 2)) == []
    history = [(tick["state"], tick["at"]) for tick in shown(kfgit, root)["ticks"]]
    assert history == [
        ("waiting", f"{at(1, 2):%Y-%m-%dT%H:%M:%SZ}"),
        ("fired", f"{at(0, 2):%Y-%m-%dT%H:%M:%SZ}"),
    ]
    kfgit("runs", "cancel", run, cwd=root)
    (second,) = fire(root, at(1, 3))
    assert kfgit("runs", "show", second, "-o", "json", cwd=root).json["inputs"] == {"name": "Ada"}
    assert sql(root, "SELECT count(*), count(DISTINCT scheduled_at) FROM runs") == [(2, 2)]
    assert sql(root, "SELECT count(*) FROM runs WHERE schedule = (SELECT id FROM schedules)") == [(2,)]
