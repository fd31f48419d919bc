"""`render --explain`: the file and line that are claimed for a value hold that value, whatever made the document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from kfgit import document
from kfgit.document import Mapping, Node, Scalar, Sequence, plain
from kfgit.overlay import View, locate, view
from kfgit.render import documents
from kfgit.render.style import Style
from kfgit.source import SourceFile, Span

VARS = ("city", "port", "deep.image", "deep.tags", "deep.tags.1", "both.one", "both.two")
PROJECT_VARS = {
    "city": "Ulm",
    "port": 5000,
    "deep": {"image": "img-base", "tags": ["tag-a", "tag-b"]},
    "both": {"one": "one-base", "two": "two-base"},
}
OVERRIDES: tuple[dict[str, Any], ...] = (
    {},
    {"city": "Bonn"},
    {"deep": {"image": "img-env"}},
    {"deep": {"tags": ["tag-x", "tag-y", "tag-z"]}, "both": {"two": "two-env"}},
)


class Words:
    """Values that no other place has, so that a line that holds one is its line."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"word-{self.count}."


@st.composite
def trees(draw: st.DrawFn, words: Words, depth: int = 0) -> Any:
    kind = (
        draw(st.sampled_from(("word", "word", "whole", "text", "map", "list", "empty"))) if depth else "map"
    )
    match kind:
        case "map" if depth < 3:
            keys = draw(
                st.lists(st.sampled_from(("a", "b", "c", "d.e/f")), min_size=1, max_size=4, unique=True)
            )
            return {key: draw(trees(words, depth + 1)) for key in keys}
        case "list" if depth < 3:
            return [draw(trees(words, depth + 1)) for _ in range(draw(st.integers(1, 3)))]
        case "whole":
            return f"{{{{ vars.{draw(st.sampled_from(VARS))} }}}}"
        case "text":
            return f"{words()} {{{{ vars.{draw(st.sampled_from(VARS))} }}}} in {{{{ env.name }}}}"
        case "empty":
            return draw(st.sampled_from(({}, [])))
        case _:
            return words()


@st.composite
def partials(draw: st.DrawFn, target: Any, words: Words) -> Any:
    """A document to lay over: some keys deleted, some descended into, some replaced, some new."""
    if not isinstance(target, dict) or not draw(st.integers(0, 3)):
        return draw(trees(words, 1))
    found: dict[str, Any] = {}
    for key, value in target.items():
        match draw(st.sampled_from(("leave", "delete", "below", "replace"))):
            case "delete":
                found[key] = None
            case "below":
                found[key] = draw(partials(value, words))
            case "replace":
                found[key] = draw(trees(words, 1))
            case _:
                pass
    return found | {"new": words()}


def pointers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, below in children:
        here = f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
        yield here, below
        yield from pointers(below, here)


@st.composite
def operations(draw: st.DrawFn, value: Any, words: Words) -> list[dict[str, Any]]:
    places = [path for path, _ in pointers(value, "/spec/inputs")]
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3)) if places else 0):
        op = draw(st.sampled_from(("add", "replace", "remove", "move", "copy")))
        path = draw(st.sampled_from(places))
        operation: dict[str, Any] = {"op": op, "path": path}
        if op in {"add", "replace"}:
            operation["value"] = draw(trees(words, 1))
        if op in {"move", "copy"}:
            operation |= {"from": path, "path": f"/spec/inputs/{draw(st.sampled_from(('a', 'b', 'x')))}"}
        found.append(operation)
    return found


def head(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "kfgit.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, str]:
    """Texts of files: a pipeline with an overlay and patches in the environment `prod`, in any YAML style."""
    words = Words()
    base = draw(trees(words))
    overlay = draw(st.one_of(st.none(), partials(base, words)))
    patches: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 2))):
        target = {"kind": "Pipeline", "name": "p"}
        if draw(st.booleans()):
            patches.append({"target": target, "merge": {"spec": {"inputs": draw(partials(base, words))}}})
        else:
            patches.append({"target": target, "patch": draw(operations(base, words))})
    home = head("Environment", "prod", vars=draw(st.sampled_from(OVERRIDES)), patches=patches)
    files = {
        "kfgit.yaml": head("Project", "demo", vars=PROJECT_VARS),
        "environments/prod.yaml": home,
        "pipelines/p.yaml": head("Pipeline", "p", inputs=base),
    }
    if overlay is not None:
        files["environments/prod/p.yaml"] = head("Pipeline", "p", inputs=overlay)
    flow = draw(st.sampled_from((False, None)))
    return {
        path: yaml.safe_dump(text, default_flow_style=flow, sort_keys=False) for path, text in files.items()
    }


