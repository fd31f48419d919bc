"""Live objects as documents: names, words, and what is no document."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from kfgit import driver, importers
from kfgit.formatting import Shapes
from kfgit.importers import Standing
from kfgit.plan import LiveObject

SHAPES = Shapes(driver.schemas())
ALONE = Standing()
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
CONTENT = {"pipelineInfo": {"name": "x"}, "root": {"dag": {"tasks": {}}}}


def live(kind: str, name: str, id_: str = "1", **spec: Any) -> LiveObject:
    detail = {"version": "v1", "package": CONTENT, "platform": None} if kind == "Pipeline" else {}
    return LiveObject(kind, name, id_, spec, "", owned=False, detail=detail)


def nightly(name: str = "nightly", id_: str = "1", **spec: Any) -> LiveObject:
    usual = {
        "pipeline": "churn",
        "version": "v1",
        "experiment": "Default",
        "cron": "0 0 2 * * *",
        "every": None,
    }
    return live("Schedule", name, id_, **{**usual, "timezone": "UTC", "enabled": True, **spec})


def document(one: LiveObject, *others: LiveObject, standing: Standing = ALONE) -> Any:
    (draft,) = (each for each in importers.drafts((one, *others), standing) if each.live is one)
    assert draft.why is None
    return yaml.safe_load(importers.files([draft], SHAPES)[draft.path])


@pytest.mark.parametrize(
    ("name", "prefix", "written", "external"),
    [
        ("churn", "", "churn", None),
        ("Churn Model", "", "churn-model", "Churn Model"),
        ("dev-churn", "dev-", "churn", None),
        ("churn", "dev-", "churn", "churn"),
        ("dev-Überraschung!", "dev-", "dev-uberraschung", "dev-Überraschung!"),
        ("§§§", "", "pipeline", "§§§"),
        ("a" * 80, "", "a" * 63, "a" * 80),
    ],
)
def test_a_name_is_kept_or_made_up(name: str, prefix: str, written: str, external: str | None) -> None:
    found = document(live("Pipeline", name), standing=Standing(prefix))
    assert (found["metadata"]["name"], found["spec"].get("externalName")) == (written, external)
    assert found["spec"]["package"] == f"{written}.ir.yaml"


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, max_size=8), st.randoms())
def test_names_are_legal_and_each_is_given_once(names: list[str], random: Any) -> None:
    found = [live("Experiment", name, str(number)) for number, name in enumerate(names)]
    first = importers.drafts(found, Standing(documents=frozenset({("Experiment", "a")})))
    random.shuffle(found)
    assert importers.drafts(found, Standing(documents=frozenset({("Experiment", "a")}))) == first
    assert all(NAME.match(each.name) for each in first)
    assert len({"a", *(each.name for each in first)}) == len(first) + 1


def test_who_can_keep_the_name_keeps_it() -> None:
    found = importers.drafts([live("Experiment", "A b", "1"), live("Experiment", "a-b", "2")], Standing())
    assert {each.live.name: each.name for each in found} == {"A b": "a-b-2", "a-b": "a-b"}


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        ({}, {"cron": "0 2 * * *"}),
        ({"cron": "30 0 2 * * *"}, {"cron": "30 0 2 * * *"}),
        ({"timezone": "Europe/Zurich"}, {"cron": "0 2 * * *", "timezone": "Europe/Zurich"}),
        ({"cron": None, "every": 5400}, {"every": "90m"}),
        ({"cron": None, "every": 172_800}, {"every": "2d"}),
        ({"start": "2030-01-01T00:00:00+00:00"}, {"cron": "0 2 * * *", "start": "2030-01-01T00:00:00Z"}),
        ({"serviceAccount": "pipeline-runner"}, {"cron": "0 2 * * *"}),
        ({"serviceAccount": "mine"}, {"cron": "0 2 * * *", "serviceAccount": "mine"}),
        ({"version": "v0"}, {"cron": "0 2 * * *", "version": "v0"}),
        ({"catchup": True, "enabled": False}, {"cron": "0 2 * * *", "catchup": True, "enabled": False}),
    ],
)
def test_a_schedule_says_what_is_not_usual(spec: dict[str, Any], written: dict[str, Any]) -> None:
    found = document(nightly(**spec), live("Pipeline", "churn"))
    assert found["spec"] == {"pipeline": "churn", **written}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"pipeline": "gone"}, "what it runs is no pipeline of the server: gone"),
        ({"cron": None}, "it has no trigger"),
        ({"experiment": "1234 (not found)"}, "its experiment is gone"),
    ],
)
def test_what_cannot_be_a_document_is_a_comment(spec: dict[str, Any], why: str) -> None:
    (draft,) = (
        each
        for each in importers.drafts([nightly(**spec), live("Pipeline", "churn")], Standing())
        if each.live.kind == "Schedule"
    )
    text = importers.files([draft], SHAPES)[draft.path]
    assert why in str(draft.why)
    assert why in text
    assert all(line.startswith("#") for line in text.splitlines())


def test_of_two_with_one_name_one_is_a_document() -> None:
    pair = [nightly("Twice", "2"), nightly("twice", "1", enabled=False)]
    found = importers.drafts([*pair, live("Pipeline", "churn")], Standing())
    assert [(each.live.id, each.why is None) for each in found if each.live.kind == "Schedule"] == [
        ("2", True),
        ("1", False),
    ]


@given(st.text(max_size=60))
def test_any_text_is_one_text_in_a_document(text: str) -> None:
    (draft,) = importers.drafts([live("Experiment", "x", description=text)], Standing())
    path, written = next(iter(importers.files([draft], SHAPES).items()))
    assert path == "experiments/x.yaml"
    told = yaml.safe_load(written)["metadata"].get("description", "")
    plain = told.replace("$$(", "$(")
    for opens in ("{{", "{%", "{#"):
        plain = plain.replace("{{ '" + opens + "' }}", opens)
    assert plain == text or "{{ '" in text or "$$(" in text
