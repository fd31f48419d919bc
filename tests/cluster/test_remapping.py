"""What the inventory keeps of profiles, so that a plan tells whom another meaning of a name concerns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.site import Site, site

TASK = "component: {container: {image: 'e.com/a:1', script: echo}}"
PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: a100}
spec: {accelerator: {resource: nvidia.com/gpu, count: 2, model: A100}, node: {selector: {gpu: a100}}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4}
spec: {accelerator: {resource: nvidia.com/gpu, count: 2, model: L4}, node: {selector: {gpu: l4}}}
"""
PIPELINES = f"""\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {{name: one}}
spec: {{tasks: {{train: {{{TASK}, profile: gpu}}, tell: {{{TASK}}}}}}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {{name: two}}
spec: {{tasks: {{train: {{{TASK}, profile: gpu}}}}}}
"""
SENTENCE = "gpu: A100 → L4 in prod affects 2 pipelines, 2 tasks"


@pytest.fixture
def prod(cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    """A cluster with two pipelines, applied with `gpu` as an A100."""
    with site(cluster, tmp_path, "--no-engine") as found:
        schedules = {
            "pipelines/schedules.yaml": "",
            "pipelines/all.yaml": PIPELINES,
            "components/all.yaml": "",
        }
        found.commit({**schedules, "pipelines/profiles.yaml": PROFILES, **meaning(found, "{gpu: a100}")})
        found("apply", "--yes")
        yield found


def meaning(prod: Site, profiles: str) -> dict[str, str]:
    """The environment with this mapping."""
    path = "environments/prod.yaml"
    lines = (prod.project.root / path).read_text().splitlines()
    kept = [line for line in lines if not line.startswith("  profiles: ")]
    return {path: "\n".join([*kept, f"  profiles: {profiles}"]) + "\n"}


def test_a_plan_says_whom_it_concerns_without_more_requests(prod: Site) -> None:
    prod.commit({"pipelines/all.yaml": PIPELINES.replace("echo", "echo again")})
    plain = prod.json("plan")
    prod.commit({"pipelines/all.yaml": PIPELINES, **meaning(prod, "{gpu: l4}")})
    told = prod("plan")
    assert f"{SENTENCE}." in told.out
    assert "profile gpu: A100 → L4 in train" in told.out
    assert "exec-train.nodeSelector.labels.gpu: a100 → l4" in told.out
    found = prod.json("plan")
    assert found["requests"] == plain["requests"]
    assert plain["profiles"] == []
    (remap,) = found["profiles"]
    assert remap["tasks"] == [{"pipeline": "one", "path": "train"}, {"pipeline": "two", "path": "train"}]
    assert SENTENCE in prod("apply", "--yes").out
    assert prod.json("plan")["summary"] == {**found["summary"], "update": 0, "unchanged": 2}


def test_a_new_name_of_the_same_meaning_is_written_down_with_the_commit(prod: Site) -> None:
    renamed = {"pipelines/all.yaml": PIPELINES.replace("profile: gpu", "profile: fast")}
    prod.commit({**renamed, **meaning(prod, "{gpu: a100, fast: a100}")})
    assert prod.json("plan")["summary"]["unchanged"] == 2
    prod("apply", "--yes")
    prod.commit(meaning(prod, "{fast: l4}"))
    assert SENTENCE.replace("gpu", "fast") in prod("plan").out


def test_an_inventory_that_was_lost_is_written_anew_with_the_uses(prod: Site) -> None:
    prod.cluster.admin.delete(f"/api/v1/namespaces/{prod.namespace}/configmaps/kfgit-demo-prod")
    prod("apply", "--yes")
    prod.commit(meaning(prod, "{gpu: l4}"))
    assert SENTENCE in prod("plan").out


def test_an_adopted_pipeline_that_fits_has_its_uses(prod: Site) -> None:
    """One that somebody uploaded gets what its document says, which is what it is made of already."""
    third = PIPELINES.partition("---")[0].replace("name: one", "name: three")
    prod.commit({"pipelines/third.yaml": third})
    text = prod("compile", "three").out
    url = f"{prod.server.url}/apis/v2beta1/pipelines/upload?name=three"
    httpx.post(url, files={"uploadfile": ("three.yaml", text)}, trust_env=False).raise_for_status()
    prod("adopt", "pipeline/three", "--yes")
    prod.commit(meaning(prod, "{gpu: l4}"))
    assert SENTENCE.replace("2 pipelines, 2", "3 pipelines, 3") in prod("plan").out
