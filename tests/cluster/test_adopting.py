"""What people made on a cluster without kfgit, imported and taken over: nothing is made, changed or made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import by_hand
from tests.by_hand import Made, Server
from tests.cluster.cluster import Cluster
from tests.cluster.site import Site, site

ZONE = "Europe/Zurich"
LEFT_OUT = {"schedule/inline", "schedule/strange"}


@pytest.fixture(params=["UTC", ZONE])
def prod(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    """A cluster where everything that the documents want is applied."""
    with site(cluster, tmp_path, "--no-engine") as found:
        text = (found.project.root / "environments/prod.yaml").read_text()
        zone = request.param
        # A zone of the controller's that has summer time takes no crons of other zones.
        schedules = f"""
            apiVersion: kfgit.dev/v1
            kind: Schedule
            metadata: {{name: mine}}
            spec: {{pipeline: flow, cron: 0 2 * * *, timezone: {zone}}}
        """
        found.commit(
            {
                "environments/prod.yaml": text.replace("timezone: UTC", f"timezone: {zone}"),
                "pipelines/schedules.yaml": schedules,
            }
        )
        found("apply", "--yes")
        yield found


def changes(plan: Any) -> dict[str, tuple[str, str]]:
    return {
        f"{each['kind'].lower()}/{each['name']}": (each["action"], each["cause"])
        for each in plan["changes"]
        if each["action"] != "unchanged"
    }


def imported(prod: Site, *words: str) -> dict[str, Any]:
    told = prod.json("import", "--live", *words)
    return {f"{each['kind'].lower()}/{each['name']}": each for each in told["documents"]}


def test_what_is_imported_and_adopted_is_as_it_was(prod: Site) -> None:
    server = Server(prod.server.url)
    made: Made = by_hand.make(server)
    before = server.everything()
    found = imported(prod)
    assert {name for name, each in found.items() if each["error"]} == {*LEFT_OUT, "schedule/twice-2"}
    assert server.everything() == before
    prod.commit({})
    # Only who says so changes a cluster: nobody can be asked here.
    assert "say --yes" in prod("adopt", "*", code=3).err
    prod("adopt", "*", "--yes")
    prod("adopt", f"schedule/{found['schedule/twice']['id']}", "--yes")
    for words in ((), ("--refresh",)):
        plan = prod.json("plan", *words)
        assert changes(plan) == {"schedule/follows": ("replace", "adoption")}
        assert {f"{each['kind'].lower()}/{each['name']}" for each in plan["foreign"]} == LEFT_OUT
    assert server.everything() == before
    prod("apply", "--yes")
    assert changes(prod.json("plan", "--refresh")) == {}
    after = server.everything()
    assert before.keys() - after.keys() == {made.follower}
    assert all(after[id_] == before[id_] for id_ in before.keys() & after.keys())
    assert imported(prod, "--out", "pipelines/again").keys() == LEFT_OUT


def test_what_was_adopted_is_kept_like_all_that_is_ours(prod: Site) -> None:
    server = Server(prod.server.url)
    by_hand.make(server)
    imported(prod)
    prod.commit({})
    prod("adopt", "pipeline/churn", "experiment/Growth Team", "schedule/nightly", "--yes")
    (nightly,) = (each for each in server.everything().values() if each.get("display_name") == "nightly")
    server.ask("POST", f"recurringruns/{nightly['recurring_run_id']}:disable")
    plan = prod.json("plan")
    assert changes(plan) == {"schedule/nightly": ("update", "drift")}
    prod("apply", "--yes")
    assert server.ask("GET", f"recurringruns/{nightly['recurring_run_id']}")["mode"] == "ENABLE"
    # A document that changes replaces what was taken over, with the version that was taken over.
    path = "pipelines/imported/schedules/nightly.yaml"
    text = (prod.project.root / path).read_text().replace("0 2 * * *", "0 3 * * *")
    prod.commit({path: text})
    prod("apply", "--yes")
    (again,) = (each for each in server.everything().values() if each.get("display_name") == "nightly")
    assert again["recurring_run_id"] != nightly["recurring_run_id"]
    assert again["pipeline_version_reference"] == nightly["pipeline_version_reference"]
    assert changes(prod.json("plan")) == {}


def test_what_another_set_keeps_is_taken_only_with_a_word(prod: Site) -> None:
    name = prod.project.root / "kfgit.yaml"
    prod.commit({"kfgit.yaml": name.read_text().replace("name: demo", "name: renamed")})
    told = prod("adopt", "pipeline/flow", "schedule/mine", "--yes", code=3)
    assert "pipeline/flow belongs to another set of kfgit, " in told.err
    assert "(Kept by kfgit (demo, prod).)" in told.err
    before = Server(prod.server.url).everything()
    prod("adopt", "*", "--yes", "--from-other")
    assert changes(prod.json("plan")) == {}
    assert Server(prod.server.url).everything() == before


def test_kubernetes_objects_get_our_labels_and_keep_all_else(prod: Site) -> None:
    name = f"class-{prod.namespace}"
    place = "/apis/scheduling.k8s.io/v1/priorityclasses"
    admin = prod.cluster.admin
    admin.create(place, {"metadata": {"name": name, "labels": {"team": "a"}}, "value": 7, "description": "x"})
    profile = f"""
        apiVersion: kfgit.dev/v1
        kind: ResourceProfile
        metadata: {{name: fast}}
        spec: {{priority: {{class: {name}, value: 7}}}}
    """
    prod.commit({"components/profile.yaml": profile})
    before = admin.get(f"{place}/{name}")
    prod("adopt", f"priorityclass/{name}", "--yes")
    after = admin.get(f"{place}/{name}")
    assert (after["metadata"]["uid"], after["value"]) == (before["metadata"]["uid"], 7)
    labels = after["metadata"]["labels"]
    assert labels.pop("kfgit.dev/set")
    assert labels == {"team": "a", "app.kubernetes.io/managed-by": "kfgit"}
    assert changes(prod.json("plan")) == {}
    admin.delete(f"{place}/{name}")
