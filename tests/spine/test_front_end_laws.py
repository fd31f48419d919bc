"""Laws of the front end: it never raises, whatever people write, and data stays data."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit import document, driver, references, shell, template
from kfgit.diagnostics import Diagnostic
from kfgit.document import Mapping, Node, Scalar, Sequence, core_value, plain
from kfgit.overlay import merge
from kfgit.references import BadReference, InputRef, ItemRef, OutputRef, RunRef, TaskRef, Text, WorkspaceRef
from kfgit.source import SourceFile, Span

ROOT = Path(__file__).parents[2]
HERE = Span("x.yaml", 1, 1, 1, 1)

fragments = st.lists(
    st.sampled_from(
        [
            "a: ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "\n",
            "  ",
            "\t",
            "{{ x }}",
            "'",
            '"',
            "|",
            ">",
            "&a ",
            "*a",
            "<<: ",
            "!!str ",
            "? ",
            "---\n",
            "...\n",
            "#",
            ": ",
            ", ",
            "no",
            "0x",
            "1:30",
            "é",
            "\ufeff",
            "\x85",
            "%YAML 1.1\n",
            "word",
        ]
    ),
    max_size=40,
).map("".join)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode), fragments.map(str.encode)))
@settings(max_examples=600)
def test_reading_never_raises(content: bytes) -> None:
    checked = document.parse(SourceFile("x.yaml", content))
    for fault in checked.diagnostics:
        assert fault.span.line >= 1
        assert fault.span.column >= 1
        assert fault.span[1:3] <= fault.span[3:5]
    for found in checked.value:
        plain(found.root)


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[-+]?[0-9._:xobe]{1,12}", fullmatch=True)))
def test_a_plain_scalar_is_a_json_value(text: str) -> None:
    value = core_value(text)
    assert value is None or isinstance(value, str | int | float | bool)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def node_of(value: Any) -> Node:
    if isinstance(value, dict):
        return Mapping({key: document.Entry(HERE, node_of(item)) for key, item in value.items()}, HERE)
    if isinstance(value, list):
        return Sequence(tuple(node_of(item) for item in value), HERE)
    return Scalar(value, HERE)


def rfc_7386(target: Any, patch: Any) -> Any:
    """The pseudo-code of RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = rfc_7386(target.get(name), value)
    return target


@given(json_values, json_values)
def test_an_overlay_is_a_merge_patch(target: Any, patch: Any) -> None:
    assert plain(merge(node_of(target), node_of(patch))) == rfc_7386(target, patch)


@given(json_values, json_values)
def test_an_overlay_twice_is_an_overlay_once(target: Any, patch: Any) -> None:
    once = merge(node_of(target), node_of(patch))
    assert plain(merge(once, node_of(patch))) == plain(once)


maps = st.dictionaries(st.sampled_from(["a", "b", "c"]), json_values, max_size=3)


@given(maps)
def test_an_empty_overlay_changes_nothing(target: dict[str, Any]) -> None:
    assert plain(merge(node_of(target), node_of({}))) == target


