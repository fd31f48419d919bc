from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfgit.backend import MachineFault, Refused
from kfgit.durations import RunTimes
from kfgit.plan import Change, subject
from tests.agent.stage import FILES, PIPELINE, SCHEDULE, Stage, environment, failing, stage

WITH_A_RUN = {
    **FILES,
    "environments/prod.yaml": environment(cluster=True),
    "pipelines/smoke.yaml": """\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {name: smoke}
spec: {pipeline: hello, trigger: onChange}
""",
}
DONE = ["applying", "change", "change", "applied", "synced"]


@pytest.fixture
def on(tmp_path: Path) -> Stage:
    """An agent that has applied the first commit."""
    made = stage(tmp_path)
    assert made.turn() == "applied"
    made.events()
    return made


def test_the_first_turn_applies_the_newest_commit(tmp_path: Path) -> None:
    made = stage(tmp_path)
    assert not made.agent.ready()
    assert made.turn() == "applied"
    assert made.table.did == ["begin agent", "create pipeline/hello", "create schedule/nightly", "end"]
    assert made.events() == ["commit", *DONE]
    assert made.agent.ready()
    commit = made.repo.git("rev-parse", "HEAD")
    assert made.number("kfgit_agent_applied_info", commit=commit, environment="prod") == 1
    assert made.number("kfgit_agent_changes_total", action="create", state="done") == 2
    assert made.number("kfgit_agent_lag_seconds") == 0
    assert made.number("kfgit_agent_last_success_timestamp_seconds") == 1.7e9


def test_nothing_is_told_and_done_while_nothing_happens(on: Stage) -> None:
    on.table.did.clear()
    assert [on.turn(60) for _ in range(5)] == ["unchanged"] * 5
    assert on.table.did == []
    assert on.events() == []
    assert on.number("kfgit_agent_turns_total", result="unchanged") == 5
    # One look for each turn, two for the one that applied: once more under the lock.
    assert on.table.looks == 7
    assert on.number("kfgit_agent_api_requests_total") == 21


def test_a_new_commit_is_applied(on: Stage) -> None:
    on.table.did.clear()
    on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    assert on.turn(60) == "applied"
    assert on.table.did == ["begin agent", "replace schedule/nightly", "end"]
    assert on.events() == ["commit", "applying", "change", "applied", "synced"]


def test_a_commit_that_changes_nothing_is_written_down_once(on: Stage) -> None:
    on.table.did.clear()
    on.repo.commit({"README": "words"})
    assert [on.turn(60) for _ in range(3)] == ["unchanged"] * 3
    assert on.table.did == ["begin agent", "end"]
    assert on.events() == ["commit", "synced"]
    assert [record.commit for record in on.table.records] == [
        on.repo.git("rev-parse", rev) for rev in ("HEAD", "HEAD~")
    ]


def test_an_older_commit_that_changes_nothing_is_not_written_down(tmp_path: Path) -> None:
    made = stage(tmp_path, {**FILES, "environments/prod.yaml": environment(cluster=True)})
    made.repo.commit({"README": "words"})
    assert made.turn() == "applied"
    made.repo.git("reset", "--hard", "HEAD~")
    made.table.did.clear()
    assert [made.turn(60) for _ in range(2)] == ["unchanged"] * 2
    assert made.table.did == []


def test_what_no_document_wants_any_more_is_pruned(on: Stage) -> None:
    on.repo.commit({"pipelines/nightly.yaml": None})
    assert on.turn(60) == "applied"
    assert on.table.did[-2:] == ["delete schedule/nightly", "end"]


# --- mistakes and refusals


