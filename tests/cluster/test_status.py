"""`kfgit status` and `kfgit doctor` on a cluster: drift, health, locks and rights."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from kfgit.backends.cluster import rights
from kfgit.backends.cluster.rights import Rules
from tests.cluster.cluster import Cluster, User
from tests.cluster.site import Site, site, waited

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def prod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster where everything is applied; it executes runs."""
    with site(cluster, tmp_path_factory.mktemp("site")) as found:
        found("apply", "--yes")
        yield found


@contextmanager
def committed(prod: Site, path: str, text: str) -> Iterator[None]:
    """Another commit for a while."""
    prod.commit({path: text})
    try:
        yield
    finally:
        (prod.project.root / path).unlink()
        prod.commit({})


NEW = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: new}
spec: {pipeline: flow, every: 7d}
"""
WRONG = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: wrong}
spec:
  tasks: {one: {component: gret}}
"""


def test_what_is_as_it_should_be_is_told_with_few_requests(prod: Site) -> None:
    told = prod("status", "--exit-code")
    assert "as they should be" in told.out
    assert "Last apply:" in told.out
    assert "Locked" not in told.out
    found = prod.json("status")
    assert (found["inSync"], found["healthy"], found["errors"], found["lockedBy"]) == (True, True, 0, None)
    assert prod.namespace in found["target"]
    assert 0 < found["requests"] <= 25
    assert {each["name"] for each in found["schedules"]} == {"nightly", "doomed", "berlin"}
    assert {(each["kind"], each["name"]) for each in found["objects"] if each["owned"]} >= {
        ("Pipeline", "flow"), ("Schedule", "nightly"),
    }  # fmt: skip
    assert found["lastApply"]["result"]["failed"] == 0


def test_drift_is_told_field_by_field(prod: Site) -> None:
    prod("schedules", "disable", "nightly")
    try:
        found = prod.json("status", "--exit-code", code=2)
        (pending,) = found["pending"]
        assert (pending["name"], pending["cause"]) == ("nightly", "drift")
        assert pending["diff"] == [{"path": "enabled", "before": False, "after": True, "cause": "drift"}]
    finally:
        prod("schedules", "enable", "nightly")


def test_what_is_committed_counts_and_not_the_folder(prod: Site) -> None:
    path = prod.project.write("pipelines/new.yaml", NEW)
    try:
        told = prod("status", "--exit-code")
        assert "pipelines/new.yaml" in told.out
    finally:
        path.unlink()
    with committed(prod, "pipelines/new.yaml", NEW):
        assert prod.json("status", "--exit-code", code=2)["pending"][0]["name"] == "new"


def test_mistakes_in_the_source_hide_nothing_of_what_is_live(prod: Site) -> None:
    with committed(prod, "pipelines/wrong.yaml", WRONG):
        found = prod.json("status", "--exit-code", code=1)
        assert (found["errors"], found["inSync"], found["healthy"]) == (1, None, True)
        assert "nightly" in {each["name"] for each in found["objects"]}
        assert "1 mistake in the source" in prod("status").out
        assert prod("schedules", "list").code == 0


def test_a_pipeline_whose_last_run_failed_is_not_well(prod: Site) -> None:
    run = prod.json("run", "broken", "--no-cache", code=7)
    found = prod.json("status", "--exit-code", code=7)
    (unhealthy,) = [each for each in found["unhealthy"] if each["pipeline"] == "broken"]
    assert (unhealthy["run"], unhealthy["schedule"]) == (run["id"], None)
    assert "unhealthy: the last run of broken failed" in prod("status").out


