"""Laws of the page about a difference: nothing of a stranger's becomes markup, and it fits into a comment."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.diagnostics import Diagnostic
from kfgit.diff.values import Break, Diff, EnvironmentDiff, Firing, ResourceChange, Side, TaskChange
from kfgit.graph import CheckedPipeline
from kfgit.plan import Concerned, Difference, Meaning, Remap
from kfgit.render import diffs
from kfgit.render.diffs.merging import merged
from kfgit.render.markdown.fitting import LIMIT, units
from kfgit.render.style import Style
from kfgit.source import Span
from tests.compiling import checked
from tests.render.github import OURS, read
from tests.render.hostile_text import HOSTILE, LOUD, QUIET, TEXTS

HERE = Path(__file__).parent
MAIN, HEAD = Side("main", "1a2b3c4d5e6f" * 3), Side("HEAD", "9f8e7d6c5b4a" * 3)
PLAIN = Style(width=100)
ACTIONS = st.sampled_from(("added", "changed", "removed"))
SPANS = st.builds(lambda file, line: Span(file, line, 1, line, 2), TEXTS, st.integers(1, 99))
FIELDS = st.lists(st.builds(Difference, TEXTS, TEXTS | st.none(), TEXTS | st.none()), max_size=3).map(tuple)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
TASKS = st.lists(st.builds(TaskChange, TEXTS, ACTIONS, NAMES, NAMES, FIELDS), max_size=3).map(tuple)
CHANGES = st.builds(ResourceChange, ACTIONS, TEXTS, TEXTS, SPANS, FIELDS, TASKS, NAMES)
FAULTS = st.builds(Diagnostic, TEXTS, TEXTS, SPANS, TEXTS, st.sampled_from(("error", "warning")))
MEANINGS = st.builds(Meaning, TEXTS, st.none() | TEXTS, st.none() | TEXTS)
CONCERNED = st.lists(st.builds(Concerned, TEXTS, NAMES), max_size=9).map(tuple)
REMAPS = st.builds(Remap, TEXTS, MEANINGS, MEANINGS, FIELDS, CONCERNED)
ENVIRONMENTS = st.builds(
    EnvironmentDiff,
    TEXTS,
    st.lists(CHANGES, max_size=3).map(tuple),
    st.lists(st.builds(Firing, st.sampled_from(("Run", "Schedule")), TEXTS, TEXTS, TEXTS), max_size=2).map(
        tuple
    ),
    st.lists(st.builds(Break, TEXTS, TEXTS, SPANS, NAMES), max_size=2).map(tuple),
    st.lists(FAULTS, max_size=2).map(tuple),
    NAMES,
    st.lists(REMAPS, max_size=2).map(tuple),
)
SIDES = st.builds(Side, TEXTS, st.none() | st.just("1a2b3c4d5e6f"))
DIFFS = st.builds(Diff, SIDES, SIDES, st.lists(ENVIRONMENTS, max_size=3).map(tuple))


def at(file: str, line: int) -> Span:
    return Span(file, line, 1, line, 2)


def pipeline(tasks: str) -> str:
    return (
        "apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {name: train}\nspec:\n"
        f"  inputs: {{rows: {{type: int, default: 3}}}}\n  tasks:\n{tasks}"
    )


COMPONENT = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: step}
spec:
  inputs: {x: {type: int, default: 1}}
  outputs: {y: {type: int}}
  container: {image: "python:3.12", command: [run, $(inputs.x), $(outputs.y.path)]}
"""
BEFORE = """\
    load: {component: step}
    check: {component: step, inputs: {x: $(tasks.load.outputs.y)}}
    fit: {component: step, inputs: {x: $(tasks.check.outputs.y)}}
    tell: {component: step, after: [fit]}
"""
AFTER = """\
    load: {component: step}
    clean: {component: step, inputs: {x: $(tasks.load.outputs.y)}}
    fit: {component: step, inputs: {x: $(tasks.clean.outputs.y)}, retry: {max: 2}}
    tell: {component: step, after: [fit]}
"""