def test_an_invalid_commit_is_told_once_and_tried_no_more(on: Stage) -> None:
    on.repo.commit(
        {
            "pipelines/bad.yaml": PIPELINE.replace("hello", "bad").replace(
                "component: greet", "component: gret"
            )
        }
    )
    looks = on.table.looks
    assert [on.turn(60) for _ in range(4)] == ["invalid"] * 4
    told = [each for each in on.told if each.event == "invalid"]
    assert len(told) == 1
    assert "pipelines/bad.yaml:12: unknown-component" in told[0].message
    assert told[0].fields["mistakes"][0]["code"] == "unknown-component"
    # Not even drift is healed while nobody knows what is wanted.
    assert on.table.looks == looks
    assert on.number("kfgit_agent_lag_seconds") == 180
    on.repo.commit({"pipelines/bad.yaml": None})
    on.events()
    assert on.turn(60) == "unchanged"
    assert on.events() == ["commit", "synced"]


def test_an_environment_that_the_commit_does_not_know_is_a_mistake_of_it(on: Stage) -> None:
    on.repo.git("mv", "environments/prod.yaml", "environments/other.yaml")
    on.repo.commit({"environments/other.yaml": environment("other")})
    assert on.turn(60) == "invalid"
    assert "there is no environment `prod`" in on.told[-1].message


def test_what_must_be_confirmed_is_told_once_and_left_to_people(tmp_path: Path) -> None:
    files = {f"pipelines/s{n}.yaml": SCHEDULE.replace("nightly", f"s{n}") for n in range(5)}
    made = stage(tmp_path, {**FILES, **files})
    made.turn()
    made.repo.commit(dict.fromkeys(files))
    made.events()
    made.table.did.clear()
    assert [made.turn(60) for _ in range(3)] == ["refused"] * 3
    assert made.table.did == []
    assert made.table.locked_by is None
    [refused] = [each for each in made.told if each.event == "refused"]
    assert "this plan deletes 5 of 7 objects" in refused.message
    assert "`kfgit apply -e prod --confirm " in refused.message
    # Somebody has done it.
    for n in range(5):
        made.table.live.pop(("Schedule", f"s{n}"))
        made.table.known.pop(("Schedule", f"s{n}"))
    made.events()
    assert made.turn(60) == "unchanged"
    assert made.events() == ["synced"]


def test_a_cluster_gets_no_commit_that_is_older_and_none_of_another_branch(tmp_path: Path) -> None:
    made = stage(tmp_path, {**FILES, "environments/prod.yaml": environment(cluster=True)})
    assert made.turn() == "applied"
    made.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    assert made.turn(60) == "applied"
    made.events()
    # Somebody pushes by force: the last applied commit is not behind this one.
    made.repo.git("reset", "--hard", "--quiet", "HEAD~1")
    made.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 4")})
    assert [made.turn(60), made.turn(60)] == ["refused", "refused"]
    [refused] = [each for each in made.told if each.event == "refused"]
    assert "does not descend from" in refused.message
    assert "kfgit apply -e prod --allow-older" in refused.message


# --- policies


def frozen(start: str, end: str) -> str:
    return environment() + f"  policies: {{freeze: [{{start: {start}, end: {end}, reason: audit}}]}}\n"


def test_in_a_freeze_it_waits(on: Stage) -> None:
    """The stage's clock stands on 2023-11-14T22:13:20Z."""
    on.table.did.clear()
    window = ("2023-11-14T22:13:20Z", "2023-11-15T06:00:00Z")
    on.repo.commit({"environments/prod.yaml": frozen(*window)})
    assert on.turn(60) == "unchanged"  # there is nothing to change
    on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    on.table.did.clear()
    assert [on.turn(60), on.turn(60)] == ["refused", "refused"]
    assert on.table.did == []
    [refused] = [each for each in on.told if each.event == "refused"]
    assert refused.message == (
        "environments/prod.yaml:7: policy-freeze: `prod` is frozen until 2023-11-15T06:00:00Z: audit; "
        "the agent waits until that is over, or for a new commit"
    )
    on.repo.commit({"environments/prod.yaml": frozen("2023-11-14T00:00:00Z", "2023-11-14T22:13:20Z")})
    assert on.turn(60) == "applied"


