from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kfgit.backend import Locked, MachineFault
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Object
from kfgit.backends.cluster.records import holders, lock
from kfgit.backends.cluster.records.lock import Lock, lease
from tests.cluster.asking import asking
from tests.cluster.cluster import Cluster, User, until

ROOT = Path(__file__).parents[2]

HOLDS = """
import sys
from pathlib import Path
from kfgit.backends.cluster.connection.connecting import connect
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Object
from kfgit.backends.cluster.records.lock import lease
from kfgit.model import ClusterTarget
connection = connect(ClusterTarget(context="tests"), {"KUBECONFIG": sys.argv[1]})
with lease(KubeApi(connection.kube, connection.namespace), "kfgit-p-e", "anna"):
    print("held", flush=True)
    sys.stdin.read()
"""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def place(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def patient(kube: KubeApi, clock: Callable[[], float]) -> Lock:
    """A lock whose holder never renews by itself, and whose clock is the test's."""
    return Lock(kube, "kfgit-p-e", clock, renew_every=3600)


def test_who_holds_it_is_told_on_the_cluster_and_nobody_when_it_is_over(
    kube: KubeApi, admin: User, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_JOB_URL", "https://ci.example/jobs/7")
    with lease(kube, "kfgit-p-e", "anna") as held:
        held.held()
        spec = admin.get(f"{place}/kfgit-p-e")["spec"]
        assert re.fullmatch(
            rf"anna@\S+ \(process {os.getpid()}, since \S+Z, https://ci\.example/jobs/7\)",
            spec["holderIdentity"],
        )
        assert spec["leaseDurationSeconds"] == 60
    assert not admin.get(f"{place}/kfgit-p-e")["spec"].get("holderIdentity")
    with lease(kube, "kfgit-p-e", "bert") as held:
        held.held()
        assert admin.get(f"{place}/kfgit-p-e")["spec"]["leaseTransitions"] == 1


def test_of_two_one_holds_it_and_the_other_learns_who_since_when_and_the_way_out(
    kube: KubeApi, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    other = asking(cluster.admin, namespace, tmp_path)
    with lease(kube, "kfgit-p-e", "anna"):
        with pytest.raises(Locked) as told, lease(other, "kfgit-p-e", "bert"):
            pass
        assert f"anna@{holders.this_process('', {}).host} (process {os.getpid()}, since 2" in str(told.value)
        assert f"`kubectl delete lease kfgit-p-e --namespace {namespace}`" in str(told.value)
        with lease(other, "kfgit-p-other", "bert"):
            pass
    with lease(other, "kfgit-p-e", "bert"):
        pass


def test_what_a_killed_process_of_this_machine_held_is_free_at_once(kube: KubeApi, kubeconfig: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(kubeconfig)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(Locked), lease(kube, "kfgit-p-e", "bert"):
        pass
    process.kill()
    process.communicate()
    with lease(kube, "kfgit-p-e", "bert") as held:
        held.held()


def test_a_process_that_cannot_be_seen_from_here_is_not_taken_for_dead() -> None:
    own = holders.this_process("anna", {})
    assert own.boot is None or not holders.is_dead(own)
    dead = replace(own, start="1")
    assert holders.is_dead(dead) == (own.boot is not None)
    for other in ({"host": "elsewhere"}, {"boot": "another"}, {"pids": "pid:[1]"}, {"boot": None}):
        assert not holders.is_dead(replace(dead, **other))


def test_a_lease_that_nobody_renewed_in_its_time_is_free_by_the_servers_clock(
    kube: KubeApi, admin: User, place: str
) -> None:
    # The holder's clock is an hour ahead, which must not matter.
    stored = foreign("somebody@elsewhere", seconds=1)
    stored["spec"]["renewTime"] = "2999-01-01T00:00:00.000000Z"
    admin.create(place, stored)
    mine = patient(kube, Clock())
    until(lambda: holds(mine))


def holds(mine: Lock) -> bool:
    try:
        with mine.hold("bert") as held:
            held.held()
    except Locked:
        return False
    return True


class Ahead(KubeApi):
    """As behind a proxy whose clock is an hour ahead."""

    def observed(self, api_version: str, kind: str, name: str) -> tuple[Object | None, datetime | None]:
        found, now = super().observed(api_version, kind, name)
        return found, now and now + timedelta(hours=1)


def test_the_clock_of_a_proxy_is_not_believed(kube: KubeApi, admin: User, place: str) -> None:
    admin.create(place, foreign("somebody@elsewhere", seconds=600))
    ahead = Ahead(kube.wire, kube.namespace)
    with pytest.raises(Locked, match="somebody@elsewhere is applying"), lease(ahead, "kfgit-p-e", "bert"):
        pass
    assert admin.get(f"{place}/kfgit-p-e")["spec"]["holderIdentity"] == "somebody@elsewhere"


def test_a_lease_that_was_seen_unchanged_for_its_whole_time_is_free(
    kube: KubeApi, admin: User, place: str
) -> None:
    admin.create(place, foreign("somebody@elsewhere", seconds=3600))
    clock = Clock()
    mine = patient(kube, clock)
    for now, renew in ((0.0, False), (3000.0, True), (3601.0, False), (6599.0, False)):
        clock.now = now
        if renew:
            admin.patch(f"{place}/kfgit-p-e", {"spec": {"renewTime": "2026-01-01T00:00:01.000000Z"}})
        with pytest.raises(Locked), mine.hold("bert"):
            pass
    clock.now = 3601.0 + 3601.0
    with mine.hold("bert") as held:
        held.held()


def test_a_holder_stops_before_its_time_is_over_where_it_cannot_renew(kube: KubeApi) -> None:
    clock = Clock()
    with patient(kube, clock).hold("anna") as held:
        clock.now = 49.0
        held.held()
        held.renew()
        clock.now = 98.0
        held.held()
        clock.now = 100.0
        with pytest.raises(MachineFault, match="could not renew it for 51 seconds"):
            held.held()
        # What was not taken by anybody may be had again.
        held.renew()
        held.held()


def test_a_holder_learns_that_another_has_it(kube: KubeApi, admin: User, place: str) -> None:
    with patient(kube, Clock()).hold("anna") as held:
        admin.patch(f"{place}/kfgit-p-e", {"metadata": {"labels": {"team": "x"}}})
        held.renew()
        held.held()
        admin.patch(f"{place}/kfgit-p-e", {"spec": {"holderIdentity": "bert@elsewhere"}})
        held.renew()
        with pytest.raises(MachineFault, match="lost to bert@elsewhere"):
            held.held()
    assert admin.get(f"{place}/kfgit-p-e")["spec"]["holderIdentity"] == "bert@elsewhere"


def test_it_is_given_back_though_somebody_else_has_edited_it(kube: KubeApi, admin: User, place: str) -> None:
    with patient(kube, Clock()).hold("anna"):
        admin.patch(f"{place}/kfgit-p-e", {"metadata": {"labels": {"team": "x"}}})
    assert not admin.get(f"{place}/kfgit-p-e")["spec"].get("holderIdentity")


def test_a_holder_learns_that_it_was_removed(kube: KubeApi, admin: User, place: str) -> None:
    with patient(kube, Clock()).hold("anna") as held:
        admin.delete(f"{place}/kfgit-p-e")
        held.renew()
        with pytest.raises(MachineFault, match="lost to somebody who removed it"):
            held.held()
    assert not admin.exists(f"{place}/kfgit-p-e")


def test_it_renews_by_itself(kube: KubeApi, admin: User, place: str) -> None:
    with Lock(kube, "kfgit-p-e", renew_every=0.01).hold("anna"):
        first = admin.get(f"{place}/kfgit-p-e")["spec"]["renewTime"]
        until(lambda: admin.get(f"{place}/kfgit-p-e")["spec"]["renewTime"] != first)


def test_what_others_write_is_printed_as_one_line(kube: KubeApi, admin: User, place: str) -> None:
    admin.create(place, foreign("evil\x1b[2J\nname", seconds=3600))
    with pytest.raises(Locked) as told, lease(kube, "kfgit-p-e", "bert"):
        pass
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    ("variables", "page"),
    [
        (
            {
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "5",
                "BUILD_URL": "https://other",
            },
            "https://github.com/o/r/actions/runs/5",
        ),
        ({"GITHUB_REPOSITORY": "o/r", "CI_PIPELINE_URL": "https://gitlab/p/1"}, "https://gitlab/p/1"),
        ({"BUILD_URL": "javascript:x"}, None),
        ({}, None),
    ],
)
def test_the_page_of_a_ci_job_is_found(variables: dict[str, str], page: str | None) -> None:
    assert holders.this_process("anna", variables).url == page


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "[" * 100_000, '{"owner": "x"}', json.dumps({"pid": 1})]
)
def test_a_note_that_is_none_names_no_holder(text: str | None) -> None:
    assert holders.from_json(text) is None


def foreign(holder: str, seconds: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "kfgit-p-e"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    }


def test_times_leave_room() -> None:
    assert lock.RENEW * 2 < lock.DURATION - lock.EARLY < lock.DURATION
