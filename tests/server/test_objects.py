"""Experiments, pipelines and versions through the API, where the recorded stories say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local.store import pages, pipelines
from kfgit.server.errors import UploadError
from tests.backends import local_samples as samples
from tests.server.calling import Api, api, reference
from tests.server.stories import STORIES

GREET = (STORIES / "packages" / "greet.yaml").read_text()
TWO = (STORIES / "packages" / "two-params.yaml").read_text()
PLAIN = samples.package({"a": ([], ())})
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def call(tmp_path: Path) -> Api:
    return api(tmp_path)


def _names(answer: Any, key: str) -> list[str]:
    return [item["display_name"] for item in answer.get(key, [])]


def _run(call: Api, experiment: str) -> str:
    body = {"display_name": "r", "pipeline_spec": PLAIN.spec, "experiment_id": experiment}
    return str(call("POST", "/runs", body)["run_id"])


def _schedule(call: Api, experiment: str) -> str:
    body = {
        "display_name": "s",
        "pipeline_spec": PLAIN.spec,
        "experiment_id": experiment,
        "max_concurrency": "1",
        "mode": "ENABLE",
        "trigger": {"periodic_schedule": {"interval_second": "60"}},
    }
    return str(call("POST", "/recurringruns", body)["recurring_run_id"])


def _upload_refused(call: Api, path: str, filename: str, content: str, **query: str) -> tuple[int, str]:
    with pytest.raises(UploadError) as caught:
        call.send(path, filename, content, **query)
    assert caught.value.body().keys() == {"error_message", "error_details"}
    return caught.value.status, str(caught.value)


def test_archiving_takes_runs_along_and_turns_schedules_off(call: Api) -> None:
    ours, other = (
        call("POST", "/experiments", {"display_name": name})["experiment_id"] for name in ("a", "b")
    )
    mine, theirs = _run(call, ours), _run(call, other)
    mine_timed, theirs_timed = _schedule(call, ours), _schedule(call, other)
    nudges = len(call.nudges)
    call("POST", f"/experiments/{ours}:archive", {})
    assert len(call.nudges) == nudges + 1
    assert call("GET", f"/runs/{mine}")["storage_state"] == "ARCHIVED"
    assert call("GET", f"/runs/{theirs}")["storage_state"] == "AVAILABLE"
    assert call("GET", f"/recurringruns/{mine_timed}")["status"] == "DISABLED"
    assert call("GET", f"/recurringruns/{theirs_timed}")["status"] == "ENABLED"

    # A call that has no body in KFP's API has none that could be wrong.
    call("POST", f"/experiments/{ours}:unarchive", b"{")
    assert call("GET", f"/experiments/{ours}")["storage_state"] == "AVAILABLE"
    assert call("GET", f"/runs/{mine}")["storage_state"] == "ARCHIVED"
    assert call("GET", f"/recurringruns/{mine_timed}")["status"] == "DISABLED"


def test_an_archived_experiment_keeps_its_name_and_takes_runs(call: Api) -> None:
    id_ = call("POST", "/experiments", {"display_name": "a"})["experiment_id"]
    call("POST", f"/experiments/{id_}:archive")
    assert call.refused("POST", "/experiments", {"display_name": "A"})[:2] == (409, 6)
    assert call("GET", f"/runs/{_run(call, id_)}")["experiment_id"] == id_


def test_the_default_experiment_stays(call: Api) -> None:
    _run(call, "")
    default = call("GET", "/experiments")["experiments"][0]
    assert default["display_name"] == "Default"
    assert default["description"] == "All runs created without specifying an experiment will be grouped here."
    assert call.refused("DELETE", f"/experiments/{default['experiment_id']}")[:2] == (409, 10)


def test_the_last_run_of_an_experiment_is_told(call: Api) -> None:
    id_ = call("POST", "/experiments", {"display_name": "a"})["experiment_id"]
    call.later(hours=1)
    _run(call, id_)
    assert call("GET", f"/experiments/{id_}")["last_run_created_at"] == "2026-03-01T13:00:00Z"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"display_name": "é" * 65}, "128"),
        ({"display_name": "a", "description": "d" * 256}, "description"),
        ({"display_name": "a", "namespace": "n" * 64}, "Namespace"),
        ({"display_name": 3}, "display_name"),
        ([], "object"),
    ],
    ids=range(5),
)
def test_experiments_that_are_refused(call: Api, body: Any, named: str) -> None:
    status, code, text = call.refused("POST", "/experiments", body)
    assert (status, code, named in text) == (400, 3, True), text
    assert call("GET", "/experiments") == {}


def test_texts_may_be_as_long_as_their_columns(call: Api) -> None:
    made = call("POST", "/experiments", {"display_name": "é" * 64, "description": "é" * 255})
    assert made["description"] == "é" * 255
    pipeline = call(
        "POST", "/pipelines", {"name": "x" * 128, "display_name": "é" * 255, "description": "d" * 5000}
    )
    assert len(pipeline["description"]) == 5000
    version = call.send(
        "/pipelines/upload_version", "a.yaml", GREET, pipelineid=pipeline["pipeline_id"], name="v" * 127
    )
    assert version["name"] == "v" * 127


def test_what_the_server_alone_says_of_an_object_is_taken_and_left(call: Api) -> None:
    given = {"experiment_id": NOBODY, "created_at": "2000-01-01T00:00:00Z", "storage_state": "ARCHIVED"}
    made = call("POST", "/experiments", {"display_name": "a", **given})
    assert made["experiment_id"] != NOBODY
    assert (made["created_at"], made["storage_state"]) == ("2026-03-01T12:00:00Z", "AVAILABLE")
    fault = {"code": 3, "message": "x", "details": [{"@type": "t"}]}
    body = {"name": "p", "pipeline_id": NOBODY, "error": fault}
    assert call("POST", "/pipelines", body)["pipeline_id"] != NOBODY


def test_names_of_pipelines_are_one_whatever_their_case(call: Api) -> None:
    made = call("POST", "/pipelines", {"name": "Pipe"})
    assert call.refused("POST", "/pipelines", {"display_name": "pIPE"})[:2] == (409, 6)
    assert _upload_refused(call, "/pipelines/upload", "a.yaml", GREET, name="PIPE")[0] == 409
    assert call("GET", "/pipelines/names/pipe") == made
    call.send("/pipelines/upload_version", "a.yaml", GREET, pipelineid=made["pipeline_id"], name="v1")
    query = {"pipelineid": made["pipeline_id"], "name": "V1"}
    assert _upload_refused(call, "/pipelines/upload_version", "a.yaml", TWO, **query)[0] == 409


def test_a_name_may_hold_anything(call: Api) -> None:
    for name in ("a/b", "a:archive", "50% off", "näme", " "):
        made = call("POST", "/pipelines", {"name": name})
        quoted = name.replace("%", "%25").replace("/", "%2F").replace(":", "%3A")
        assert call("GET", f"/pipelines/names/{quoted}") == made


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({"": "v"}, "empty"),
        ({"a.b": "v"}, "a.b"),
        ({"k" * 64: "v"}, "63"),
        ({"k": "v" * 64}, "63"),
        ({str(number): "v" for number in range(21)}, "21"),
        ({"a": "1", "A": "2"}, "case"),
        ({"a": 1}, "tags.a"),
        ({"a": None}, "tags.a"),
        (["a"], "tags"),
    ],
    ids=range(9),
)
def test_tags_that_are_refused(call: Api, tags: Any, named: str) -> None:
    made = call("POST", "/pipelines", {"name": "p", "tags": {"é" * 63: "é" * 63}})
    for method, path in (("POST", "/pipelines"), ("PATCH", f"/pipelines/{made['pipeline_id']}")):
        status, code, text = call.refused(method, path, {"name": "q", "tags": tags})
        assert (status, code, named in text) == (400, 3, True), text
    assert call("GET", f"/pipelines/{made['pipeline_id']}") == made


@pytest.mark.parametrize("tags", ["{", "[]", '{"a": 1}', '{"a.b": "x"}', "null"])
def test_tags_of_an_upload_that_are_refused(call: Api, tags: str) -> None:
    if tags == "null":
        assert "tags" not in call.send("/pipelines/upload", "a.yaml", GREET, tags=tags)
        return
    assert _upload_refused(call, "/pipelines/upload", "a.yaml", GREET, tags=tags)[0] == 400
    assert call("GET", "/pipelines") == {}


def test_tags_of_an_upload_are_those_of_the_pipeline(call: Api) -> None:
    made = call.send(
        "/pipelines/upload", "a.yaml", GREET, tags='{"team": "ads"}', code_source_url="https://x"
    )
    (version,) = call("GET", f"/pipelines/{made['pipeline_id']}/versions")["pipeline_versions"]
    assert made["tags"] == {"team": "ads"}
    assert version.keys().isdisjoint({"tags", "code_source_url"})


def test_an_upload_is_named_by_the_query_or_by_the_file(call: Api) -> None:
    assert call.send("/pipelines/upload", "dir/a.yaml", GREET)["name"] == "a.yaml"
    shown = call.send("/pipelines/upload", "b.yaml", GREET, display_name="For people")
    assert (shown["name"], shown["display_name"]) == ("For people", "For people")
    both = call.send("/pipelines/upload", "b.yaml", GREET, name="c", display_name="C")
    assert (both["name"], both["display_name"]) == ("c", "C")


def test_a_refused_upload_leaves_nothing(call: Api) -> None:
    for content, query in (
        ("a: 1", {"name": "p"}),
        (GREET, {"name": "n" * 129}),
        (GREET, {"name": "n" * 128}),
        (GREET, {"name": "p", "display_name": "d" * 256}),
    ):
        assert _upload_refused(call, "/pipelines/upload", "a.yaml", content, **query)[0] == 400
    assert call("GET", "/pipelines") == {}
    pipeline = call("POST", "/pipelines", {"name": "p"})["pipeline_id"]
    for content, query in ((GREET, {"pipelineid": NOBODY}), ("a: 1", {"pipelineid": pipeline}), (GREET, {})):
        assert _upload_refused(call, "/pipelines/upload_version", "a.yaml", content, **query)[0] == 400
    assert call("GET", f"/pipelines/{pipeline}/versions") == {}


def test_versions_of_one_content_are_versions_of_their_own(call: Api) -> None:
    pipeline = call("POST", "/pipelines", {"name": "p"})["pipeline_id"]
    made = [
        call.send("/pipelines/upload_version", "a.yaml", GREET, pipelineid=pipeline, name=name)
        for name in ("v1", "v2")
    ]
    assert made[0]["pipeline_spec"] == made[1]["pipeline_spec"]
    call("DELETE", f"/pipelines/{pipeline}/versions/{made[0]['pipeline_version_id']}")
    assert call("GET", f"/pipelines/{pipeline}/versions/{made[1]['pipeline_version_id']}") == made[1]


def test_a_version_is_changed_like_a_pipeline(call: Api) -> None:
    pipeline = call("POST", "/pipelines", {"name": "p"})["pipeline_id"]
    query = {"pipelineid": pipeline, "name": "v", "tags": '{"a": "b"}', "description": "d"}
    made = call.send("/pipelines/upload_version", "a.yaml", GREET, **query)
    path = f"/pipelines/{pipeline}/versions/{made['pipeline_version_id']}"
    named = call("PATCH", path, {"display_name": "V", "description": "other"})
    assert named == {**made, "display_name": "V"}
    assert call("PATCH", path, {"display_name": "", "tags": {"c": "d"}}) == {**named, "tags": {"c": "d"}}
    cleared = call("PATCH", path, {"tags": {}})
    assert "tags" not in cleared
    assert call("GET", path) == cleared
    assert call.refused("PATCH", f"/pipelines/{pipeline}/versions/{NOBODY}", {"tags": {}})[:2] == (404, 5)


def test_what_a_deleted_version_runs_goes_on(call: Api) -> None:
    pipeline = call.send("/pipelines/upload", "a.yaml", GREET)["pipeline_id"]
    (version,) = call("GET", f"/pipelines/{pipeline}/versions")["pipeline_versions"]
    ids = {"pipeline_id": pipeline, "pipeline_version_id": version["pipeline_version_id"]}
    run = call("POST", "/runs", {"display_name": "r", "pipeline_version_reference": ids})
    call("DELETE", f"/pipelines/{pipeline}", cascade="true")
    told = call("GET", f"/runs/{run['run_id']}")
    assert told["pipeline_version_reference"] == ids
    with call.backend.database.read() as db:
        assert db.execute("SELECT count(*) FROM packages").fetchone()[0] == 1
    call("DELETE", f"/runs/{run['run_id']}")
    with call.backend.database.read() as db:
        assert db.execute("SELECT count(*) FROM packages").fetchone()[0] == 0


def test_nothing_is_fetched(call: Api) -> None:
    pipeline = call("POST", "/pipelines", {"name": "p"})["pipeline_id"]
    for url in ("", "http://169.254.169.254/x.yaml", "https://github.com/x/y.yaml", "file:///etc/passwd"):
        version = {"package_url": {"pipeline_url": url}, "pipeline_id": pipeline, "name": "v"}
        assert call.refused("POST", f"/pipelines/{pipeline}/versions", version)[:2] == (400, 3)
        body = {"pipeline": {"name": "q"}, "pipeline_version": version}
        assert call.refused("POST", "/pipelines/create", body)[:2] == (400, 3)
    assert _names(call("GET", "/pipelines"), "pipelines") == ["p"]


def test_a_list_of_versions_is_that_of_its_pipeline(call: Api) -> None:
    first, second = (call.send("/pipelines/upload", f"{name}.yaml", GREET)["pipeline_id"] for name in "ab")
    assert _names(call("GET", f"/pipelines/{first}/versions"), "pipeline_versions") == ["a.yaml"]
    assert _names(call("GET", f"/pipelines/{second}/versions"), "pipeline_versions") == ["b.yaml"]
    assert call.refused("GET", f"/pipelines/{NOBODY}/versions")[:2] == (404, 5)


def test_cascade_is_a_boolean(call: Api) -> None:
    pipeline = call.send("/pipelines/upload", "a.yaml", GREET)["pipeline_id"]
    assert call.refused("DELETE", f"/pipelines/{pipeline}", cascade="yes")[:2] == (400, 3)
    assert call.refused("DELETE", f"/pipelines/{pipeline}", cascade="false")[:2] == (400, 3)
    call("DELETE", f"/pipelines/{pipeline}", cascade="1")


def test_pipelines_of_apply_are_told_like_any_other(call: Api) -> None:
    version = call.upload(PLAIN, "ours")
    told = call("GET", "/pipelines/names/ours")
    assert told["display_name"] == told["name"] == "ours"
    shown = call(
        "GET", "/pipelines/{pipeline_id}/versions/{pipeline_version_id}".format(**reference(version))
    )
    assert shown["name"] == version.name
    assert shown["pipeline_spec"]["pipelineInfo"] == {"name": PLAIN.name}


def test_the_newest_version_is_the_one_that_came_last(call: Api) -> None:
    pipeline = call("POST", "/pipelines", {"name": "p"})["pipeline_id"]
    for number in range(12):
        call.send("/pipelines/upload_version", "a.yaml", GREET, pipelineid=pipeline, name=f"v{number}")
    with call.backend.database.read() as db:
        newest = pipelines.latest(db, pipeline)
        page = pages.page(db, pages.Query(pages.VERSIONS, 1, descending=True, scope={"pipeline": pipeline}))
    assert newest is not None
    assert newest.name == "v11"
    assert page.total == 12