def test_it_spends_no_more_than_the_budget(on: Stage) -> None:
    on.table.did.clear()
    on.table.ran["hello"] = (RunTimes(60, {"greet": 3600.0}),)
    price = "---\napiVersion: kfgit.dev/v1\nkind: ResourceProfile\nmetadata: {name: big}\nspec: {cost: {perHour: 2}}\n"
    budget = environment() + "  policies: {budgetPerMonth: 50}\n"
    on.repo.commit(
        {
            "environments/prod.yaml": budget,
            "pipelines/hello.yaml": PIPELINE.replace(
                "greet: {component: greet}", "greet: {component: greet, profile: big}"
            )
            + price,
            "pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3"),
        }
    )
    assert [on.turn(60), on.turn(60)] == ["refused", "refused"]
    assert on.table.did == []
    [refused] = [each for each in on.told if each.event == "refused"]
    assert "would cost 60.00 USD in 30 days; the budget is 50; the agent waits" in refused.message
    on.repo.commit({"environments/prod.yaml": budget.replace("50", "60")})
    assert on.turn(60) == "applied"


def test_it_changes_nothing_that_is_protected(on: Stage) -> None:
    on.table.did.clear()
    protected = environment() + "  policies: {protected: [schedule/nightly]}\n"
    on.repo.commit(
        {
            "environments/prod.yaml": protected,
            "pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3"),
        }
    )
    assert on.turn(60) == "refused"
    assert on.table.did == []
    [refused] = [each for each in on.told if each.event == "refused"]
    assert "schedule/nightly would be replaced, and `schedule/nightly` is protected" in refused.message
    on.repo.commit({"environments/prod.yaml": environment()})
    assert on.turn(60) == "applied"


def test_how_runs_end_is_written_down_once_and_asked_for_until_then(tmp_path: Path) -> None:
    made = stage(tmp_path, WITH_A_RUN)
    assert made.turn() == "applied"
    made.table.ended["id"] = "RUNNING"
    made.table.did.clear()
    assert [made.turn(60) for _ in range(2)] == ["unchanged"] * 2
    assert made.table.did == []
    made.table.ended["id"] = "SUCCEEDED"
    # Somebody else applies: it is said later.
    made.table.locked_by = "ada"
    assert made.turn(60) == "unchanged"
    made.table.locked_by = None
    assert [made.turn(60) for _ in range(3)] == ["unchanged"] * 3
    assert made.table.did == ["note {'id': 'SUCCEEDED'}"]
    assert [run.state for run in made.table.records[0].runs] == ["SUCCEEDED"]
    assert made.table.requests == 3


def test_a_run_that_is_gone_is_not_asked_for_again(tmp_path: Path) -> None:
    made = stage(tmp_path, WITH_A_RUN)
    assert made.turn() == "applied"
    made.table.did.clear()
    assert [made.turn(60) for _ in range(2)] == ["unchanged"] * 2
    assert (made.table.did, made.table.requests) == ([], 3)


# --- drift


def test_drift_is_told_by_fields_and_healed(on: Stage) -> None:
    on.table.somebody_sets("Schedule", "nightly", cron="0 0 5 * * *")
    assert on.turn(60) == "applied"
    [drift] = [each for each in on.told if each.event == "drift"]
    assert drift.message == (
        'schedule/nightly has drifted: `cron` is "0 0 5 * * *", not "0 0 2 * * *"; it is healed'
    )
    assert drift.fields["differences"] == [{"path": "cron", "live": "0 0 5 * * *", "wanted": "0 0 2 * * *"}]
    assert on.table.live["Schedule", "nightly"].spec["cron"] == "0 0 2 * * *"
    on.events()
    assert on.turn(60) == "unchanged"
    assert on.events() == []
    assert on.number("kfgit_agent_drifted_objects") == 0


def test_what_somebody_deleted_comes_back(on: Stage) -> None:
    on.table.somebody_removes("Schedule", "nightly")
    assert on.turn(60) == "applied"
    [drift] = [each for each in on.told if each.event == "drift"]
    assert drift.message == "schedule/nightly has drifted: somebody has deleted it; it is healed"


