"""What apply and destroy ask, note and refuse where the cluster is there: through the door, with git, as people do."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import KFGIT
from tests.cluster.cluster import Cluster
from tests.cluster.forks import Forks, Told
from tests.cluster.scenarios import ENVIRONMENT, PROJECT, TOOLS, pipeline, run, schedule
from tests.cluster.stand import Stand, State, stand
from tests.project.repository import Git, write

ENV = ENVIRONMENT.replace("spec:\n", "spec:\n  git: {branch: main}\n", 1)
FILES = {
    "kfgit.yaml": PROJECT,
    "environments/prod.yaml": ENV,
    "components/say.yaml": TOOLS,
    "pipelines/a.yaml": pipeline("a"),
    "pipelines/nightly.yaml": schedule("nightly", "a"),
}


@pytest.fixture(scope="module")
def empty(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stand, State, Forks]]:
    with stand(cluster, tmp_path_factory.mktemp("stand")) as found, found.forks() as forks:
        yield found, found.take(), forks


@pytest.fixture
def place(empty: tuple[Stand, State, Forks]) -> Stand:
    """Two servers on which nothing was applied yet."""
    found, state, _ = empty
    found.put(state)
    return found


@pytest.fixture
def forks(empty: tuple[Stand, State, Forks]) -> Forks:
    return empty[2]


@pytest.fixture
def git(place: Stand, tmp_path: Path) -> Git:
    folder = tmp_path / "repo"
    folder.mkdir()
    git = Git(folder)
    git("init", "--quiet", "--initial-branch=main")
    git.commit({path: place.told(text) for path, text in FILES.items()})
    return git


@pytest.fixture
def variables(place: Stand) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KFGIT_")}
    return {**kept, **place.variables(), "TZ": "UTC"}


class Door:
    """The program in a repository, and on a terminal where it is to ask."""

    def __init__(self, git: Git, variables: Mapping[str, str], forks: Forks) -> None:
        self._git, self._variables, self._forks = git, variables, forks

    def __call__(self, *words: str) -> Told:
        (told,) = self._forks.run(self._git.root, words)
        assert "Traceback" not in told.err
        assert "mistake in kfgit" not in told.err
        return told

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*KFGIT, *words], cwd=self._git.root, env=self._variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def typed(self, answer: str, *words: str) -> tuple[int, str]:
        """The exit code, and all that a terminal showed; `answer` is typed once something is asked."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*KFGIT, *words], cwd=self._git.root, env={**self._variables, "TERM": "xterm", "NO_COLOR": "1"},
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown, until = "", time.monotonic() + 240
        asked = False
        while time.monotonic() < until:
            ready, _, _ = select.select([ours], [], [], 0.2)
            try:
                shown += os.read(ours, 65536).decode() if ready else ""
            except OSError:
                break
            if not asked and re.search(r"\[y/N\] $|remove this: $", shown):
                asked = True
                os.write(ours, f"{answer}\n".encode())
        os.close(ours)
        assert asked
        return process.wait(60), shown


@pytest.fixture
def door(git: Git, variables: Mapping[str, str], forks: Forks) -> Door:
    return Door(git, variables, forks)


def actions(told: Told) -> dict[str, str]:
    return {
        f"{c['kind']}/{c['name']}": c["action"] for c in told.json["changes"] if c["action"] != "unchanged"
    }


def test_a_change_needs_a_yes_and_no_change_needs_none(door: Door) -> None:
    plan = door("plan")
    assert plan.code == 0
    assert re.search(
        r"Plan for prod \(.*\) at commit [0-9a-f]{10}: 2 to create \(\d+ API requests\)\.", plan.out
    )
    refused = door("apply")
    assert (refused.code, "--yes" in refused.err, "--plan FILE" in refused.err) == (3, True, True)
    assert door("plan", "--exit-code").code == 2
    assert door("apply", "--yes").code == 0
    again = door("apply")
    assert (again.code, "Nothing to do" in again.out) == (0, True)
    assert door("apply", "-o", "json").json["results"] == []


def test_the_answer_counts(door: Door) -> None:
    code, shown = door.typed("maybe", "apply")
    assert (code, "nothing was changed" in shown, "create   pipeline/a" in shown) == (3, True, True)
    assert door("plan", "--exit-code").code == 2
    code, shown = door.typed("y", "apply")
    assert (code, "Applied: 2 created." in shown) == (0, True)
    code, shown = door.typed("local", "destroy", "-e", "prod")
    assert (code, "nothing was removed" in shown) == (3, True)
    code, shown = door.typed("prod", "destroy", "-e", "prod")
    assert (code, "Applied: 2 deleted." in shown) == (0, True)
    assert door("destroy", "-e", "prod").code == 0, "there is nothing to ask about"


