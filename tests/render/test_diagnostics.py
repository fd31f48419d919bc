"""Diagnostics in the formats of other programs: nothing in a file can leave its place in them."""

from __future__ import annotations

import re

import jsonschema
import pytest
from hypothesis import given, strategies as st

from kfgit.diagnostics import Diagnostic, Related
from kfgit.render import diagnostics as show
from kfgit.render.style import Style, clean
from kfgit.source import Span
from tests.github.obeyed import COMMANDS, commands_in

HOSTILE = "100%, a: b\n::error file=x::taken over\r\n##[group]"
TOLD = [
    Diagnostic(
        "cycle",
        f"`{HOSTILE}` waits",
        Span("pipelines/a b,é:%#.yaml", 3, 5, 4, 1),
        "mend it",
        related=(Related("an edge", Span("pipelines/x.yaml", 1, 2, 1, 3)),),
    ),
    Diagnostic("yaml-1.1", "a hint", Span("kfgit.yaml", 1, 1, 1, 1), None, "warning", environment="prod"),
]

# What SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) asks of the parts that are used here.
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_NUMBER = {"type": "integer", "minimum": 1}
_LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "message": _TEXT,
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                # A relative reference of RFC 3986.
                "artifactLocation": {
                    "type": "object",
                    "properties": {
                        "uri": {"type": "string", "pattern": r"^([A-Za-z0-9._~/-]|%[0-9A-F]{2})+$"}
                    },
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "properties": dict.fromkeys(
                        ("startLine", "startColumn", "endLine", "endColumn"), _NUMBER
                    ),
                    "additionalProperties": False,
                },
            },
        },
    },
}
_SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id"],
                                            "properties": {"shortDescription": _TEXT},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _TEXT,
                                "locations": {"type": "array", "items": _LOCATION},
                                "relatedLocations": {
                                    "type": "array",
                                    "uniqueItems": True,
                                    "items": _LOCATION,
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def test_sarif_has_the_shape_of_its_standard() -> None:
    log = show.sarif(TOLD, "1.2.3")
    jsonschema.Draft202012Validator(_SARIF).validate(log)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["cycle", "yaml-1.1"]
    first, second = run["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == (
        "pipelines/a%20b%2C%C3%A9%3A%25%23.yaml"
    )
    assert len(first["relatedLocations"]) == 1
    assert (second["level"], second["properties"]) == (
        "warning",
        {"environment": "prod", "environments": ["prod"]},
    )


def test_an_annotation_is_one_line_and_cannot_begin_another() -> None:
    lines = show.github(TOLD).splitlines()
    assert len(lines) == len(TOLD)
    assert all(re.match(r"::(error|warning) file=[^,:]+,line=\d+,", line) for line in lines)
    place, _, text = lines[0].removeprefix("::error ").partition("::")
    assert place.startswith("file=pipelines/a b%2Cé%3A%25#.yaml,line=3,endLine=4,col=5,title=cycle")
    assert "%0A" in text
    assert "100%25, a: b" in text


def test_errors_are_annotated_first_and_many_are_counted() -> None:
    warning, error = TOLD[1], TOLD[0]
    lines = show.github([warning, error, warning]).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", "::warning"]
    assert show.annotated([error] * 10) == ""
    assert show.annotated([warning, *[error] * 11]).startswith(
        "11 errors and 1 warning; GitHub shows 10 of each"
    )


PARTS = [
    ":", "::", "##[", "##", "#", "]", " ", "\n", "\r", "\t", "\x00", "\u2028", "\x1b[0m", "\u3000", "x",
    *COMMANDS, "Error", "%0A",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_nothing_of_a_stranger_is_a_command_of_githubs_runner(text: str) -> None:
    assert commands_in(clean(text)) == []
    told = Diagnostic(
        "cycle", text, Span(text, 1, 1, 1, 1), text, related=(Related(text, Span(text, 1, 1, 1, 1)),)
    )
    assert commands_in(show.github([told])) == ["error"]
    assert commands_in(show.human([told], {text: text.encode()}, Style())) == []


def test_what_is_no_command_is_left_as_it_is() -> None:
    for text in ("::1", "at [::1]:80", "## [a](b)", "a::b::c", "C++ ::std", "::ffff:1.2.3.4"):
        assert clean(text) == text


def test_json_has_every_key_of_the_command_line() -> None:
    told = show.as_json(TOLD, 7)
    assert told["summary"] == {"documents": 7, "errors": 1, "warnings": 1}
    keys = "code severity message help file line column endLine endColumn environment environments related"
    assert all(list(one) == keys.split() for one in told["diagnostics"])
    assert told["diagnostics"][0]["related"] == [
        {"file": "pipelines/x.yaml", "line": 1, "column": 2, "message": "an edge"}
    ]


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        ((), None),
        (("dev",), "in the environment dev"),
        (("dev", "prod"), "in the environments dev and prod"),
        (("dev", "eu", HOSTILE), "in the environments dev, eu and "),
    ],
)
def test_a_mistake_says_in_which_environments_it_is(environments: tuple[str, ...], said: str | None) -> None:
    first = environments[0] if environments else None
    told = TOLD[0].in_environment(first, environments[1:])
    text = show.human([told], {}, Style())
    assert (said in text) if said is not None else ("environment" not in text)
    (one,) = show.as_json([told], 1)["diagnostics"]
    assert (one["environment"], tuple(one["environments"])) == (first, environments)