def test_drift_is_only_reported_where_that_is_wanted_and_the_source_is_still_applied(tmp_path: Path) -> None:
    made = stage(tmp_path, heal=False)
    made.turn()
    made.events()
    made.table.somebody_sets("Schedule", "nightly", enabled=False)
    assert [made.turn(60) for _ in range(3)] == ["held"] * 3
    [drift] = [each for each in made.told if each.event == "drift"]
    assert drift.message.endswith("it is only reported")
    assert made.number("kfgit_agent_drifted_objects") == 1
    made.repo.commit({"pipelines/two.yaml": PIPELINE.split("---\n")[1].replace("hello", "two")})
    assert made.turn(60) == "applied"
    assert made.table.did[-2] == "create pipeline/two"
    assert made.table.live["Schedule", "nightly"].spec["enabled"] is False
    # It is not as the commit says, so nobody is told that it were.
    assert made.number("kfgit_agent_lag_seconds") == 0 or "synced" not in made.events()


def test_whoever_changes_a_field_back_thrice_gets_it(on: Stage) -> None:
    found = on.table.live["Schedule", "nightly"]

    def somebody() -> None:
        on.table.somebody_sets("Schedule", "nightly", cron="0 0 5 * * *")

    for _ in range(3):
        somebody()
        assert on.turn(60) == "applied"
    somebody()
    on.events()
    assert [on.turn(60) for _ in range(3)] == ["held"] * 3
    [fight] = [each for each in on.told if each.event == "fight"]
    assert "somebody has changed `cron` back 3 times within 10 min" in fight.message
    assert (fight.fields["fields"], fight.fields["count"]) == (["cron"], 3)
    assert on.number("kfgit_agent_fights") == 1
    # Even much later: whoever gave up does not begin again by itself.
    assert on.turn(3600) == "held"
    # A new commit begins anew.
    on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    assert on.turn(60) == "applied"
    assert on.table.live["Schedule", "nightly"].spec["cron"] == "0 0 3 * * *"
    assert found.spec["cron"] == "0 0 2 * * *"


def test_a_field_that_is_healed_rarely_is_no_fight(on: Stage) -> None:
    for _ in range(10):
        on.table.somebody_sets("Schedule", "nightly", cron="0 0 5 * * *")
        assert on.turn(400) == "applied"


# --- faults


def test_after_a_fault_it_waits_longer_each_time_and_looks_for_commits_meanwhile(on: Stage) -> None:
    on.table.fault = failing("observe")
    waits = []
    for _ in range(6):
        assert on.turn(on.sleeps[-1] if on.sleeps else 60) == "fault"
        on.sleeps.append(on.agent.pause())
        waits.append(on.sleeps[-1])
    assert waits == [2, 4, 8, 16, 32, 60]
    assert on.events() == ["fault"] * 6
    looks = on.table.looks
    # 64 seconds are not over: it only asks git.
    assert on.turn(30) == "fault"
    assert on.table.looks == looks
    assert on.events() == []
    # A new commit ends the wait.
    on.table.fault = failing("nothing")
    on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    assert on.turn(1) == "applied"
    assert on.agent.pause() == 60


def test_while_git_is_away_the_last_commit_is_kept_up(on: Stage) -> None:
    on.git.append(MachineFault("git fetch of https://git.example.com failed: it is away"))
    on.table.somebody_sets("Schedule", "nightly", enabled=False)
    assert on.turn(60) == "applied"
    assert on.events() == ["fetch-failed", "drift", "applying", "change", "applied"]
    assert on.agent.pause() == 2
    assert on.turn(2) == "unchanged"
    assert on.events() == ["fetch-failed"]
    assert on.number("kfgit_agent_fetches_total", result="failed") == 2
    on.git.clear()
    assert on.turn(4) == "unchanged"
    assert on.agent.pause() == 60