def test_when_schedules_fire_by_both_clocks(door: Door, git: Git) -> None:
    tokyo = schedule("nightly", "a", "cron: 0 3 * * *", ", timezone: Asia/Tokyo")
    git.commit({"pipelines/nightly.yaml": tokyo})
    plan = door("plan")
    assert plan.code == 0, plan.err
    told = plan.out
    assert re.search(
        r"fires next: \w{3} [-0-9]{10} 03:00 JST, .*; the first is \w{3} [-0-9]{10} 18:00 UTC for the controller",
        told,
    )
    git.commit({"pipelines/nightly.yaml": schedule("nightly", "a")})
    assert "for the controller" not in door("plan").out


def test_destroy_needs_a_yes(door: Door) -> None:
    door("apply", "--yes")
    refused = door("destroy", "-e", "prod")
    assert (refused.code, "--yes" in refused.err) == (3, True)
    told = door("destroy", "-e", "prod", "--yes", "-o", "json")
    assert (told.code, {r["state"] for r in told.json["results"]}) == (0, {"done"})


def test_destroy_stops_where_it_cannot_know_what_is_protected(door: Door, git: Git) -> None:
    door("apply", "--yes")
    home = git.root / "environments/prod.yaml"
    home.write_text(home.read_text() + "  protect: pipeline/a\n")
    told = door("destroy", "-e", "prod", "--yes")
    assert (told.code, "protect" in told.err) == (1, True)
    write(
        git.root,
        {
            "pipelines/broken.yaml": "kind: [",
            "environments/prod.yaml": home.read_text().replace("protect: p", "protect: [p") + "]",
        },
    )
    home.write_text(home.read_text().replace("pipeline/a\n]", "pipeline/a]"))
    told = door("destroy", "-e", "prod", "--yes", "-o", "json")
    assert (told.code, [r["name"] for r in told.json["results"]]) == (0, ["nightly"])