def test_a_schedule_whose_last_run_failed_comes_first(prod: Site) -> None:
    (doomed,) = [each for each in prod.json("status")["schedules"] if each["name"] == "doomed"]
    pipelines = prod.kfp("GET", "pipelines")["pipelines"]
    broken = next(each["pipeline_id"] for each in pipelines if each["name"] == "broken")
    prod.kfp(
        "POST", "runs",
        {
            "display_name": "doomed-1", "pipeline_version_reference": {"pipeline_id": broken},
            "recurring_run_id": doomed["id"],
        },
    )  # fmt: skip
    waited(lambda: prod.json("schedules", "show", "doomed")["last"]["runState"] == "FAILED")
    found = prod.json("status", "--exit-code", code=7)
    assert found["schedules"][0]["name"] == "doomed"
    assert "doomed" in {each["schedule"] for each in found["unhealthy"]}
    assert "the last run of the schedule doomed failed" in prod("status").out


def test_who_holds_the_lock_is_told(prod: Site) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    lease = {
        "metadata": {"name": "kfgit-demo-prod"},
        "spec": {
            "holderIdentity": "somebody else", "leaseDurationSeconds": 60, "acquireTime": now, "renewTime": now,
        },
    }  # fmt: skip
    path = f"/apis/coordination.k8s.io/v1/namespaces/{prod.namespace}/leases"
    prod.cluster.admin.ask("DELETE", f"{path}/kfgit-demo-prod")
    prod.cluster.admin.create(path, lease)
    try:
        assert "somebody else" in prod.json("status")["lockedBy"]
        assert "Locked: " in prod("status").out
        findings = prod.json("doctor")["findings"]
        assert [each["state"] for each in findings if each["name"] == "lock"] == ["note"]
    finally:
        prod.cluster.admin.ask("DELETE", f"{path}/kfgit-demo-prod")


# --- doctor


def lines(prod: Site, code: int) -> dict[str, list[tuple[str, str, str | None]]]:
    """What doctor finds, by name."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for each in prod.json("doctor", code=code)["findings"]:
        found.setdefault(each["name"], []).append((each["state"], each["message"], each["help"]))
    return found


def test_a_cluster_that_is_well_has_no_problem(prod: Site) -> None:
    found = lines(prod, 0)
    assert "as admin" in found["kubernetes"][0][1]
    assert found["rights"] == [("ok", f"all {len(rights.needed_in(prod.namespace))} that kfgit needs", None)]
    assert any("2.17" in message for _, message, _ in found["kfp"])
    assert found["time zone"][0][0] == "note"
    assert "objects of this project are known" in found["inventory"][0][1]
    assert "✔ kubernetes" in prod("doctor").out


@pytest.mark.parametrize(
    ("group", "resource", "verb"),
    [("", "configmaps", "update"), ("coordination.k8s.io", "leases", "create"), ("", "namespaces", "get")],
)
def test_a_right_that_is_missing_is_told_with_its_rule(
    prod: Site, monkeypatch: pytest.MonkeyPatch, group: str, resource: str, verb: str
) -> None:
    rules = [
        {
            "apiGroups": [g],
            "resources": [r],
            "verbs": [v for v in verbs if (g, r, v) != (group, resource, verb)],
        }
        for (g, r), verbs in rights.NAMESPACED.items()
    ]
    account = prod.cluster.service_account(prod.namespace, [rule for rule in rules if rule["verbs"]])
    told = as_(prod, account, monkeypatch)
    if resource == "namespaces":
        assert "resources: [namespaces]" in told
        return
    assert f"✘ rights       may not {verb} {resource} in {prod.namespace}" in told
    assert f'verbs: [{verb}], apiGroups: ["{group}"], resources: [{resource}]' in told


def as_(prod: Site, account: User, patch: pytest.MonkeyPatch) -> str:
    """What doctor says to somebody else."""
    path = prod.project.root.parent / f"kubeconfig-{account.token[-8:]}"
    patch.setenv("KUBECONFIG", str(account.kubeconfig(path, prod.namespace)))
    return prod.project.kfgit("doctor", "-e", "prod", code=7).out


def test_the_rights_are_those_of_deploy() -> None:
    def wanted(path: str) -> set[tuple[str, str, str]]:
        documents = yaml.safe_load_all((DEPLOY / path).read_text())
        return {
            (group, resource, verb)
            for document in documents
            for rule in document.get("rules", ())
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    def known(rules: Rules) -> set[tuple[str, str, str]]:
        return {(group, resource, verb) for (group, resource), verbs in rules.items() for verb in verbs}

    assert known(rights.NAMESPACED) == wanted("base/rbac.yaml")
    assert known(rights.OF_CLUSTER["PriorityClass"]) == wanted("components/priority-classes/rbac.yaml")
    assert known(rights.MULTI_USER) == wanted("components/multi-user/rbac.yaml")


def test_what_pipelines_name_and_nobody_has_is_told(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path, "--no-engine", more="serviceAccount: trainer") as prod:
        prod.commit(
            {
                "pipelines/wants.yaml": """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: wants}
