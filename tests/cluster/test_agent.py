"""The agent as a process of its own, before a real API server and a KFP server: commits, drift, the lock, the end."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.site import SCHEDULES, Site, site, waited
from tests.e2e.door import PATIENCE, command_line, environment

LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/kfgit-demo-prod"


@pytest.fixture(scope="module")
def prod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster that executes and fires nothing by itself."""
    with site(cluster, tmp_path_factory.mktemp("site"), "--no-engine", "--no-scheduler") as found:
        yield found


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def schedules(prod: Site, name: str) -> list[dict[str, Any]]:
    """Those of a name, as KFP has them: while one is replaced there are two."""
    told = httpx.get(f"{prod.server.url}/apis/v2beta1/recurringruns", params={"page_size": 200}).json()
    return [each for each in told["recurringRuns"] if each["display_name"] == name]


def crons(prod: Site, name: str) -> list[str]:
    return [each["trigger"]["cron_schedule"]["cron"] for each in schedules(prod, name)]


def test_it_applies_commits_and_heals_what_others_change(prod: Site) -> None:
    told = lines(prod("agent", "--once").out)
    assert [each["event"] for each in told][-2:] == ["applied", "synced"]
    assert told[-1]["commit"] == told[-1]["commit"].strip()
    assert {(each["kind"], each["name"]) for each in told if each["event"] == "change"} >= {
        ("Pipeline", "flow"), ("Schedule", "nightly"),
    }  # fmt: skip
    assert prod("plan", "--exit-code").code == 0

    [nightly] = schedules(prod, "nightly")
    place = f"{prod.server.url}/apis/v2beta1/recurringruns/{nightly['recurring_run_id']}"
    assert httpx.post(f"{place}:disable").status_code == 200
    told = lines(prod("agent", "--once", "--report-only").out)
    [drift] = [each for each in told if each["event"] == "drift"]
    assert drift["differences"] == [{"path": "enabled", "live": False, "wanted": True}]
    assert httpx.get(place).json()["status"] == "DISABLED"

    told = lines(prod("agent", "--once").out)
    assert [each["event"] for each in told] == ["commit", "drift", "applying", "change", "applied", "synced"]
    assert httpx.get(place).json()["status"] == "ENABLED"


def test_it_runs_until_it_is_asked_to_end_and_gives_the_lock_back(prod: Site, tmp_path: Path) -> None:
    words = ("agent", "-e", "prod", "--interval", "5s", "--port", "0", "--dir", str(tmp_path / "copy"))
    process = subprocess.Popen(
        command_line(*words), cwd=prod.project.root, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        started = json.loads(process.stdout.readline())
        assert started["event"] == "started"
        url = f"http://127.0.0.1:{started['port']}"
        waited(lambda: httpx.get(f"{url}/readyz").status_code == 200, PATIENCE)
        assert httpx.get(f"{url}/healthz").text == "ok\n"
        assert httpx.get(f"{url}/elsewhere").status_code == 404
        prod.commit({"pipelines/schedules.yaml": SCHEDULES.replace("0 2 * * *", "0 3 * * *")})
        waited(lambda: crons(prod, "nightly") == ["0 0 3 * * *"], PATIENCE)
        commit = prod.project.root.joinpath(".git/refs/heads/main").read_text().strip()
        page = waited(
            lambda: found if commit in (found := httpx.get(f"{url}/metrics").text) else None, PATIENCE
        )
        assert 'kfgit_agent_turns_total{result="applied"} 1.0' in page
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert lines(rest)[-1]["event"] == "ended"
    lease = prod.cluster.admin.ask("GET", LEASE.format(prod.namespace))
    assert lease.status_code == 404 or not lease.json()["spec"].get("holderIdentity")


def test_a_commit_of_another_branch_than_the_clusters_is_refused(prod: Site) -> None:
    text = (prod.project.root / "environments/prod.yaml").read_text()
    prod.commit({
        "environments/prod.yaml": text.replace("spec:\n", "spec:\n  git: {branch: release}\n"),
        "pipelines/schedules.yaml": SCHEDULES.replace("0 2 * * *", "0 4 * * *"),
    })  # fmt: skip
    told = lines(prod("agent", "--once", "--branch", "main", code=3).out)
    assert "this is the branch `main`, and the environment takes `release`" in told[-1]["message"]
    missing = lines(prod("agent", "--once", code=8).out)
    assert "couldn't find remote ref refs/heads/release" in missing[-1]["message"]
    prod.commit({"environments/prod.yaml": text})
    assert prod("agent", "--once").code == 0


def test_faults_of_a_target_are_told_without_secrets_and_with_what_to_do(prod: Site) -> None:
    text = (prod.project.root / "environments/prod.yaml").read_text()
    prod.commit({"environments/prod.yaml": text.replace(prod.server.url, "http://127.0.0.1:9")})
    told = lines(prod("agent", "--once", code=8).out)
    assert told[-1]["event"] == "fault"
    assert "127.0.0.1:9" in told[-1]["message"]
    assert told[-1]["retryIn"] > 1
    prod.commit({"environments/prod.yaml": text})