def test_without_any_commit_it_only_tries_again(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.git.append(MachineFault("no"))
    assert made.turn() == "fault"
    assert made.agent.pause() == 2
    assert not made.agent.ready()
    made.git.clear()
    assert made.turn(2) == "applied"


def test_another_one_has_the_lock(on: Stage) -> None:
    on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    on.table.locked_by = "ada on laptop"
    assert on.turn(60) == "locked"
    assert on.told[-1].message == "ada on laptop applies; tries again in 2 s"
    assert on.number("kfgit_agent_lock_waits_total") == 1
    on.table.locked_by = None
    assert on.turn(2) == "applied"


def test_a_partial_apply_is_tried_again_and_says_what_failed(on: Stage) -> None:
    on.repo.commit({"pipelines/two.yaml": PIPELINE.split("---\n")[1].replace("hello", "two")})
    on.events()
    on.table.fault = failing("perform", 1)
    assert on.turn(60) == "partly"
    assert on.events() == ["commit", "applying", "change", "partly-applied"]
    assert on.number("kfgit_agent_changes_total", action="create", state="failed") == 1
    assert on.number("kfgit_agent_lag_seconds") == 0.0
    assert on.turn(2) == "applied"
    assert on.turn(60) == "unchanged"


def test_how_it_ended_cannot_be_written_down(on: Stage) -> None:
    on.repo.commit({"pipelines/nightly.yaml": SCHEDULE.replace("0 2", "0 3")})
    on.table.fault = failing("end", 1)
    assert on.turn(60) == "fault"
    assert on.number("kfgit_agent_changes_total", action="replace", state="done") == 1
    on.table.did.clear()
    assert on.turn(2) == "unchanged"
    # Nothing is left to change, and that is written down: the target no longer says that an apply was cut off.
    assert on.table.did == ["begin agent", "end"]
    assert on.turn(60) == "unchanged"
    assert on.table.did == ["begin agent", "end"]


def test_a_mistake_of_our_own_ends_no_agent(on: Stage) -> None:
    on.table.fault = failing("reach", 1, ZeroDivisionError)
    assert on.turn(60) == "fault"
    assert on.told[-1].event == "mistake"
    assert "ZeroDivisionError: reach does not work (stage.py:" in on.told[-1].message
    assert on.turn(2) == "unchanged"


def test_a_target_that_refuses_waits_for_its_next_turn(on: Stage) -> None:
    on.table.fault = failing("reach", 2, Refused)
    assert [on.turn(60), on.turn(60), on.turn(60)] == ["refused", "refused", "unchanged"]
    assert on.events() == ["refused"]


# --- ending


def test_asked_to_end_it_finishes_the_change_under_way_and_begins_no_other(tmp_path: Path) -> None:
    made = stage(tmp_path)

    def ends(what: str, change: Change | Any) -> None:
        if what == "perform" and subject(change) == ("Pipeline", "hello"):
            made.ending[0] = True

    made.table.fault = ends
    made.agent.run()
    assert made.table.did == ["begin agent", "create pipeline/hello", "end"]
    assert made.table.locked_by is None
    assert made.events() == ["commit", "applying", "change", "change", "partly-applied"]
    assert made.number("kfgit_agent_changes_total", action="create", state="skipped") == 1
    assert made.number("kfgit_agent_turns_total", result="ended") == 1


def test_the_loop_sleeps_between_turns(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.turn()

    def sleeps(what: str, _change: Any) -> None:
        if what == "observe" and len(made.sleeps) == 3:
            made.ending[0] = True

    made.table.fault = sleeps
    made.agent.run()
    assert made.sleeps == [60.0] * 4


def test_who_hangs_is_not_alive(on: Stage) -> None:
    on.clock[0] += 600
    assert on.agent.alive()
    on.clock[0] += 100
    assert not on.agent.alive()


def test_asked_to_end_while_it_fetches_it_begins_nothing(tmp_path: Path) -> None:
    made = stage(tmp_path)
    made.ending[0] = True
    assert made.turn() == "ended"
    assert made.table.did == []
    assert made.table.looks == 0
    # Whether git was done before it was ended is a matter of chance; no fault is told of it.
    assert made.events() in ([], ["commit"])
