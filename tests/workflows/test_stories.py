"""What happens to a team on GitHub, from the first push to a promotion: each step of the workflows as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.workflows import showing
from tests.workflows.documents import COMPONENT, PIPELINE, SCHEDULE, documents
from tests.workflows.events import Run
from tests.workflows.hub import hub
from tests.workflows.team import Team, kfgit, team
from tests.workflows.uses import git

MISTAKE = PIPELINE.replace("name: $(inputs.name)", "name: $(inputs.nmae)")
CHANGED = PIPELINE.replace("again", "you")
LATER = SCHEDULE.replace("0 2 ", "0 3 ")
HOSTILE = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: greet}
spec: {container: {image: "::set-output name=x::y", comand: ["$(touch owned)"]}}
"""
AT_TWO, AT_THREE = {"nightly": "0 0 2 * * *"}, {"nightly": "0 0 3 * * *"}
PROMOTION = {"from": "staging", "to": "prod"}


@pytest.fixture
def churn(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A team that has typed `kfgit init --github`, and has pipelines of its own."""
    with team(cluster, tmp_path_factory.mktemp("team")) as found:
        kfgit(found.clone.parent, "init", str(found.clone), "--github")
        found.write(
            dict.fromkeys(("components/greet.yaml", "pipelines/hello.yaml", "environments/local.yaml"))
        )
        yield found


def only(runs: list[Run]) -> Run:
    (run,) = runs
    return run


def well(run: Run, *jobs: str) -> Run:
    """A workflow that ended well, and the jobs that ran."""
    assert run.conclusion == "success", run.log
    assert [job.name for job in run.jobs if job.conclusion != "skipped"] == list(jobs), run.log
    return run


def states(team: Team, environment: str) -> list[list[str]]:
    """What was told of each deployment."""
    found = [each for each in team.hub.rest.deployments if each.environment == environment]
    return [[status.state for status in each.statuses] for each in found]


def promoted(churn: Team) -> str:
    """The button, and the merge of the pull request that it opens; where `prod` ends then."""
    well(churn.hub.dispatch("kfgit-promote", PROMOTION), "promote staging to prod")
    pull = churn.hub.rest.pulls[-1]
    assert (pull.login, pull.base, pull.state) == ("github-actions[bot]", "prod", "open")
    well(only(churn.hub.merge(pull.number)), "select", "sync (prod)")
    return churn.tip("prod")


def test_a_branch_for_each_environment(churn: Team, *, accept: bool) -> None:
    shown: dict[str, str] = {}
    prod = churn.sites["prod"]
    first = begins(churn)
    number = proposes(churn, shown)
    merged = merges(churn, number)
    churn.connect("staging", "prod")
    assert prod.names("pipelines") == []
    assert churn.tree(promoted(churn)) == churn.tree(merged)
    assert (prod.names("pipelines"), prod.crons()) == (["churn"], AT_THREE)
    assert states(churn, "prod") == [["in_progress", "success"]]
    reverts(churn, merged, first)
    assert churn.tree(promoted(churn)) == churn.tree(first)
    assert prod.crons() == AT_TWO
    breaks(churn, shown)
    drifts(churn, shown)
    showing.check(shown, churn.sites, accept=accept)


def begins(churn: Team) -> str:
    """The first push is green, and says what to do next; once connected, staging is synced by button."""
    staging = churn.sites["staging"]
    run = well(only(churn.push(documents(churn.sites), "The first")), "select")
    assert "gh variable set KFGIT_ENVIRONMENTS" in run.job("select").summary
    churn.git("push", "-q", "origin", "main:prod")
    assert only(churn.hub.pushed()).conclusion == "skipped"
    assert staging.names("pipelines") == []
    churn.connect("staging")
    run = well(churn.hub.dispatch("kfgit-sync", {"environment": "staging"}), "select", "sync (staging)")
    summary = run.job("sync (staging)").summary
    assert "Plan for `staging`: 3 to create" in summary
    assert summary.endswith("\n\n    staging: success (3 created; 1 run SUCCEEDED)\n")
    assert (staging.names("pipelines"), staging.crons()) == (["churn"], AT_TWO)
    assert states(churn, "staging") == [["in_progress", "success"]]
    return churn.tip()


def proposes(churn: Team, shown: dict[str, str]) -> int:
    """A pull request with a mistake, then without: one comment that tells it at its place, and what would change."""
    number, run = churn.propose({"pipelines/churn.yaml": MISTAKE}, "A mistake", "change")
    assert [job.conclusion for job in run.jobs] == ["failure", "skipped"], run.log
    assert "::error file=pipelines/churn.yaml,line=7," in run.job("check").step("Validate").log
    sarif = churn.hub.reported["kfgit"]["runs"][0]["results"]
    assert [result["ruleId"] for result in sarif] == ["unknown-input"]
    assert len(churn.hub.comments(number)) == 1, run.log
    (comment,) = churn.hub.comments(number)
    shown["mistake"] = comment
    assert "pipelines/churn.yaml:7" in comment
    assert "did you mean `name`?" in comment
    assert comment.partition("\n")[2] == run.job("check").summary
    changed = {"pipelines/churn.yaml": CHANGED, "pipelines/schedules.yaml": LATER}
    _, run = churn.push(changed, "Mended", "change")
    well(run, "check", "plan (staging)")
    diff, plan = shown["diff"], shown["plan"] = churn.hub.comments(number)
    assert "did you mean" not in diff
    assert "`again` → `you`" in diff
    assert "```mermaid" in diff
    assert "Plan for `staging`: 1 to create, 1 to update, 1 to replace" in plan
    assert churn.hub.reported["kfgit"]["runs"][0]["results"] == []
    assert (churn.hub.folder / "artifacts/rendered/prod/schedule/nightly.yaml").exists()
    assert churn.sites["staging"].crons() == AT_TWO
    return number


def merges(churn: Team, number: int) -> str:
    """Exactly what was shown is applied, and its run is waited for."""
    staging = churn.sites["staging"]
    well(only(churn.hub.merge(number)), "select", "sync (staging)")
    assert staging.crons() == AT_THREE
    assert len(staging.versions("churn")) == 2
    told = churn.hub.rest.deployments[-1].statuses[-1]
    assert (told.state, told.description) == ("success", "1 updated, 1 replaced, 1 created; 1 run SUCCEEDED")
    return churn.tip()


def reverts(churn: Team, merged: str, first: str) -> None:
    """Staging goes back, with the version that is there still."""
    staging = churn.sites["staging"]
    churn.git("fetch", "-q", "origin")
    churn.git("checkout", "-q", "-B", "back", "origin/main")
    churn.git("revert", "--no-edit", "-m", "1", merged)
    churn.git("push", "-q", "origin", "back:main")
    well(only(churn.hub.pushed()), "select", "sync (staging)")
    assert churn.tree("main") == churn.tree(first)
    assert (staging.crons(), len(staging.versions("churn"))) == (AT_TWO, 2)


def breaks(churn: Team, shown: dict[str, str]) -> None:
    """A commit whose run fails is live in staging, and does not come to prod."""
    broken = COMPONENT.replace("echo", "false &&")
    (run,) = churn.push({"components/greet.yaml": broken}, "Broken")
    assert [job.conclusion for job in run.jobs] == ["success", "failure"], run.log
    assert states(churn, "staging")[-1] == ["in_progress", "failure"]
    before, there = len(churn.hub.rest.pulls), churn.tip("prod")
    run = churn.hub.dispatch("kfgit-promote", PROMOTION)
    assert run.conclusion == "failure"
    refusal = run.job("promote staging to prod").step("Open the pull request").log
    shown["refusal"] = f"```text\n{refusal.strip()}\n```"
    assert "green: run/smoke of churn FAILED" in refusal
    assert "kfgit promote staging prod --commit" in run.log
    assert (len(churn.hub.rest.pulls), churn.tip("prod")) == (before, there)


def drifts(churn: Team, shown: dict[str, str]) -> None:
    """Somebody removes a schedule by hand: at night an issue says so, once, until it is mended."""
    prod = churn.sites["prod"]
    (schedule,) = prod.kfp("GET", "recurringruns")["recurringRuns"]
    prod.kfp("DELETE", f"recurringruns/{schedule['recurring_run_id']}")
    jobs = ("select", "look (staging, main)", "look (prod, prod)")
    well(churn.hub.night("kfgit-drift"), *jobs)
    well(churn.hub.night("kfgit-drift"), *jobs)
    (issue,) = churn.hub.rest.issues
    assert (issue.title, issue.state) == ("prod is not as its branch says", "open")
    shown["drift"] = issue.body
    assert issue.labels == ("kfgit-drift",)
    assert "| create (drift) | `schedule/nightly` |" in issue.body
    well(churn.hub.dispatch("kfgit-sync", {"environment": "prod"}, "prod"), "select", "sync (prod)")
    assert prod.crons() == AT_TWO
    well(churn.hub.night("kfgit-drift"), *jobs)
    assert issue.state == "closed"


def test_one_branch_for_all(churn: Team) -> None:
    """Prod is pinned to a commit: promoting changes the pin, by a pull request into the one branch."""
    staging, prod = churn.sites["staging"], churn.sites["prod"]
    churn.push(documents(churn.sites, "{branch: main, promotesFrom: staging}"), "The first")
    first = churn.tip()
    pinned = (churn.clone / "environments/prod.yaml").read_text() + f"  pin: {{commit: {first}}}\n"
    churn.connect("staging", "prod")
    well(
        only(churn.push({"environments/prod.yaml": pinned}, "Pinned")),
        "select",
        "sync (staging)",
        "sync (prod)",
    )
    assert (staging.crons(), prod.crons()) == (AT_TWO, AT_TWO)
    changed = {"pipelines/churn.yaml": CHANGED, "pipelines/schedules.yaml": LATER}
    number, run = churn.propose(changed, "Later", "later")
    well(run, "check", "plan (staging)", "plan (prod)")
    _, there, here = churn.hub.comments(number)
    assert "Plan for `staging`: 1 to create, 1 to update, 1 to replace" in there
    assert "Nothing to do in" in here
    well(only(churn.hub.merge(number)), "select", "sync (staging)", "sync (prod)")
    assert (staging.crons(), prod.crons()) == (AT_THREE, AT_TWO)
    merged = churn.tip()
    well(churn.hub.dispatch("kfgit-promote", PROMOTION), "promote staging to prod")
    pull = churn.hub.rest.pulls[-1]
    assert (pull.base, churn.git("fetch", "-q", "origin")) == ("main", "")
    assert churn.git("diff", "--name-only", f"{merged}...origin/{pull.head}") == "environments/prod.yaml"
    well(only(churn.hub.merge(pull.number)), "select", "sync (staging)", "sync (prod)")
    assert prod.crons() == AT_THREE


def test_a_pull_request_from_a_fork(tmp_path: Path) -> None:
    """It gets what needs no credentials: annotations, rendered documents and the diff, where it may not write."""
    with hub(tmp_path / "github") as found:
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "-q", f"file://{found.remote}", str(clone))
        churn = Team(found, clone, {})
        kfgit(tmp_path, "init", str(clone), "--github")
        churn.push({}, "The first")
        churn.connect("staging")
        found.secrets = {"staging-plan": {"KFP_TOKEN": "never"}}
        number, run = churn.propose({"components/greet.yaml": HOSTILE}, "$(touch owned)", "fork", fork=True)
        check = run.job("check")
        assert [job.conclusion for job in run.jobs] == ["failure", "skipped"]
        assert "::error file=components/greet.yaml" in check.log
        assert check.step("Comment").outcome == "skipped"
        assert check.step("Select the environments of the target branch").outcome == "skipped"
        assert "components/greet.yaml" in check.summary
        assert found.comments(number) == []
        assert [call for call in found.rest.calls if call[0] != "GET"] == []