def built(tasks: str) -> CheckedPipeline:
    return checked({"step.yaml": COMPONENT, "train.yaml": pipeline(tasks)}, HERE)["train"]


def example() -> Diff:
    """What a pull request may be: a DAG changes, a schedule, a component's script, and a caller is broken."""
    train = ResourceChange(
        "changed",
        "Pipeline",
        "train",
        at("pipelines/train.yaml", 4),
        (Difference("spec.inputs.rows.default", 3, 5), Difference("metadata.labels.team", None, "ml")),
        (
            TaskChange("clean", "added", ("load",)),
            TaskChange("fit", "changed", ("clean",), ("check",), (Difference("retry.max", None, 2),)),
            TaskChange("check", "removed", (), ("load",)),
        ),
        (),
        built(BEFORE),
        built(AFTER),
    )
    scripts = ("set -eu\npip install kfp\nrun it\n", "set -eu\npip install kfp==2.17\nrun it\n")
    step = ResourceChange(
        "changed",
        "Component",
        "step",
        at("components/step.yaml", 2),
        (Difference("spec.container.script", *scripts),),
    )
    cron = (Difference("spec.cron", "0 2 * * *", "0 3 * * *"),)
    nightly = ResourceChange("changed", "Schedule", "nightly", at("environments/prod/nightly.yaml", 6), cron)
    score = ResourceChange(
        "changed", "Pipeline", "score", at("pipelines/score.yaml", 3), because=("component/step changed",)
    )
    smoke = ResourceChange("added", "Run", "smoke", at("environments/staging/smoke.yaml", 1))
    gone = Break(
        "train", "the input `days` was removed", at("pipelines/train.yaml", 9), ("schedule/nightly",)
    )
    fires = Firing("Schedule", "nightly", "train", "daily 02:00 → 03:00 UTC")
    starts = Firing("Run", "smoke", "train", "it is new and starts once")
    remap = Remap(
        "gpu-default",
        Meaning("gpu-a100", "A100"),
        Meaning("gpu-l4", "L4"),
        (),
        (Concerned("score", ("embed", "sweep/predict")), Concerned("train", ("fit",))),
    )
    return Diff(
        MAIN,
        HEAD,
        (
            EnvironmentDiff("local"),
            EnvironmentDiff("staging", (train, step, score, smoke), (starts,), (gone,), profiles=(remap,)),
            EnvironmentDiff("prod", (train, step, score, nightly), (fires,), (gone,)),
        ),
    )


def invalid() -> Diff:
    """What a comment says of a commit with mistakes."""
    faults = (
        Diagnostic("bad-image", "the image `python` has no tag", at("components/b.yaml", 7), None, "warning"),
        Diagnostic(
            "unknown-component",
            "there is no component `laod`",
            at("pipelines/train.yaml", 12),
            "did you mean `load`?",
        ),
    )
    change = ResourceChange("removed", "Schedule", "weekly", at("environments/weekly.yaml", 1))
    only_there = EnvironmentDiff("staging", faults=faults[1:])
    return Diff(MAIN, HEAD, (EnvironmentDiff("prod", (change,), faults=faults), only_there))


@pytest.mark.parametrize(("name", "found"), [("diff", example()), ("invalid", invalid())])
def test_the_pages_as_they_were_looked_at(name: str, found: Diff, *, accept: bool) -> None:
    for suffix, text in (("md", diffs.markdown(found)), ("txt", diffs.human(found, PLAIN))):
        golden = HERE / "pages" / f"{name}.{suffix}"
        if accept:
            golden.write_text(text, encoding="utf-8")
        assert text == golden.read_text(encoding="utf-8")


@given(DIFFS)
def test_nothing_of_a_strangers_becomes_markup(found: Diff) -> None:
    page = read(diffs.markdown(found))
    assert set(page.elements) <= OURS
    assert {name for name, _ in page.attributes} <= {"lang", "open"}
    words = page.words.replace("[!NOTE]", "").replace("[!WARNING]", "").replace("[!CAUTION]", "")
    assert QUIET.fullmatch(words)
    assert not LOUD.search(words)


