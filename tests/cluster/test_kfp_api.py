"""KFP's API as kfgit asks it: what a real server answered is understood, and what is none of its answers is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster.connection.wire import Answer, Wire
from kfgit.backends.cluster.history.schedules import ClusterSchedules
from kfgit.backends.cluster.kfp import answers as kfp_answers, messages as kfp_objects, uploading
from kfgit.backends.cluster.kfp.api import KfpApi, KfpFault, RunQuery, equals
from tests.cluster import carrying
from tests.cluster.carrying import package

RECORDED = Path(__file__).parents[1] / "conformance" / "kfp-api"
STEPS = [
    pytest.param(step, id=f"{path.stem} {number} {step['step']}")
    for path in sorted(RECORDED.glob("*.json"))
    for number, step in enumerate(json.loads(path.read_text())["steps"])
    if "request" in step and isinstance(step["response"].get("body"), dict)
]
# What reads the answers to which requests.
READERS: dict[str, Callable[[Any], Any]] = {
    "GET healthz": kfp_objects.health,
    "GET experiments": kfp_answers.page("experiments", kfp_objects.experiment),
    "GET pipelines": kfp_answers.page("pipelines", kfp_objects.pipeline),
    "GET pipelines/*/versions": kfp_answers.page("pipeline_versions", kfp_objects.version),
    "GET recurringruns": kfp_answers.page("recurringRuns", kfp_objects.schedule),
    "GET runs": kfp_answers.page("runs", kfp_objects.run),
    "GET experiments/*": kfp_objects.experiment,
    "GET pipelines/*": kfp_objects.pipeline,
    "GET pipelines/names/*": kfp_objects.pipeline,
    "GET pipelines/*/versions/*": kfp_objects.version,
    "GET recurringruns/*": kfp_objects.schedule,
    "GET runs/*": kfp_objects.run,
    "POST experiments": kfp_objects.experiment,
    "POST pipelines": kfp_objects.pipeline,
    "POST pipelines/upload": kfp_objects.pipeline,
    "POST pipelines/upload_version": kfp_objects.version,
    "POST recurringruns": kfp_objects.schedule,
    "POST runs": kfp_objects.run,
    "PATCH pipelines/*": kfp_objects.pipeline,
    "PATCH pipelines/*/versions/*": kfp_objects.version,
    **{f"POST {kind}/*:{verb}": kfp_answers.nothing for kind, verbs in (
        ("experiments", ("archive", "unarchive")), ("recurringruns", ("enable", "disable")),
        ("runs", ("archive", "unarchive", "terminate", "retry")),
    ) for verb in verbs},
    **{f"DELETE {path}": kfp_answers.nothing for path in (
        "experiments/*", "pipelines/*", "pipelines/*/versions/*", "recurringruns/*", "runs/*",
    )},
}  # fmt: skip


def filled(text: str) -> str:
    """A recorded body with something where it has a placeholder."""
    text = text.replace("<time>", "2026-01-01T00:00:00Z").replace("<token>", "next")
    return re.sub(r"<id>|\$\{\w+\}", str(uuid4()), text)


def endpoint(request: dict[str, Any]) -> str:
    path = request["path"].removeprefix("/apis/v2beta1/")
    path = re.sub(r"\$\{\w+\}|[0-9a-f]{8}-[0-9a-f-]{27}", "*", path)
    return f"{request['method']} {re.sub(r'names/.*', 'names/*', path)}"


def answer(status: int, body: object, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers, content, "KFP at there")


class Told:
    """A wire that answers what it was told to, and remembers what it was asked."""

    place = "KFP at there"

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def read(self, method: str, path: str, query: dict[str, str] | None = None, **_: Any) -> Answer:
        self.asked.append((method, path, dict(query or {})))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    write = read


def told(*answers: Answer) -> tuple[KfpApi, Told]:
    wire = Told(*answers)
    return KfpApi(cast("Wire", wire)), wire


@pytest.mark.parametrize("step", STEPS)
def test_what_a_real_server_answered_is_understood(step: dict[str, Any]) -> None:
    request, response = step["request"], step["response"]
    read = READERS.get(endpoint(request))
    given = answer(response["status"], filled(json.dumps(response["body"])).encode())
    if response["status"] != 200:
        with pytest.raises(KfpFault) as caught:
            kfp_answers.understood("do it", given, kfp_answers.nothing)
        # An unknown path is no word about an object.
        assert caught.value.missing == (response["status"] == 404 and "details" in response["body"])
        said_taken = "lready exist" in str(response["body"]) or "upload" in request["path"]
        assert caught.value.taken == (response["status"] == 409 and said_taken)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600
    elif read is not None:
        found = kfp_answers.understood("do it", given, read)
        if read is not kfp_answers.nothing:
            assert found
    else:
        pytest.fail(f"nobody reads {endpoint(request)}")


LOGIN = b"<!DOCTYPE html><html><title>Sign in</title>secret-of-a-page</html>"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (answer(200, LOGIN), "the answer is a web page, not KFP's; see that `target.kfp.endpoint`"),
        (answer(200, b""), "the answer is nothing, not KFP's"),
        (answer(200, b"ok"), "the answer is a text, not KFP's"),
        (answer(200, b"[]"), "the answer is JSON of another form, not KFP's"),
        (answer(200, b"[" * 100_000), "the answer is JSON of another form, not KFP's"),
        (
            answer(200, {"kind": "Status", "status": "Success"}),
            "the answer is not KFP's: it is no list of `pipelines`",
        ),
        (
            answer(200, {"pipelines": [{"pipeline_id": 7}]}),
            "the answer is not KFP's: its `name` is no text|it has no",
        ),
        (answer(200, {"pipelines": {}}), "it is no list of `pipelines`"),
        (answer(200, {"pipelines": [{"pipeline_id": "a"}]}), "it has no `display_name`"),
        (answer(404, LOGIN), "HTTP 404 with a web page, which is not KFP's"),
        (
            answer(404, {"kind": "Status", "code": 404}),
            "HTTP 404 with JSON of another form, which is not KFP's",
        ),
        (answer(500, b"upstream connect error"), "HTTP 500 with a text, which is not KFP's"),
    ],
)
def test_what_is_no_answer_of_kfps_is_told_and_not_repeated(given: Answer, why: str) -> None:
    api, _ = told(given)
    with pytest.raises(KfpFault, match=f"KFP at there did not list pipelines: .*({why})") as caught:
        api.pipelines()
    assert "secret" not in str(caught.value)
    assert not caught.value.missing


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"trigger": 3}, "its `trigger` is no object"),
        ({"trigger": {"cron_schedule": {"cron": 5}}}, "its `cron` is no text"),
        ({"trigger": {"cron_schedule": {"end_time": "soon"}}}, "its `end_time` is no time"),
        ({"trigger": {"periodic_schedule": {"interval_second": "a"}}}, "its `interval_second` is no whole"),
        ({"max_concurrency": "many"}, "its `max_concurrency` is no whole number"),
        ({"runtime_config": {"parameters": [1]}}, "its `parameters` is no object"),
        ({"service_account": 3}, "its `service_account` is no text"),
        ({"updated_at": "9999-12-31T23:59:59-14:00"}, "its `updated_at` is beyond all calendars"),
    ],
)
def test_what_is_odd_inside_a_schedule_is_told_where_it_is_read(odd: dict[str, Any], why: str) -> None:
    message = {"recurring_run_id": "a", "display_name": "b", **odd}
    with pytest.raises(kfp_objects.Odd, match=why):
        kfp_objects.schedule(message)


def test_only_kfps_own_word_says_that_something_is_not_there() -> None:
    gone = {"code": 5, "message": "long", "details": [{"code": 5, "message": "Run x not found"}]}
    api, _ = told(answer(404, gone))
    assert api.run("x") is None
    assert api.delete_run("x") is False
    for other in (
        answer(404, LOGIN),
        answer(404, {"error": "no route"}),
        answer(404, {"code": 404, "message": "no"}),
    ):
        api, _ = told(other)
        with pytest.raises(KfpFault):
            api.run("x")
        with pytest.raises(KfpFault):
            api.delete_run("x")


def test_what_a_server_has_not_got_is_told() -> None:
    api, _ = told(answer(501, {"code": 12, "message": "Method Not Allowed", "details": []}))
    with pytest.raises(KfpFault, match=r"as KFP can since 2\.17: this server has no such call \(HTTP 501\)"):
        api.update_pipeline("p", "Shown")


def test_a_newer_server_may_say_more() -> None:
    more = {
        "experiments": [{"experiment_id": "1", "display_name": "a", "colour": "red"}],
        "sorted_by": "name",
    }
    api, _ = told(answer(200, more))
    assert [each.display_name for each in api.experiments()] == ["a"]


def test_a_409_alone_does_not_say_that_a_name_is_taken() -> None:
    aborted = {
        "code": 10,
        "message": "long",
        "details": [{"code": 10, "message": "cannot delete the default"}],
    }
    api, _ = told(answer(409, aborted))
    with pytest.raises(KfpFault, match="cannot delete the default") as caught:
        api.create_experiment("a")
    assert not caught.value.taken


def test_the_word_for_operators_is_told_where_there_is_no_other() -> None:
    internal = {
        "code": 13,
        "message": "name is too long",
        "details": [{"code": 13, "message": "Internal Server Error"}],
    }
    api, _ = told(answer(500, internal))
    with pytest.raises(KfpFault, match=r"did not create experiment `a`: name is too long \(HTTP 500\)"):
        api.create_experiment("a")


def test_follow_up_pages_ask_for_nothing_but_the_page() -> None:
    one = {"experiment_id": "1", "display_name": "a"}
    pages = [{"runs": [], "next_page_token": "t1"}, {"next_page_token": "t2"}, {}]
    api, wire = told(*(answer(200, each) for each in pages))
    assert api.runs(RunQuery(experiment_id="e", display_name="n")) == ()
    first, *others = [query for _, _, query in wire.asked]
    assert first.keys() == {"sort_by", "experiment_id", "filter", "page_size"}
    assert others == [
        {"experiment_id": "e", "page_size": "200", "page_token": token} for token in ("t1", "t2")
    ]
    api, wire = told(answer(200, {"experiments": [one], "next_page_token": "t"}), answer(200, {}))
    api = KfpApi(cast("Wire", wire), "team")
    assert len(api.experiments()) == 1
    assert all(query["namespace"] == "team" for _, _, query in wire.asked)


def test_no_more_pages_are_asked_for_than_are_wanted() -> None:
    run = {"run_id": "1", "display_name": "a"}
    api, wire = told(answer(200, {"runs": [run] * 3, "next_page_token": "t"}))
    assert len(api.runs(limit=2)) == 2
    assert len(wire.asked) == 1
    assert api.runs(limit=0) == ()


def test_pages_that_lead_in_a_circle_end() -> None:
    api, _ = told(answer(200, {"next_page_token": "t"}))
    with pytest.raises(KfpFault, match="lead back"):
        api.experiments()


def test_pages_without_an_end_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfgit.backends.cluster.kfp.api._MAX_PAGES", 3)
    api, wire = told(*(answer(200, {"next_page_token": f"t{n}"}) for n in range(9)))
    with pytest.raises(KfpFault, match="there are more than 3 pages"):
        api.experiments()
    assert len(wire.asked) == 4


def test_a_run_under_another_id_is_told() -> None:
    api, _ = told(answer(200, {"run_id": "other", "display_name": "a"}))
    with pytest.raises(KfpFault, match="under another id, other"):
        api.create_run({"run_id": "mine", "display_name": "a"})


def test_a_name_that_differs_in_case_is_told() -> None:
    api, _ = told(answer(200, {"pipelines": [{"pipeline_id": "1", "name": "Train"}]}))
    with pytest.raises(KfpFault, match="KFP did not tell pipeline `train` from `Train`") as caught:
        api.pipeline_named("train")
    assert caught.value.taken


def test_filters_are_escaped_once_more() -> None:
    assert equals({"name": 'a+b%20"c'}) == (
        '{"predicates":[{"operation":"EQUALS","key":"name","string_value":"a%2Bb%2520\\"c"}]}'
    )


def test_what_no_server_would_take_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    api, wire = told(answer(200, {}))
    with pytest.raises(MachineFault, match="is no YAML and is not sent"):
        api.upload_version("p", "v", "a: [1, 2")
    monkeypatch.setattr(uploading, "MAX_BYTES", 2**20)
    with pytest.raises(MachineFault, match=r"has 1\.5 MiB, and KFP takes 1 at most"):
        api.upload_version("p", "v", f"a: {'b' * (3 * 2**19)}")
    assert wire.asked == []


@pytest.mark.parametrize(
    ("send", "why"),
    [
        (lambda api: api.create_experiment("a🚀"), "experiment `a🚀` is not sent: .* such as `🚀` in a name"),
        (lambda api: api.create_experiment("ü" * 65), "KFP keeps 128 bytes of a name, and this one has 130"),
        (lambda api: api.create_pipeline("a" * 129), "KFP keeps 128 bytes of a name, and this one has 129"),
        (
            lambda api: api.create_pipeline("a", "b" * 256),
            "KFP keeps 255 characters in a name, and these are 256",
        ),
        (lambda api: api.create_schedule({"display_name": "a" * 256}), "keeps 255 characters in a name"),
        (
            lambda api: api.create_schedule({"display_name": "a", "description": "b" * 256}),
            "in the description",
        ),
        (
            lambda api: api.create_run({"display_name": "a", "service_account": "b" * 256}),
            "in the service account",
        ),
        (
            lambda api: api.create_run(
                {"display_name": "a", "runtime_config": {"parameters": {"x": ["🚀"]}}}
            ),
            "such as `🚀` in the inputs: write it otherwise",
        ),
    ],
)
def test_what_the_database_would_refuse_is_not_sent(send: Callable[[KfpApi], object], why: str) -> None:
    api, wire = told(answer(200, {}))
    with pytest.raises(Refused, match=why):
        send(api)
    assert wire.asked == []


# --- against a server


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KfpApi]:
    with carrying.server(tmp_path_factory.mktemp("kfp")) as wire:
        yield KfpApi(wire)


@pytest.mark.parametrize(
    "name", ["plain", "a b", "100%", "%41", "a+b", 'q"uote', "ünï", "back\\slash", "a/b", "a:b"]
)
def test_every_name_is_found_again(api: KfpApi, name: str) -> None:
    name = f"{name} {uuid4().hex[:6]}"
    made = api.create_experiment(name, "about it")
    assert api.experiment_named(name) == made == api.experiment(made.experiment_id)
    assert made.description == "about it"
    pipeline = api.create_pipeline(name, "Shown", "about it", {"kfgit-set": "a"})
    assert api.pipeline_named(name) == pipeline == api.pipeline(pipeline.pipeline_id)
    version = api.upload_version(pipeline.pipeline_id, name, package("hi").to_yaml(), {"kfgit-digest": "b"})
    assert api.version_named(pipeline.pipeline_id, name) == version
    assert version.spec["pipelineInfo"] == {"name": "greet"}
    assert version.tags == {"kfgit-digest": "b"}
    schedule = api.create_schedule(
        {
            "display_name": name,
            "max_concurrency": "1",
            "trigger": {"cron_schedule": {"cron": "0 0 2 * * *"}},
            "pipeline_version_reference": {
                "pipeline_id": pipeline.pipeline_id,
                "pipeline_version_id": version.pipeline_version_id,
            },
        }
    )
    assert api.schedules_named(name) == (schedule,)
    assert not schedule.enabled


def test_names_are_unique_and_gone_is_gone(api: KfpApi) -> None:
    name = f"once {uuid4().hex[:6]}"
    made = api.create_experiment(name)
    with pytest.raises(KfpFault, match="already exists") as caught:
        api.create_experiment(name)
    assert caught.value.taken
    assert api.delete_experiment(made.experiment_id)
    assert not api.delete_experiment(made.experiment_id)
    assert api.experiment_named(name) is None
    pipeline = api.create_pipeline(name)
    api.upload_version(pipeline.pipeline_id, "v", package("hi").to_yaml())
    with pytest.raises(KfpFault, match="has a version of the name v already") as caught:
        api.upload_version(pipeline.pipeline_id, "v", package("hi").to_yaml())
    assert caught.value.taken
    with pytest.raises(KfpFault, match="existing pipeline versions"):
        api.delete_pipeline(pipeline.pipeline_id, cascade=False)
    assert api.delete_pipeline(pipeline.pipeline_id)
    assert not api.delete_pipeline(pipeline.pipeline_id)


def test_tags_are_replaced_and_names_kept(api: KfpApi) -> None:
    made = api.create_pipeline(f"tagged {uuid4().hex[:6]}", "Shown", "", {"a": "1", "b": "2"})
    changed = api.update_pipeline(made.pipeline_id, tags={"b": "3"})
    assert (changed.tags, changed.display_name) == ({"b": "3"}, "Shown")
    assert api.update_pipeline(made.pipeline_id, "Other").tags == {"b": "3"}
    assert made.pipeline_id in {each.pipeline_id for each in api.pipelines_tagged("b", "3")}


def test_lists_are_whole(api: KfpApi) -> None:
    mark = uuid4().hex[:6]
    for number in range(203):
        api.create_experiment(f"{mark} {number}")
    before = api.wire.requests
    found = [each.display_name for each in api.experiments() if each.display_name.startswith(mark)]
    assert len(found) == len(set(found)) == 203
    assert api.wire.requests - before == 2


def test_of_the_schedules_of_strangers_nothing_is_asked() -> None:
    theirs = [{"recurring_run_id": str(n), "display_name": f"s{n}"} for n in range(9)]
    api, wire = told(answer(200, {"recurringRuns": theirs}))
    assert ClusterSchedules(api, "UTC", "0" * 16, dict).ours() == ()
    assert len(wire.asked) == 1
