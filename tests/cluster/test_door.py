"""The commands that look at and steer a target, on a cluster: the same as on this machine, wherever they can be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.site import Site, site, waited


@pytest.fixture(scope="module")
def prod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster that executes runs, where everything is applied."""
    with site(cluster, tmp_path_factory.mktemp("site")) as found:
        found("apply", "--yes")
        yield found


def test_a_run_is_told_as_on_this_machine(prod: Site) -> None:
    ran = ("run", "flow", "-p", "name=you", "-p", "big=false", "-o", "json")
    here, there = prod.project.kfgit(*ran, "-e", "local").json, prod(*ran).json
    assert there["environment"] == "prod"
    told = [
        [(task["path"], task["component"], task["state"], task["error"]) for task in each["tasks"]]
        for each in (here, there)
    ]
    assert sorted(told[1], key=str) == sorted(told[0], key=str)
    for key in ("state", "pipeline", "version", "inputs", "experiment", "error"):
        assert there[key] == here[key], key
    assert there.keys() == here.keys()
    assert prod.json("runs", "show", there["id"]) == there
    assert prod("runs", "logs", there["id"][:13], "sweep/1/check").out == "greeting Hello, b!\n"


def test_a_run_that_fails_says_where_and_what_it_printed(prod: Site) -> None:
    told = prod("run", "broken", "--no-cache", code=7)
    assert "fall failed: it ended with exit code 3" in told.out
    assert "│ it is broken" in told.err
    found = prod.json("runs", "show", "latest")
    assert {task["path"]: task["state"] for task in found["tasks"]} == {
        "good": "SUCCEEDED", "fall": "FAILED", "never": "SKIPPED",
    }  # fmt: skip
    again = prod("runs", "retry", found["id"], code=7)
    assert "fall failed" in again.out
    assert prod.json("runs", "show", found["id"])["state"] == "FAILED"


def test_a_run_that_is_left_to_the_cluster_is_watched_canceled_and_removed(prod: Site) -> None:
    run_id = prod("run", "sleepy", "--detach").out.strip()
    waited(lambda: prod.kfp("GET", f"runs/{run_id}")["state"] == "RUNNING")
    assert prod("runs", "delete", run_id, code=3).err.endswith("is running; cancel it first\n")
    assert prod("runs", "cancel", run_id[:10]).out.split()[0] == run_id
    assert "CANCELED" in prod("runs", "watch", run_id, code=130).out
    assert prod("runs", "retry", run_id, "--detach").out.strip() == run_id
    waited(lambda: prod.kfp("GET", f"runs/{run_id}")["state"] == "RUNNING")
    prod("runs", "cancel", run_id)
    prod("runs", "watch", run_id, code=130)
    assert prod("runs", "delete", run_id).out == "1 run deleted\n"
    assert f"no run `{run_id}`" in prod("runs", "show", run_id, code=64).err


def test_ctrl_c_cancels_a_run_and_sees_that_through(prod: Site) -> None:
    code, said = prod.interrupted("run", "sleepy", after="nap")
    assert code == 130
    assert "canceling: KFP ends its tasks" in said
    assert "CANCELED" in said
    assert prod.json("runs", "list", "--limit", "1")["items"][0]["state"] == "CANCELED"


def test_ctrl_c_leaves_a_run_alone_that_was_only_watched(prod: Site) -> None:
    run_id = prod("run", "sleepy", "--detach").out.strip()
    code, _ = prod.interrupted("runs", "watch", run_id, after="nap")
    assert code == 130
    assert prod.json("runs", "show", run_id)["state"] == "RUNNING"
    prod("runs", "cancel", run_id)
    prod("runs", "watch", run_id, code=130)