def harmless(value: Any) -> Any:
    """The same with letters only, each text as long as before and in as many words and lines."""
    match value:
        case str():
            return re.sub(r"\S", "x", value)
        case tuple():
            return tuple(harmless(each) for each in value)
        case Difference(path=path, before=before, after=after):
            return Difference(harmless(path), harmless(before), harmless(after))
        case TaskChange(path=path, action=action):
            return TaskChange(
                harmless(path), action, *map(harmless, (value.needs, value.needs_no_more, value.fields))
            )
        case _:
            return value


@given(ACTIONS, TEXTS, FIELDS, TASKS, NAMES)
def test_a_page_is_built_alike_whatever_its_texts_say(
    action: Any,
    name: str,
    fields: tuple[Difference, ...],
    tasks: tuple[TaskChange, ...],
    because: tuple[str, ...],
) -> None:
    def page(*parts: Any) -> list[str]:
        change = ResourceChange(action, "Pipeline", parts[0], at("a.yaml", 1), *parts[1:])
        return read(diffs.markdown(Diff(MAIN, HEAD, (EnvironmentDiff("prod", (change,)),)))).skeleton

    twins = (field for each in (fields, *(task.fields for task in tasks)) for field in each)
    # Values that look alike are told as JSON, which may be longer than a row.
    if all(harmless(field.before) != harmless(field.after) for field in twins):
        assert page(name, fields, tasks, because) == page(*map(harmless, (name, fields, tasks, because)))


@given(DIFFS)
def test_a_terminal_is_told_everything_and_obeys_nothing(found: Diff) -> None:
    told = diffs.human(found, PLAIN)
    assert not re.search(
        r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", told
    )
    assert re.sub(r"\x1b\[\d+m", "", diffs.human(found, Style(colour=True))) == told
    assert len(re.findall(r"^  [+~-] (?:added|changed|removed) ", told, re.MULTILINE)) == len(
        merged(found).changes
    )


