"""Policies on a cluster: what they refuse stays as it is, on KFP's side and on Kubernetes'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.site import SCHEDULES, Site, site

PROFILE = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {{name: fast}}
spec: {{priority: {{class: {name}, value: {value}}}}}
"""
HOME = "environments/prod.yaml"


@pytest.fixture(scope="module")
def prod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster where everything is applied, a class of Kubernetes' own among it."""
    with site(cluster, tmp_path_factory.mktemp("site")) as found:
        found.commit({"components/fast.yaml": PROFILE.format(name=found.namespace, value=5)})
        found("apply", "--yes")
        yield found


@pytest.fixture
def home(prod: Site) -> Iterator[str]:
    """The document of the environment, which is as it was when the test is over."""
    text = (prod.project.root / HOME).read_text()
    yield text
    prod.commit(
        {
            HOME: text, "pipelines/schedules.yaml": SCHEDULES,
            "components/fast.yaml": PROFILE.format(name=prod.namespace, value=5),
        }
    )  # fmt: skip


def with_policies(text: str, policies: str) -> str:
    return f"{text.rstrip()}\n  policies: {policies}\n"


def schedules(prod: Site) -> list[tuple[str, str]]:
    """Ids and names as KFP has them: a replaced one has another id."""
    found = prod.kfp("GET", "recurringruns?page_size=100")["recurringRuns"]
    return sorted((each["recurring_run_id"], each["display_name"]) for each in found)


def test_a_freeze_and_what_is_protected_keep_the_cluster_as_it_is(prod: Site, home: str) -> None:
    before = schedules(prod)
    moved = SCHEDULES.replace("0 2 * * *", "0 3 * * *")
    for policies, code in (
        ("{protected: [schedule/night*]}", "policy-protected"), ("{freeze: true}", "policy-freeze"),
        ("{rules: [{name: r, kinds: [Schedule], actions: [replace], require: 'false'}]}", "policy-rule"),
    ):  # fmt: skip
        prod.commit({HOME: with_policies(home, policies), "pipelines/schedules.yaml": moved})
        told = prod("apply", "--yes", code=3)
        assert f"the policies of `prod` forbid this: {code}" in told.err
        assert schedules(prod) == before
    prod.commit({HOME: with_policies(home, "{freeze: true}")})
    assert "policy-freeze" in prod("destroy", "--yes", code=3).err
    assert schedules(prod) == before
    prod.commit({HOME: home, "pipelines/schedules.yaml": moved})
    prod("apply", "--yes")
    assert schedules(prod) != before


def test_what_kubernetes_has_is_protected_by_its_profile(prod: Site, home: str) -> None:
    changed = PROFILE.format(name=prod.namespace, value=7)
    prod.commit({HOME: with_policies(home, "{protected: [profile/fast]}"), "components/fast.yaml": changed})
    told = prod("plan", code=3)
    assert f"priorityclass/{prod.namespace} would be replaced, and `profile/fast` is protected" in told.err
    assert "components/fast.yaml:3:18" in told.err
    rule = (
        "{rules: [{name: steady, kinds: [ResourceProfile], require: "
        "\"change.action != 'replace' || change.before.value == resource.spec.priority.value\"}]}"
    )
    prod.commit({HOME: with_policies(home, rule)})
    assert "breaks the rule `steady`" in prod("plan", code=3).err


def test_looking_ahead_in_a_freeze(prod: Site, home: str, tmp_path: Path) -> None:
    prod.commit(
        {
            HOME: with_policies(home, "{freeze: [{start: 2026-01-01T00:00:00Z, end: 2126-01-01T00:00:00Z}]}"),
            "pipelines/schedules.yaml": SCHEDULES.replace("0 2 * * *", "0 5 * * *"),
        }
    )
    saved = str(tmp_path / "plan.json")
    told = prod("plan", "--out", saved)
    assert "`prod` is frozen until 2126-01-01T00:00:00Z; apply refuses changes" in told.out
    (refused,) = prod.forks.run(prod.project.root, ["apply", "--plan", saved, "--yes"])
    assert refused.code == 3
    assert "policy-freeze" in refused.err
