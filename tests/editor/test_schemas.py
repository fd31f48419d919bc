"""The schema files say to editors what kfgit's notes in them say to `validate`, in a form that editors tell well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kfgit.schema import Schemas, bundled, overlay
from tests.editor.derived import derived, text

FILES = sorted((Path(__file__).parents[2] / "schemas").glob("*.schema.json"))
SCHEMAS = Schemas.load({path.name: json.loads(path.read_text()) for path in FILES})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_editors_are_told_follows_from_the_notes(path: Path, *, accept: bool) -> None:
    wanted = text(derived(json.loads(path.read_text()))) + "\n"
    if accept and path.read_text() != wanted:
        path.write_text(wanted)
    assert path.read_text() == wanted, "write it anew: pytest tests/editor --accept"


def test_nothing_is_valid_under_any() -> None:
    """Alternatives stand in conditions only, where nobody is told that none of them held."""
    for path in FILES:
        assert [*alternatives(json.loads(path.read_text()))] == []


def alternatives(part: Any, above: str = "") -> Iterator[str]:
    for key, item in (
        part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    ):
        if key in {"anyOf", "oneOf", "not"} and isinstance(item, (list, dict)) and above != "/properties":
            yield f"{above}/{key}"
        if key not in {"if", "examples", "default"} or above.endswith("/properties"):
            yield from alternatives(item, f"{above}/{key}" if key != "properties" else "/properties")


def test_a_template_may_stand_for_a_number_a_boolean_and_a_word() -> None:
    for path in FILES:
        assert [*unguarded(json.loads(path.read_text()))] == []
    assert [*unguarded({"properties": {"a": {"type": "integer"}}})] == ["/properties/a"]


def unguarded(part: Any, above: str = "") -> Iterator[str]:
    """Where such a value is asked for without an `if` that lets templates pass. A document's kind is never one."""
    if not isinstance(part, dict):
        return
    named = above.endswith(("/properties", "/$defs"))
    typed = not named and (
        part.get("type") in ("integer", "number", "boolean") or isinstance(part.get("enum"), list)
    )
    if typed and above != "/properties/kind":
        yield above
    guard = isinstance(part.get("if"), dict) and str(part["if"].get("$ref")).endswith("#/$defs/template")
    for key, item in part.items():
        if named or key not in {"if", "examples", "default", "allOf", *(["else"] if guard else [])}:
            yield from unguarded(item, f"{above}/{key}")


def test_no_field_is_completed_with_an_object_of_javascript() -> None:
    """Where a list of maps is the only value to offer, yaml-language-server writes `[object Object]` beside the key."""
    for path in FILES:
        for schema in nodes(json.loads(path.read_text())):
            examples = schema.get("examples")
            lists = [e for e in examples if isinstance(e, list)] if isinstance(examples, list) else []
            if lists and any(isinstance(item, dict) for item in lists[0]):
                assert "default" in schema or len(lists) > 1, schema


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from nodes(item)


def test_the_overlays_schema_is_a_schema() -> None:
    schema = overlay(SCHEMAS)
    Draft202012Validator.check_schema(schema)
    for name in references(schema):
        assert name in schema["$defs"]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        yield part["$ref"].removeprefix("#/$defs/")
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from references(item)


OVERLAYS = (
    {"kind": "Schedule", "metadata": {"name": "a"}, "spec": {"enabled": False, "cron": None}},
    {"kind": "Pipeline", "metadata": {"name": "a"}, "spec": {"tasks": {"b": {"timeout": "1h"}, "c": None}}},
    {"kind": "Pipeline", "metadata": {"name": "a", "labels": {"b": None}}},
    {"kind": "Component", "metadata": {"name": "a"}, "spec": {"container": {"args": ["b"], "command": None}}},
    {"kind": "Run", "metadata": {"name": "a"}, "spec": {"wait": None, "inputs": {"b": None}}},
)


@pytest.mark.parametrize("document", OVERLAYS)
def test_an_overlay_leaves_out_what_its_base_says(document: dict[str, Any]) -> None:
    assert [error.message for error in Draft202012Validator(overlay(SCHEMAS)).iter_errors(document)] == []
    assert not Draft202012Validator(bundled(SCHEMAS)).is_valid(document)


NO_OVERLAYS = (
    {"kind": "Schedule", "spec": {}},
    {"kind": "Schedule", "metadata": {"name": "a"}, "spec": {"cronn": "1"}},
    {"kind": "Pipeline", "metadata": {"name": "a"}, "spec": {"tasks": {"b": {"timeout": 5}}}},
    {"kind": "Pipeline", "metadata": {"name": "a"}, "spec": {"tasks": {"b": {"switch": [{"when": "x"}]}}}},
    {"apiVersion": "kfgit.dev/v1", "kind": "Environment", "metadata": {"name": "a"}, "spec": {"target": {}}},
    {"kind": "Environment", "metadata": {"name": "a"}},
)


@pytest.mark.parametrize("document", NO_OVERLAYS)
def test_what_is_wrong_in_any_overlay_is_refused(document: dict[str, Any]) -> None:
    assert not Draft202012Validator(overlay(SCHEMAS)).is_valid(document)