def of_one_shape(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Maps in which `a` and `b` are never maps, and `m` and `n` always."""
    leaves = st.booleans() | st.integers(-9, 9) | st.lists(st.integers(0, 3), max_size=2)
    maps = of_one_shape(depth - 1) if depth else st.just({})
    return st.fixed_dictionaries({}, optional={"a": leaves, "b": leaves, "m": maps, "n": maps})


@given(of_one_shape(3), of_one_shape(3), of_one_shape(3))
def test_overlays_that_keep_the_shape_are_associative(a: Any, b: Any, c: Any) -> None:
    one, two, three = map(node_of, (a, b, c))
    assert plain(merge(merge(one, two), three)) == plain(merge(one, merge(two, three)))


SCOPE = {
    "vars": {"a": 1, "b": "x", "c": [1, 2], "d": {"e": 0.5}},
    "env": {"name": "dev"},
    "git": {"sha": None},
    "project": {"name": "p"},
}

expressions = st.lists(
    st.sampled_from(
        [
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "{{$",
            " vars",
            ".a",
            ".b",
            ".c",
            ".d",
            "['e']",
            "[0]",
            "[1:]",
            " env.name",
            " nope",
            ".nope",
            " + ",
            " * ",
            " ** ",
            " ~ ",
            " / ",
            " // ",
            " % ",
            " - ",
            " == ",
            " in ",
            " is ",
            " not ",
            " and ",
            " if ",
            " else ",
            "endif ",
            " | ",
            "join",
            "upper",
            "sort",
            "default",
            "replace",
            "first",
            "sum",
            "(",
            ")",
            ",",
            " 1",
            "0",
            "99999999999",
            " 'x'",
            "\\",
            " for x in ",
        ]
    ),
    max_size=14,
).map("".join)


@given(st.one_of(st.text(max_size=60), expressions, expressions.map(lambda inner: "{{" + inner + "}}")))
@settings(max_examples=800)
def test_rendering_never_raises(text: str) -> None:
    found = template.render(text, SCOPE)
    assert isinstance(found, template.Rendered | template.TemplateFault)
    if not template.is_template(text):
        assert found == template.Rendered(text, ())


names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
tasks = st.from_regex(r"[a-z]([a-z0-9-]{0,4}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name != "outputs"
)
parts = st.sampled_from(["", "path", "uri"])
refs = st.one_of(
    st.builds(InputRef, names, parts),
    st.builds(OutputRef, names, parts),
    st.builds(
        TaskRef, st.lists(tasks, min_size=1, max_size=3).map(tuple), names, st.just(value=False), parts
    ),
    st.builds(TaskRef, st.lists(tasks, min_size=1, max_size=3).map(tuple), names, st.just(value=True)),
    st.builds(ItemRef, st.none() | tasks, st.none() | names),
    st.builds(RunRef, st.sampled_from(references.RUN_FIELDS)),
    st.just(WorkspaceRef()),
)


@given(refs)
def test_a_reference_is_read_as_it_is_shown(ref: references.Ref) -> None:
    assert references.parse(references.show(ref)[2:-1]) == ref


@given(st.lists(st.one_of(refs, st.text(alphabet="ab $(){}.'\"\\\n", max_size=6)), max_size=5))
def test_scanning_finds_the_references_that_were_written(pieces: list[references.Ref | str]) -> None:
    written = "".join(p.replace("$", "s") if isinstance(p, str) else references.show(p) for p in pieces)
    text, faults = references.scan(written)
    assert not faults
    assert list(text.references) == [p for p in pieces if not isinstance(p, str)]


@given(st.text(max_size=40))
def test_scanning_never_raises(text: str) -> None:
    for scan in (references.scan, references.scan_shell):
        found, faults = scan(text)
        assert all(isinstance(fault, BadReference) for fault in faults)
        assert isinstance(found, Text)


# Scripts that print one reference in a place where a shell expands it: what comes before, and what after.
PLACES = [
    ('printf %s "', '"'),
    ("printf %s ", ""),
    ("printf %s x", "y"),
    ("printf %s 'a'", "'b'"),
    ("printf %s \"a'", "'b\""),
    ("printf %s \\'", "\\'"),
    ("# don't\nprintf %s ", ""),
    ('printf %s "$(printf %s ', ')"'),
    ('printf %s "$(printf %s "', '")"'),
    ("printf %s `printf %s ", "`"),
    ('printf %s "${nobody:-', '}"'),
    ("printf %s ${nobody:-", "}"),
    ("cat <<END\n", "\nEND"),
    ("cat <<-END\n\tit's ", "\n\tEND"),
    ("cat <<'END' >/dev/null\nit's\nEND\nprintf %s ", ""),
    ("if true; then printf %s ", "; fi"),
    ("(printf %s ", ")"),
    ('f() { printf %s "$1"; }; f ', ""),
    ('case x in x) printf %s "', '";; esac'),
    ("printf %s $((1+1))", ""),
    ("for x in ", '; do printf %s "$x"; done'),
    ("x=", '; printf %s "$x"'),
]
# What an unquoted command substitution gives is split by the shell, as anywhere; `-f` keeps it from matching files.
SPLIT = {"printf %s `printf %s "}

values = st.text(
    alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
) | st.sampled_from(
    [
        "$(date)",
        "`id`",
        "a b",
        "'",
        '"',
        "\\",
        "$HOME",
        "*",
        "~",
        "-n",
        "; exit 3",
        "\n",
        "#",
        "",
        "%s",
        "$((1))",
        "END",
        "\nEND\n",
    ]
)


@given(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3), st.lists(values, min_size=2, max_size=2))
@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_values_reach_the_shell_unchanged(places: list[tuple[str, str]], given_values: list[str]) -> None:
    refs = (InputRef("x"), InputRef("y"))
    parts: list[str | references.Ref] = []
    for number, (before, after) in enumerate(places):
        parts += [before, refs[number % 2], f"{after}\n"]
    script = shell.bind(Text(tuple(parts)))
    assert not script.problems
    ran = run(script.text, *given_values[: len(script.arguments)])
    expected = b""
    for number, (before, after) in enumerate(places):
        written = run(shell.bind(Text((f"{before}@@@{after}",))).text)
        expected += written.replace(b"@@@", given_values[number % 2].encode())
    if any(before in SPLIT or "$(printf" in before for before, _ in places):
        # Command substitution drops newlines at the end, and splits words where it is not quoted.
        assert b"".join(ran.split()) == b"".join(expected.split())
    else:
        assert ran == expected


def run(script: str, *arguments: str) -> bytes:
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-efc", script, "sh", *arguments], capture_output=True, check=True, env=environment
    )
    return done.stdout


SAMPLE = [ROOT / "tests/cases/library.yaml", *sorted((ROOT / "pipelines").glob("*.yaml"))]
DOCUMENTS: list[Any] = [
    found for path in SAMPLE for found in yaml.safe_load_all(path.read_text()) if isinstance(found, dict)
]
DOCUMENTS = [d for d in DOCUMENTS if str(d.get("apiVersion", "")).startswith("kfgit")]

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "x",
        "no",
        "$(item)",
        "$(inputs.x)",
        "$(tasks.a.outputs.b.*)",
        "$(",
        "{{ vars.x }}",
        "{{",
        [],
        [[]],
        {},
        {"a": {}},
        [None],
        ["$(run.status)"],
        {"when": 3},
        math.inf,
    ]
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([here] if here else []), *(path for key, item in below for path in paths(item, (*here, key)))]


def changed(documents: list[Any], changes: list[tuple[int, str, Any]]) -> list[Any]:
    documents = copy.deepcopy(documents)
    for number, how, value in changes:
        options = paths(documents)
        path = options[number % len(options)]
        holder: Any = documents
        for step in path[:-1]:
            holder = holder[step]
        if how == "replace":
            holder[path[-1]] = copy.deepcopy(value)
        elif how == "remove":
            del holder[path[-1]]
        elif isinstance(holder, dict):
            holder[f"{path[-1]}x"] = holder.pop(path[-1])
    return documents


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.sampled_from(["replace", "remove", "rename"]), ODD),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_checking_never_raises(changes: list[tuple[int, str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "pipelines").mkdir()
        (root / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: p}\n")
        text = yaml.safe_dump_all(changed(DOCUMENTS, changes), sort_keys=False)
        (root / "pipelines/all.yaml").write_text(text)
        repository = driver.load(root)
        told = driver.validate(repository, repository.environments)
        assert all(isinstance(fault, Diagnostic) for fault in told)
        driver.compile_all(driver.check(repository, "local").value)


@pytest.mark.parametrize("depth", [10_000, 100_000])
def test_hostile_nesting_is_cheap(depth: int) -> None:
    for text in ("[" * depth, "{a: " * depth, "- " * depth, "&a [" * depth):
        assert document.parse(SourceFile("x.yaml", text.encode())).diagnostics


@pytest.mark.parametrize(
    "told",
    [
        "tasks: {t: {component: c}}\n  tasks: {u: {component: c}}",
        "tasks: {t: {component: c, description: *nothing}}",
        "tasks: {t: {component: c, description: !!str x}}",
        "tasks: {t: {component: c, description: {{ vars.x }} }}",
        "tasks: {t: {component: c, description: '{{ vars.unknown }}'}}",
        "tasks: {t: {component: c}}\n--- {apiVersion: kfgit.dev/v1, kind: Pipeline, metadata: {name: p}}",
    ],
)
def test_only_what_nothing_was_told_of_counts_as_checked(tmp_path: Path, told: str) -> None:
    head = "apiVersion: kfgit.dev/v1\nkind: {}\nmetadata: {{name: {}}}\nspec:\n  {}\n"
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: p}\n")
    documents = [
        head.format("Component", "c", 'container: {image: "e.com/m:1"}'),
        head.format("Pipeline", "sound", "tasks: {t: {component: c}}"),
        head.format("Pipeline", "p", told),
    ]
    for number, text in enumerate(documents):
        (tmp_path / f"pipelines/{number}.yaml").write_text(text)
    checked = driver.check(driver.load(tmp_path), "local").value
    assert set(checked.project.pipelines) == {"sound"}
    assert set(driver.compile_all(checked)) == {"sound"}