def test_runs_are_listed_newest_first_and_counted(prod: Site) -> None:
    for _ in range(2):
        prod("run", "flow")
    told = prod("runs", "list", "--limit", "1")
    assert len(told.out.splitlines()) == 2
    assert "more; --limit shows more" in told.err
    items = prod.json("runs", "list")["items"]
    assert [each["createdAt"] for each in items] == sorted(
        (each["createdAt"] for each in items), reverse=True
    )
    assert {each["pipeline"] for each in items} <= {"flow", "broken", "sleepy"}


def test_artifacts_of_a_run_are_fetched_by_its_tasks(prod: Site) -> None:
    run_id = prod.json("run", "flow", "--no-cache")["id"]
    assert "artifacts list --run" in prod("artifacts", "list", code=3).err
    found = prod.json("artifacts", "list", "--run", run_id)["items"]
    assert [each["id"] for each in found if each["task"] == "first"] == [f"{run_id}/first/card"]
    assert f"{run_id[:8]}/first/card" in prod("artifacts", "list", "--run", run_id).out
    prod("artifacts", "get", f"{run_id[:8]}/first/card", "--out", "card.md")
    assert (prod.project.root / "card.md").read_text() == "# Hello"
    assert (
        "choose another place"
        in prod("artifacts", "get", f"{run_id}/first/card", "--out", "card.md", code=3).err
    )
    assert "no artifact" in prod("artifacts", "show", f"{run_id}/first/cart", code=64).err


def test_experiments_are_listed_with_the_number_of_their_runs(prod: Site) -> None:
    (found,) = prod.json("experiments", "list")["items"]
    assert (found["name"], found["owned"]) == ("Default", False)
    assert found["runs"] == len(prod.json("runs", "list", "--limit", "500")["items"])


def test_schedules_tell_when_they_fire_in_their_own_zone(prod: Site) -> None:
    told = prod("schedules", "list")
    assert "nothing fires" not in told.err
    rows = {line.split()[0]: line for line in told.out.splitlines()[1:]}
    assert "0 2 * * * UTC" in rows["nightly"]
    assert "every 1d" in rows["doomed"]
    assert "30 * * * * Europe/Berlin" in rows["berlin"]
    found = {each["name"]: each for each in prod.json("schedules", "next", "--count", "2")["items"]}
    assert [at[11:] for at in found["nightly"]["next"]] == ["02:00:00Z", "02:00:00Z"]
    assert found["berlin"]["next"] == []
    assert all(each["owned"] for each in found.values())
    show = prod.json("schedules", "show", "nightly")
    assert show["spec"]["inputs"] == {"name": "night"}
    assert show["spec"]["version"] not in {"latest", None}
    assert show["ticks"] == []


def test_schedules_are_turned_on_and_off_and_triggered(prod: Site) -> None:
    assert "the next apply makes it what its document says" in prod("schedules", "enable", "berlin").err
    found = prod.json("schedules", "next", "berlin", "--count", "1")["items"][0]
    assert found["spec"]["enabled"] is True
    assert found["next"][0][14:] == "30:00Z"
    assert prod.json("plan")["summary"]["update"] == 1
    prod("schedules", "disable", "berlin")
    assert prod.json("plan")["summary"]["update"] == 0
    run = prod.json("schedules", "trigger", "nightly")
    assert (run["state"], run["inputs"], run["pipeline"]) == ("SUCCEEDED", {"name": "night"}, "flow")
    assert run["name"].startswith("nightly-")
    assert prod("schedules", "trigger", "doomed", code=7).out.startswith("✘")


def test_names_of_schedules_are_not_unique_and_ours_comes_first(prod: Site) -> None:
    theirs = [_foreign(prod, "nightly"), _foreign(prod, "theirs"), _foreign(prod, "theirs")]
    try:
        assert prod.json("schedules", "show", "nightly")["owned"] is True
        assert prod.json("schedules", "show", theirs[0])["owned"] is False
        told = prod("schedules", "disable", "theirs", code=64).err
        assert "give the id of one" in told
        assert theirs[1] in told
        assert "several schedules begin with `n" not in prod("schedules", "show", "night", code=64).out
    finally:
        for id_ in theirs:
            prod.kfp("DELETE", f"recurringruns/{id_}")