def test_an_older_commit_and_another_line(door: Door, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    second = git.commit({"pipelines/a.yaml": pipeline("a", "two")})
    assert door("apply", "--yes").code == 0
    refused = door("apply", "--rev", first, "--yes")
    assert (refused.code, "--allow-older" in refused.err, second[:10] in refused.err) == (3, True, True)
    noted = door("plan", "--rev", first, "-o", "json")
    assert (noted.code, len(noted.json["remarks"])) == (0, 1)
    assert "does not descend" in noted.json["remarks"][0]
    assert "! commit" in door("plan", "--rev", first).out
    assert "\n> commit" in door("plan", "--rev", first, "-o", "markdown").out
    assert door("apply", "--rev", first, "--yes", "--allow-older").code == 0
    assert door("apply", "--yes").code == 0, "the second descends from the first"


def test_a_shallow_clone_says_what_it_lacks(door: Door, git: Git, forks: Forks, tmp_path: Path) -> None:
    assert door("apply", "--yes").code == 0
    git.commit({"pipelines/a.yaml": pipeline("a", "two")})
    git("clone", "--quiet", "--depth=1", f"file://{git.root}", str(tmp_path / "ci"))
    shallow = Door(Git(tmp_path / "ci"), {}, forks)
    refused = shallow("apply", "--yes")
    assert (refused.code, "git fetch --unshallow" in refused.err) == (3, True)
    Git(tmp_path / "ci")("fetch", "--quiet", "--unshallow")
    assert shallow("apply", "--yes").code == 0


def test_a_dirty_tree_is_noted_and_left_out(door: Door, git: Git) -> None:
    write(git.root, {"pipelines/b.yaml": pipeline("b"), "pipelines/nightly.yaml": "# gone\n"})
    noted = door("plan", "-o", "json")
    assert list(actions(noted)) == ["Pipeline/a", "Schedule/nightly"]
    assert "pipelines/b.yaml" in noted.json["remarks"][0]
    assert door("apply", "--yes").code == 3
    done = door("apply", "--yes", "--allow-dirty")
    assert (done.code, "! commit" in done.out, "Applied: 2 created." in done.out) == (0, True, True)


def test_a_saved_plan_is_applied_as_it_was_looked_at(door: Door, git: Git) -> None:
    first = git("rev-parse", "HEAD")
    door("plan", "--out", "../plan.json")
    git.commit({"pipelines/a.yaml": pipeline("a", "two")})
    done = door("apply", "--plan", "../plan.json", "-o", "json")
    assert (done.code, done.json["commit"]) == (0, first)
    stale = door("apply", "--plan", "../plan.json")
    assert (stale.code, "pipeline/a: nothing to do any more" in stale.err) == (5, True)
    assert door("plan", "--out", "../plan.json").code == 0
    found = json.loads((git.root.parent / "plan.json").read_text())
    (git.root.parent / "plan.json").write_text(json.dumps({**found, "target": f"{found['target']} once"}))
    other = door("apply", "--plan", "../plan.json")
    assert (other.code, "is for" in other.err) == (5, True)


def test_a_plan_with_refresh_is_applied_as_it_was_looked_at(door: Door, place: Stand) -> None:
    """Apply looks as far as the plan did, or it would find nothing to do and call the plan stale."""
    door("apply", "--yes")
    (found,) = (each for each in place.kfp.every("pipelines", "pipelines") if each["name"] == "a")
    versions = f"pipelines/{found['pipeline_id']}/versions"
    for before, words in (
        (("plan", "--refresh", "--out", "../r.json"), ("apply", "--plan", "../r.json")),
        (("plan",), ("apply", "--yes", "--refresh")),
    ):
        (version,) = place.kfp.every(versions, "pipeline_versions")
        place.kfp.ask("DELETE", f"{versions}/{version['pipeline_version_id']}")
        assert door(*before).code == 0
        done = door(*words, "-o", "json")
        assert (done.code, [each["name"] for each in done.json["results"]]) == (0, ["a", "nightly"])
        assert len(place.kfp.every(versions, "pipeline_versions")) == 1


def test_a_document_s_name_protects_and_confirms_what_is_called_otherwise_there(
    door: Door, git: Git, place: Stand
) -> None:
    named = {
        f"pipelines/{name}.yaml": pipeline(name).replace(
            "spec:\n", f"spec:\n  externalName: Team {name}\n", 1
        )
        for name in ("a", "b")
    }
    home = place.told(ENV)
    git.commit({**named, "environments/prod.yaml": f"{home}  protect: [pipeline/b]\n"})
    assert door("apply", "--yes").code == 0
    git("rm", "-q", *named, "pipelines/nightly.yaml")
    git.commit({"pipelines/c.yaml": pipeline("c")})
    assert actions(door("plan", "-o", "json")) == {
        "Pipeline/c": "create", "Schedule/nightly": "delete", "Pipeline/Team a": "delete",
    }  # fmt: skip
    assert "--confirm 'pipeline/Team a'" in door("apply", "--yes").err
    assert door("apply", "--yes", "--confirm", "pipeline/a").code == 0
    there = {each["name"] for each in place.kfp.every("pipelines", "pipelines")}
    assert {"Team b", "c"} <= there
    assert "Team a" not in there


def test_a_schedule_on_a_stranger_s_pipeline_says_whose_it_is(door: Door, place: Stand) -> None:
    place.kfp.ask("POST", "pipelines", {"name": "a", "display_name": "a"})
    told = {each["name"]: each["notes"] for each in door("plan", "-o", "json").json["changes"]}
    assert "not this project's" in told["nightly"][0]
    (failed,) = door("apply", "--yes", "-o", "json").json["results"]
    assert "`a` on the server is not this project's" in failed["error"]
    assert "kfgit adopt" in failed["error"]


def test_runs_that_are_left_to_the_cluster_are_told_as_they_stand(door: Door, git: Git) -> None:
    git.commit({"pipelines/smoke.yaml": run("smoke", "a", "once")})
    done = door("apply", "--yes", "-o", "json")
    assert (done.code, [each["name"] for each in done.json["runs"]]) == (0, ["smoke"])
    assert {each["id"] for each in done.json["runs"]} == {
        each["id"] for each in done.json["results"] if each["kind"] == "Run"
    }
    assert door("apply", "--yes", "-o", "json").json["runs"] == []


def test_what_holds_data_is_deleted_by_name(door: Door, git: Git) -> None:
    door("apply", "--yes")
    git("rm", "-q", "pipelines/nightly.yaml", "pipelines/a.yaml")
    git.commit({"pipelines/b.yaml": pipeline("b")})
    refused = door("apply", "--yes")
    assert (refused.code, "--confirm pipeline/a" in refused.err) == (3, True)
    assert actions(door("plan", "-o", "json")) == {
        "Pipeline/b": "create",
        "Schedule/nightly": "delete",
        "Pipeline/a": "delete",
    }
    assert door("apply", "--yes", "--no-prune").code == 0
    assert door("apply", "--yes", "--confirm", "pipeline/a").code == 0
    assert door("plan", "--exit-code").code == 0


def test_nothing_wanted_deletes_nothing(door: Door, git: Git) -> None:
    door("apply", "--yes")
    git("rm", "-q", "pipelines/nightly.yaml", "pipelines/a.yaml")
    git.commit()
    refused = door(
        "apply", "--yes", "--confirm", "pipeline/a", "--confirm", door("plan", "-o", "json").json["digest"]
    )
    assert (refused.code, "kfgit destroy -e prod" in refused.err) == (3, True)


def test_an_apply_that_is_ended_finishes_what_it_began(door: Door, git: Git) -> None:
    """The rest is told as skipped, and the next apply goes on."""
    git.commit({f"pipelines/p{n}.yaml": pipeline(f"p{n}") for n in range(120)})
    process = door.start("apply", "--yes", "-o", "json")
    assert process.stderr is not None
    assert "created" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    states = [r["state"] for r in json.loads(out)["results"]]
    assert len(states) == 122
    assert set(states) == {"done", "skipped"}
    assert "what was begun is finished" in err
    again = door("apply", "--yes", "-o", "json")
    assert again.code == 0, again.err
    assert len(again.json["results"]) == states.count("skipped")
    assert door("plan", "--exit-code").code == 0
