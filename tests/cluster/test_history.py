"""What a cluster remembers of applies, through the door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.site import Site, site

SMOKE = """\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {name: smoke}
spec: {pipeline: flow, trigger: onChange, inputs: {name: %s}}
"""


@pytest.fixture(scope="module")
def prod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster that executes runs, where nothing is applied yet."""
    with site(cluster, tmp_path_factory.mktemp("site")) as found:
        yield found


def past(prod: Site) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = prod.json("history")["items"]
    return items


def test_what_was_applied_and_how_its_runs_came_out_is_kept_there(prod: Site) -> None:
    assert past(prod) == []
    prod.commit({"pipelines/smoke.yaml": SMOKE % "one"})
    prod("apply", "--yes", "--wait")
    (first,) = past(prod)
    (run,) = first["runs"]
    assert (first["branch"], first["folder"], first["subject"], first["green"]) == (
        "main", False, "change", True,
    )  # fmt: skip
    assert (run["name"], run["pipeline"], run["state"]) == ("smoke", "flow", "SUCCEEDED")
    # It was written down: whoever removes the run takes nothing from the history.
    prod("runs", "delete", run["id"])
    assert past(prod) == [first]

    prod.commit({"README": "words"})
    told = prod.json("apply", "--yes")
    assert told["results"] == []
    newest, before = past(prod)
    assert (newest["runs"], newest["changes"], newest["green"], before) == (first["runs"], {}, True, first)
    assert newest["commit"] == told["commit"]
    # The same commit again writes nothing.
    prod("apply", "--yes")
    assert past(prod) == [newest, before]


def test_a_run_that_nobody_waited_for_is_asked_for(prod: Site) -> None:
    prod.commit({"pipelines/smoke.yaml": SMOKE % "two"})
    (run,) = prod.json("apply", "--yes")["runs"]
    prod("runs", "watch", run["id"])
    (newest, *_) = past(prod)
    assert [(each["id"], each["state"]) for each in newest["runs"]] == [(run["id"], "SUCCEEDED")]
    assert "1 succeeded" in prod("history", "--limit", "1").out


def test_a_run_that_failed_makes_no_commit_green(prod: Site) -> None:
    prod.commit({"pipelines/smoke.yaml": SMOKE.replace("flow", "broken").replace(", inputs: {name: %s}", "")})
    prod("apply", "--yes", "--wait", code=7)
    (newest, *_) = past(prod)
    assert ([each["state"] for each in newest["runs"]], newest["green"]) == (["FAILED"], False)
    assert "1 failed" in prod("history", "--limit", "1").out