def _foreign(prod: Site, name: str) -> str:
    pipelines = prod.kfp("GET", "pipelines")["pipelines"]
    pipeline_id = next(each["pipeline_id"] for each in pipelines if each["name"] == "flow")
    made = prod.kfp(
        "POST", "recurringruns",
        {
            "display_name": name, "max_concurrency": "1", "mode": "DISABLE",
            "pipeline_version_reference": {"pipeline_id": pipeline_id},
            "trigger": {"periodic_schedule": {"interval_second": "86400"}},
        },
    )  # fmt: skip
    return str(made["recurring_run_id"])


def test_a_tick_that_fired_is_told_with_its_run(prod: Site) -> None:
    pipelines = prod.kfp("GET", "pipelines")["pipelines"]
    broken = next(each["pipeline_id"] for each in pipelines if each["name"] == "broken")
    made = prod.kfp(
        "POST", "recurringruns",
        {
            "display_name": "soon", "max_concurrency": "1", "mode": "ENABLE",
            "pipeline_version_reference": {"pipeline_id": broken}, "no_catchup": True,
            "trigger": {"periodic_schedule": {"interval_second": "86400", "start_time": "2026-01-01T00:00:00Z"}},
        },
    )["recurring_run_id"]  # fmt: skip
    try:
        (ran,) = waited(
            lambda: [run for run in prod.kfp("GET", "runs")["runs"] if run.get("recurring_run_id") == made]
        )
        waited(lambda: prod.kfp("GET", f"runs/{ran['run_id']}")["state"] == "FAILED")
        last = prod.json("schedules", "show", made)["last"]
        assert (last["state"], last["run"], last["runState"]) == ("fired", ran["run_id"], "FAILED")
        assert "FAILED" in prod("schedules", "list").out
    finally:
        prod.kfp("DELETE", f"recurringruns/{made}")


def test_completion_knows_what_is_there(prod: Site) -> None:
    def offered(*words: str) -> set[str]:
        line = ("kfgit", *words)
        variables = {
            "_KFGIT_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(line),
            "COMP_CWORD": str(len(line) - 1),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            # `environment()` leaves out what begins with KFGIT_, and this does not.
            told = prod.project.kfgit(code=None)
        return {each.partition(",")[2] for each in told.out.splitlines()}

    run_id = prod("run", "flow", "--detach").out.strip()
    # A shell is kept waiting for so long and no longer: a busy machine may offer nothing at first.
    waited(lambda: run_id in offered("runs", "show", "-e", "prod", ""))
    waited(lambda: {"nightly", "doomed"} <= offered("schedules", "show", "-e", "prod", ""))


def test_apply_waits_for_the_runs_that_it_starts_where_that_is_asked(prod: Site) -> None:
    text = "apiVersion: kfgit.dev/v1\nkind: Run\nmetadata: {name: %s}\nspec: {pipeline: %s, trigger: once}\n"
    prod.commit({"pipelines/good.yaml": text % ("good", "flow")})
    done = prod.json("apply", "--yes", "--wait")
    assert [(each["name"], each["state"]) for each in done["runs"]] == [("good", "SUCCEEDED")]
    prod.commit(
        {"pipelines/bad.yaml": text % ("bad", "broken"), "pipelines/long.yaml": text % ("long", "sleepy")}
    )
    left = prod.json("apply", "--yes")["runs"]
    assert {each["name"] for each in left} == {"bad", "long"}
    prod("runs", "cancel", next(each["id"] for each in left if each["name"] == "long"))
    prod.commit({"pipelines/worse.yaml": text % ("worse", "broken")})
    assert prod.json("apply", "--yes", "--wait", code=7)["runs"][-1]["state"] == "FAILED"
    for name in ("good", "bad", "long", "worse"):
        (prod.project.root / f"pipelines/{name}.yaml").unlink()
    prod.commit({})
    prod("apply", "--yes")