@pytest.mark.parametrize("count", [1, 30, 600, 3000])
@pytest.mark.parametrize("size", [1, 200, 20_000])
def test_a_page_fits_however_much_differs(count: int, size: int) -> None:
    size = min(size, 400_000 // count)
    changes = [_large(number, "🙂" * (size // 2) + "z\n" * (size // 2)) for number in range(count)]
    fault = Diagnostic("x", "y" * 500, at("a.yaml", 1))
    faults = tuple(replace(fault, span=at(f"{number}.yaml", 1)) for number in range(count))
    found = Diff(
        MAIN,
        HEAD,
        tuple(
            EnvironmentDiff(f"environment-{number}", tuple(changes[number::2]), faults=faults)
            for number in range(2)
        ),
    )
    text = diffs.markdown(found)
    assert units(text) <= LIMIT
    read(text)
    if "To fit into a comment" in text:
        assert f"All of it: `kfgit diff {str(MAIN.commit)[:10]} {str(HEAD.commit)[:10]}`" in text
    else:
        assert count < 600
        assert all(f"pipeline-{number}`" in text for number in range(count))


def _large(number: int, value: str) -> ResourceChange:
    fields = tuple(Difference(f"spec.inputs.x{each}.default", value, f"{value}!") for each in range(3))
    return ResourceChange("changed", "Pipeline", f"pipeline-{number}", at(f"{number}.yaml", 1), fields)


def test_a_thousand_environments_fit() -> None:
    found = tuple(
        EnvironmentDiff("e" * 50 + str(number), tuple(_large(each, "v") for each in range(number % 50)))
        for number in range(1000)
    )
    text = diffs.markdown(Diff(MAIN, HEAD, found))
    assert units(text) <= LIMIT
    read(text)


def test_steps_leave_out_more_and_more() -> None:
    def page(count: int) -> str:
        train = example().environments[1].changes[0]
        changes = tuple(replace(train, name=f"{'p' * 40}-{number}") for number in range(count))
        return diffs.markdown(Diff(MAIN, HEAD, (EnvironmentDiff("prod", changes),)))

    pages = {count: page(count) for count in (1, 40, 100, 120, 150, 250, 3000)}
    said = [re.findall(r"this leaves out (.*?)\. All", text) for text in pages.values()]
    each = "what changes in each resource"
    assert said == [
        [],
        [],
        ["long values"],
        ["pictures and most values"],
        ["pictures and all but short values"],
        [each],
        [each],
    ]
    assert [text.count("```mermaid") for text in pages.values()] == [1, 8, 4, 0, 0, 0, 0]
    assert [text.count("<details") for text in pages.values()] == [1, 40, 100, 50, 0, 0, 0]
    assert "and 2600 more resources" in pages[3000]


def test_what_environments_share_is_told_once() -> None:
    told = {each.what.name: (each.environments, each.everywhere) for each in merged(example()).changes}
    both = ("staging", "prod")
    assert told == {
        "train": (both, True),
        "step": (both, True),
        "score": (both, True),
        "smoke": (("staging",), False),
        "nightly": (("prod",), False),
    }
    assert diffs.markdown(example()).count("```mermaid") == 1


def test_a_picture_that_is_not_the_same_everywhere_says_whose_it_is() -> None:
    found = example()
    staging, prod = found.environments[1:]
    other = replace(prod.changes[0], after=built(AFTER + "    more: {component: step}\n"))
    changed = replace(found, environments=(staging, replace(prod, changes=(other,))))
    assert "drawn as `staging` has it" in diffs.markdown(changed)
    assert "drawn as" not in diffs.markdown(found)


def test_parts_that_changed_are_one_reason() -> None:
    because = ("component/a changed", "component/b changed", "profile gpu is `l4` now", "component/c changed")
    change = ResourceChange("changed", "Pipeline", "train", at("a.yaml", 1), because=because)
    found = Diff(MAIN, HEAD, (EnvironmentDiff("prod", (change,)),))
    row = "`component/a`, `component/b` and `component/c` changed<br>profile gpu is `l4` now"
    assert row in diffs.markdown(found)
    assert "      component/a, component/b and component/c changed\n" in diffs.human(found, PLAIN)


def test_commits_are_named_by_what_was_typed() -> None:
    commit = "1a2b3c4d5e6f7081920a1b2c3d4e5f6071829304"
    assert "from `1a2b3c4d5e` to `HEAD`" in diffs.markdown(Diff(Side(commit, commit), HEAD, ()))
    assert "from `main` to `HEAD`" in diffs.markdown(Diff(Side("main...HEAD", commit), HEAD, ()))
    same = diffs.markdown(Diff(Side("main", commit), Side("HEAD", commit), (EnvironmentDiff("prod"),)))
    assert "from `main` to `HEAD`" in same
    assert "--from-env" not in same
    between = Diff(Side("staging", commit), Side("prod", commit), (EnvironmentDiff("prod"),), is_across=True)
    assert diffs.markdown(between) == (
        "### What `prod` has otherwise than `staging`\n\n- `prod`: nothing changes\n\n"
        "<sub>`kfgit diff --from-env staging --to-env prod 1a2b3c4d5e`</sub>\n"
    )


@pytest.mark.parametrize("name", [text for text in HOSTILE if text.strip() and text.isprintable()])
def test_names_in_a_picture_stay_in_it(name: str) -> None:
    tasks = "    load: {component: step}\n    fit: {component: step, displayName: %s}\n"
    change = ResourceChange(
        "added",
        "Pipeline",
        "train",
        at("a.yaml", 1),
        after=built(tasks % json.dumps(name, ensure_ascii=False)),
    )
    page = read(diffs.markdown(Diff(MAIN, HEAD, (EnvironmentDiff("prod", (change,)),))))
    assert page.elements.count("pre") == page.elements.count("details") == 1
    assert set(page.elements) <= OURS
    [picture] = [text for text in page.codes if text.startswith("flowchart")]
    assert re.sub(r'"[^"]*"', '""', picture) == 'flowchart TD\n  n_load[""]\n  n_fit[""]\n'


def test_a_command_to_copy_has_its_names_quoted() -> None:
    found = Diff(Side("$(touch x)"), Side("main; rm -rf ~"), ())
    assert "`kfgit diff '$(touch x)' 'main; rm -rf ~'`" in diffs.markdown(found)
