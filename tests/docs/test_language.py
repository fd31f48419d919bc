"""docs/language.md tells of every kind and key; docs/keys.md lists them, made from the schemas (`--accept`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from kfgit import driver
from kfgit.schema import strict
from kfgit.schema.words import joined
from tests.docs.markdown import ROOT

LANGUAGE, KEYS = ROOT / "docs" / "language.md", ROOT / "docs" / "keys.md"
SCHEMAS = driver.schemas()

HEAD = """# Every key

Made from the JSON Schemas by `pytest tests/docs --accept`. What the keys mean together is told in
[language.md](language.md); `kfgit explain FIELD` tells the same of one. `NAME` stands for a name of yours, `[]` for the
items of a list. Bold keys must be there. What has been listed before in the same kind is named, not repeated.
"""


class Key(NamedTuple):
    path: str
    name: str
    schema: dict[str, Any]
    required: bool


def keys(node: Any, path: str = "") -> Iterator[Key]:
    """Every key below a schema without references but to what recurs."""
    if not isinstance(node, dict):
        return
    for name, schema in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield Key(here, name, schema, name in node.get("required", ()))
        yield from keys(schema, here)
    for branch in ("then", "else"):
        yield from keys(node.get(branch), path)
    yield from keys(node.get("items"), f"{path}[]")
    yield from keys(node.get("additionalProperties"), f"{path}.NAME")


def shared(key: Key, told: dict[str, str]) -> str | None:
    """Where the same keys, if they are several, have been told below another one."""
    below = [inner.path for inner in keys(key.schema)]
    first = told.setdefault(json.dumps(below), key.path)
    return first if len(below) > 2 and first != key.path else None


def rows(kind: str) -> Iterator[str]:
    told: dict[str, str] = {}
    skipped: list[str] = []
    for key in keys(strict(SCHEMAS, kind)):
        if any(re.match(rf"{re.escape(path)}[.\[]", key.path) for path in skipped):
            continue
        first = shared(key, told)
        if first is not None:
            skipped.append(key.path)
        yield f"| {_path(key)} | {_type(key.schema)} | {_default(key.schema)} | {_meaning(key, first)} |"


def _path(key: Key) -> str:
    return f"**`{key.path}`**" if key.required else f"`{key.path}`"


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " ".join(f"`{value}`" if value else '`""`' for value in schema["enum"])
    parts = [part for part in (schema, schema.get("then"), schema.get("else")) if isinstance(part, dict)]
    form = next((part["x-kfgit-form"] for part in parts if "x-kfgit-form" in part), None)
    if form is not None:
        return str(form).replace("|", "\\|")
    given = [part.get("type", []) for part in parts]
    types = [name for one in given for name in ([one] if isinstance(one, str) else one)]
    words = {"object": "map", "array": "list", "integer": "whole number"}
    return " or ".join(dict.fromkeys(words.get(name, name) for name in types))


def _default(schema: dict[str, Any]) -> str:
    return f"`{json.dumps(schema['default'], ensure_ascii=False)}`" if schema.get("default", {}) != {} else ""


def _meaning(key: Key, first: str | None) -> str:
    told = str(key.schema["description"]).replace("|", "\\|").replace("\n", " ")
    choice = key.schema.get("x-kfgit-choice")
    exactly = f" Exactly one of {joined(choice, 'and')}." if choice else ""
    return f"{told}{exactly}{f' Keys as in `{first}`.' if first else ''}"


def page() -> str:
    table = "| key | type | default | meaning |\n|---|---|---|---|\n"
    parts = [f"\n## {kind}\n\n{table}" + "".join(f"{row}\n" for row in rows(kind)) for kind in SCHEMAS.kinds]
    return HEAD + "".join(parts)


def test_the_page_of_keys_is_made_from_the_schemas(*, accept: bool) -> None:
    if accept:
        KEYS.write_text(page())
    assert KEYS.read_text() == page(), "write it anew: pytest tests/docs --accept"


def words() -> set[str]:
    """What stands in code in the reference of the language, in a line or in an example."""
    text = LANGUAGE.read_text()
    return set(
        re.findall(
            r"[A-Za-z]\w*", " ".join(re.findall(r"`[^`\n]+`|^```.*?^```", text, re.DOTALL | re.MULTILINE))
        )
    )


@pytest.mark.parametrize("kind", SCHEMAS.kinds)
def test_the_reference_tells_of_every_key(kind: str) -> None:
    known = words()
    assert kind in known
    assert sorted({key.path for key in keys(strict(SCHEMAS, kind)) if key.name not in known}) == []