spec:
  tasks:
    read: {component: greet, env: {URL: {configMap: addresses, key: url}, KEY: {secret: keys, key: k}}}
"""
            }
        )
        found = lines(prod, 7)
        assert [(state, "trainer" in message) for state, message, _ in found["account"]] == [
            ("problem", True)
        ]
        (missing,) = found["references"]
        assert "ConfigMap `addresses`" in missing[1]
        base = f"/api/v1/namespaces/{prod.namespace}"
        cluster.admin.create(f"{base}/serviceaccounts", {"metadata": {"name": "trainer"}})
        cluster.admin.create(f"{base}/configmaps", {"metadata": {"name": "addresses"}})
        again = lines(prod, 0)
        assert again["account"][0][0] == "ok"
        assert "references" not in again


def test_a_controller_in_another_zone_is_told(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path, "--no-engine") as prod:
        name = "ml-pipeline-scheduledworkflow"
        container = {
            "name": "x",
            "image": "x",
            "env": [{"name": "CRON_SCHEDULE_TIMEZONE", "value": "Asia/Tokyo"}],
        }
        labels = {"app": "x"}
        own = prod.namespace
        cluster.admin.create(
            f"/apis/apps/v1/namespaces/{own}/deployments",
            {
                "metadata": {"name": name},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            },
        )
        path = prod.project.root / "environments/prod.yaml"
        text = re.sub(r"kfp: .*", f"kfp: {{service: {{namespace: {own}}}}}", path.read_text())
        prod.commit({"environments/prod.yaml": text})
        ((state, message, help_),) = lines(prod, 7)["time zone"]
        assert (state, "Asia/Tokyo" in message) == ("problem", True)
        assert "timezone: Asia/Tokyo" in str(help_)


def test_without_kfp_the_rest_is_still_looked_at(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path, "--no-engine") as prod:
        prod.server.stop()
        found = lines(prod, 7)
        assert found["kubernetes"][0][0] == "ok"
        assert [state for state, _, _ in found["kfp"]] == ["problem"]
        assert "cannot be reached" in prod("status", code=8).err
        assert "cannot be reached" in prod("runs", "list", code=8).err


def test_runs_that_nobody_executes_wait_and_can_be_ended(cluster: Cluster, tmp_path: Path) -> None:
    with site(cluster, tmp_path, "--no-engine", "--no-scheduler") as prod:
        prod("apply", "--yes")
        run_id = prod("schedules", "trigger", "nightly", "--detach").out.strip()
        (waiting,) = prod.json("runs", "list")["items"]
        assert (waiting["id"], waiting["state"], waiting["startedAt"]) == (run_id, "PENDING", None)
        shown = prod.json("runs", "show", "latest")
        assert {task["state"] for task in shown["tasks"]} == {"PENDING"}
        assert shown["tasks"][-1]["path"] == "onExit"
        assert prod("runs", "logs", run_id).out == ""
        assert "is PENDING; only one that failed" in prod("runs", "retry", run_id, code=3).err
        assert prod("runs", "cancel", run_id).out.split()[1] in {"CANCELING", "CANCELED"}
        assert prod.json("status", "--exit-code")["healthy"] is True
        assert prod("runs", "delete", run_id).out == "1 run deleted\n"