def seen(files: dict[str, str], templates: dict[str, str] | None = None) -> View:
    parsed = [document.parse(SourceFile(path, text.encode())) for path, text in files.items()]
    located = locate(found for one in parsed for found in one.value)
    sources = [SourceFile(path, text.encode()) for path, text in (templates or {}).items()]
    return view(located.value, "prod", {"sha": "abc"}, sources).value


def leaves(node: Node) -> Iterator[Node]:
    match node:
        case Mapping(entries=entries) if entries:
            for entry in entries.values():
                yield from leaves(entry.node)
        case Sequence(items=items) if items:
            for item in items:
                yield from leaves(item)
        case _:
            yield node


def line_of(span: Span, files: dict[str, str]) -> str:
    return files[span.file].splitlines()[span.line - 1]


def looked_up(name: str, variables: Any) -> Any:
    for step in name.split(".")[1:]:
        variables = variables[int(step) if isinstance(variables, list) else step]
    return variables


def merged(base: Any, over: Any) -> Any:
    if not isinstance(over, dict) or not isinstance(base, dict):
        return over
    return base | {key: merged(base.get(key), value) for key, value in over.items()}


def text_of(value: Any) -> str:
    return "{}" if value == {} else "[]" if value == [] else str(value)


@given(repositories())
def test_each_value_stands_where_it_is_said_to_stand(files: dict[str, str]) -> None:
    variables = merged(PROJECT_VARS, yaml.safe_load(files["environments/prod.yaml"])["spec"]["vars"])
    found = seen(files)
    pipeline = next(one for one in found.documents if one.kind == "Pipeline")
    for leaf in leaves(pipeline.node):
        line = line_of(leaf.span, files)
        origins = leaf.origins if isinstance(leaf, Scalar) else ()
        if isinstance(leaf, Mapping | Sequence):
            continue  # emptied by a patch: there is no `{}` or `[]` to be found
        if not origins:
            assert text_of(plain(leaf)) in line
            continue
        assert "{{ vars." in line
        for origin in origins:
            assert origin.span is not None
            value = "prod" if origin.what == "env.name" else looked_up(origin.what, variables)
            for told in map(text_of, value if isinstance(value, list) else [value]):
                assert told in line_of(origin.span, files)
                assert told in str(plain(leaf))


@given(repositories())
def test_what_is_gone_is_told_with_the_line_that_took_it_away(files: dict[str, str]) -> None:
    found = seen(files)
    pipeline = next(one for one in found.documents if one.kind == "Pipeline")
    there = {one["path"] for one in documents.origins(pipeline.node)}
    for one in documents.losses(pipeline.node, found.removed.get(("Pipeline", "p"), ())):
        assert one["path"] not in there or str(one["path"]).endswith("]")
        where = Span(str(one["file"]), int(str(one["line"])), 1, 1, 1)
        assert re.search(r"null|/spec/inputs/", line_of(where, files))
        assert one["was"] is not None


@given(repositories())
def test_a_key_that_an_overlay_deletes_is_told(files: dict[str, str]) -> None:
    over = yaml.safe_load(files.get("environments/prod/p.yaml", "{}")).get("spec", {}).get("inputs")
    base = yaml.safe_load(files["pipelines/p.yaml"])["spec"]["inputs"]
    found = seen(files)
    told = {one.path for one in found.removed.get(("Pipeline", "p"), ())}
    for key, value in over.items() if isinstance(over, dict) else ():
        if value is None and key in base:
            assert ("spec", "inputs", key) in told


@given(files=repositories(), explain=st.booleans())
def test_what_is_shown_reads_back_as_the_same_values(files: dict[str, str], *, explain: bool) -> None:
    found = seen(files)
    for one in found.documents:
        removed = found.removed.get((one.kind, one.name), ())
        shown = documents.yaml(one.node, Style(), explain=explain, removed=removed)
        assert yaml.safe_load(shown) == plain(one.node)
        (again,) = document.parse(SourceFile("x.yaml", shown.encode())).value
        assert plain(again.root) == plain(one.node)


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        (
            "no",
            "on",
            "012",
            "1e-4",
            "1:30",
            "~",
            "- x",
            "a: b",
            "a # b",
            "<<",
            "=",
            "2020-01-01",
            "a\n\nb\n",
            " a",
        )
    ),
)
VALUES = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=12,
)
HERE = Span("x.yaml", 1, 1, 1, 2)


def noded(value: Any) -> Node:
    if isinstance(value, list):
        return Sequence(tuple(noded(item) for item in value), HERE)
    if isinstance(value, dict):
        return Mapping({key: document.Entry(HERE, noded(item)) for key, item in value.items()}, HERE)
    return Scalar(value, HERE)


@given(value=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4), explain=st.booleans())
def test_any_value_reads_back_for_readers_of_both_versions_of_yaml(
    value: dict[str, Any], *, explain: bool
) -> None:
    shown = documents.yaml(noded(value), Style(), explain=explain)
    assert yaml.safe_load(shown) == value
    (again,) = document.parse(SourceFile("x.yaml", shown.encode())).value
    assert plain(again.root) == value


GENERATED = """\
{% set where = vars.city %}
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: made, description: "{{ where }} and {{ env.name }}"}
spec:
  tasks:
{% for tag in vars.deep.tags %}
    t-{{ tag }}:
      component: fixed
      inputs: {x: "{{ vars.port }}-{{ tag }}", y: plain}
{% endfor %}
"""


def test_values_of_a_generated_document_name_the_variables_that_are_in_them() -> None:
    files = {
        "kfgit.yaml": yaml.safe_dump(head("Project", "demo", vars=PROJECT_VARS)),
        "environments/prod.yaml": yaml.safe_dump(head("Environment", "prod", vars={"city": "Bonn"})),
    }
    (made,) = [one for one in seen(files, {"pipelines/p.yaml.j2": GENERATED}).documents if one.name == "made"]
    told = {
        str(one["path"]): (one["line"], [(via["what"], via["file"]) for via in one["via"]])  # type: ignore[attr-defined]
        for one in documents.origins(made.node)
    }
    city, env = ("vars.city", "environments/prod.yaml"), ("env.name", "environments/prod.yaml")
    tags = [("vars.deep.tags.0", "kfgit.yaml"), ("vars.deep.tags.1", "kfgit.yaml")]
    assert told["kind"] == (3, [])
    assert told["metadata.description"] == (4, [city, env])
    assert told["spec.tasks.t-tag-a.component"] == (9, [])
    assert told["spec.tasks.t-tag-b.inputs.x"] == (10, [("vars.port", "kfgit.yaml"), *tags])
    assert told["spec.tasks.t-tag-b.inputs.y"] == (10, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ git.sha }}", [("git.sha", None)]),
        ("{{ env.mode }}", [("env.mode", None)]),
        ("{{ project.name }}", [("project.name", "kfgit.yaml")]),
        ("{{ vars.city.upper() }}", [("vars.city", "kfgit.yaml")]),
        (
            "{{ vars.city if vars.port > 3 else 'x' }}",
            [("vars.port", "kfgit.yaml"), ("vars.city", "kfgit.yaml")],
        ),
        ("{{ vars['deep']['tags'][1] }}", [("vars.deep.tags.1", "kfgit.yaml")]),
        (
            "{{ vars.both | length }}",
            [("vars.both.one", "kfgit.yaml"), ("vars.both.two", "environments/prod.yaml")],
        ),
    ],
)
def test_the_places_behind_a_template(text: str, expected: list[tuple[str, str | None]]) -> None:
    files = {
        "kfgit.yaml": yaml.safe_dump(head("Project", "demo", vars=PROJECT_VARS)),
        "environments/prod.yaml": yaml.safe_dump(head("Environment", "prod", vars={"both": {"two": "2"}})),
        "pipelines/p.yaml": yaml.safe_dump(head("Pipeline", "p", x=text)),
    }
    pipeline = next(one for one in seen(files).documents if one.kind == "Pipeline")
    (told,) = [one for one in documents.origins(pipeline.node) if one["path"] == "spec.x"]
    assert sorted((via["what"], via["file"]) for via in told["via"]) == sorted(expected, key=str)  # type: ignore[attr-defined]
