"""Laws of the page about a plan: nothing of a stranger's becomes markup, and it fits into a comment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit.ir import Resource, Use
from kfgit.plan import (
    USES,
    Adopt,
    Change,
    Create,
    Delete,
    Difference,
    LiveObject,
    Plan,
    Replace,
    Unchanged,
    Update,
    remaps,
    written,
)
from kfgit.render import plans
from kfgit.render.markdown.fitting import LIMIT, units
from kfgit.render.style import Style
from tests.render.github import OURS, read
from tests.render.hostile_text import LOUD, QUIET, TEXTS

PAGES = Path(__file__).parent / "pages"
PLAIN = Style(width=100)
NAMES = st.lists(TEXTS, max_size=2).map(tuple)
CAUSES = st.sampled_from(("source", "drift", "adoption"))
FIELDS = st.lists(
    st.builds(Difference, TEXTS, TEXTS | st.none(), TEXTS | st.none(), st.booleans()), max_size=5
).map(tuple)


def wanted(kind: str, name: str) -> Resource:
    return Resource(kind, name, {}, "sha256:new")


def live(kind: str, name: str) -> LiveObject:
    return LiveObject(kind, name, "id", {}, "sha256:old", owned=True)


WANTED, LIVE = st.builds(wanted, TEXTS, TEXTS), st.builds(live, TEXTS, TEXTS)
SETTINGS = st.dictionaries(st.sampled_from(["accelerator.model", "limits.cpu"]) | TEXTS, TEXTS, max_size=4)


@st.composite
def remapped(draw: st.DrawFn) -> Update:
    """A pipeline whose tasks get something else by a profile."""
    name, paths = draw(TEXTS), draw(st.lists(TEXTS, min_size=1, max_size=9, unique=True).map(tuple))
    before, after = (Use(name, draw(TEXTS), draw(SETTINGS), {digest: paths}) for digest in "12")
    pipeline = Resource("Pipeline", draw(TEXTS), {"digest": "2"}, "sha256:new", uses=(after,))
    was = LiveObject("Pipeline", pipeline.name, "id", {}, "", owned=True, detail={USES: written([before])})
    return Update(pipeline, was, "source", draw(FIELDS))


CHANGES: st.SearchStrategy[Change] = st.one_of(
    remapped(),
    st.builds(Create, WANTED, CAUSES, NAMES),
    st.builds(Update, WANTED, LIVE, CAUSES, FIELDS, NAMES),
    st.builds(Replace, WANTED, LIVE, CAUSES, FIELDS, NAMES),
    st.builds(Delete, LIVE, NAMES),
    st.builds(Adopt, WANTED, LIVE, FIELDS, NAMES),
    st.builds(Unchanged, TEXTS, TEXTS, NAMES),
)
PLANS = st.builds(
    Plan,
    environment=TEXTS,
    target=TEXTS,
    changes=st.lists(CHANGES, max_size=4).map(tuple),
    commit=st.none() | TEXTS,
    requests=st.integers(0, 30),
    foreign=st.lists(LIVE, max_size=3).map(tuple),
    remarks=NAMES,
)


def moved(name: str) -> tuple[Resource, LiveObject]:
    """A pipeline before and after `gpu-default` means something else."""
    before, after = (
        Use("gpu-default", profile, {"accelerator.model": model}, {digest: ("embed", "sweep/predict")})
        for profile, model, digest in (("gpu-a100", "A100", "1"), ("gpu-l4", "L4", "2"))
    )
    detail = {USES: written([before])}
    return (
        Resource("Pipeline", name, {"digest": "2"}, "sha256:new", uses=(after,)),
        LiveObject("Pipeline", name, "id", {"digest": "1"}, "sha256:old", owned=True, detail=detail),
    )


def example() -> Plan:
    selector = Difference(
        "platforms.kubernetes.deploymentSpec.executors.exec-embed.nodeSelector.gpu", "a100", "l4"
    )
    script = Difference("tasks.train.script", "set -eu\nrun it\n", "set -eu\nrun it --fast\n")
    image = Difference("tasks.train.image", "python:3.11", "python:3.12")
    cron = (Difference("cron", "0 2 * * 1", "0 5 * * 1", drift=True),)
    return Plan(
        "staging",
        "http://kfp.example:8888 (a2b3)",
        (
            Create(wanted("Experiment", "churn")),
            Update(wanted("Pipeline", "train"), live("Pipeline", "train"), "source", (script, image)),
            Update(*moved("predict"), "source", (selector,)),
            Replace(wanted("Schedule", "weekly"), live("Schedule", "weekly"), "drift", cron),
            Create(wanted("Run", "smoke")),
            Delete(live("Schedule", "old")),
            Unchanged("Pipeline", "score", ("left alone: somebody else changed `spec.x`",)),
            Unchanged("Pipeline", "other"),
        ),
        commit="9f8e7d6c5b4a39281706f5e4d3c2b1a0f9e8d7c6",
        requests=9,
        foreign=(live("Pipeline", "churn"), live("Schedule", "hourly")),
        remarks=("commit 9f8e7d6c5b is not on `main`: apply needs --allow-branch", "nobody holds the lock"),
    )


def test_the_page_as_it_was_looked_at(*, accept: bool) -> None:
    notes = {
        ("Run", "smoke"): ("runs train (onChange)", "at most 2 × nvidia.com/gpu at once: train 2"),
        **{("Pipeline", name): told for name, told in plans.notes(remaps(example())).items()},
    }
    text = plans.markdown(example(), notes)
    golden = PAGES / "plan.md"
    if accept:
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@given(PLANS, NAMES)
def test_nothing_of_a_strangers_becomes_markup(plan: Plan, notes: tuple[str, ...]) -> None:
    subjects = [(each.desired.kind, each.desired.name) for each in plan.changes if isinstance(each, Create)]
    pipelines = {("Pipeline", name): told for name, told in plans.notes(remaps(plan)).items()}
    page = read(plans.markdown(plan, {**pipelines, **dict.fromkeys(subjects, notes)}))
    assert set(page.elements) <= OURS
    assert {name for name, _ in page.attributes} <= {"lang", "open"}
    words = page.words.replace("[!NOTE]", "").replace("[!WARNING]", "")
    assert QUIET.fullmatch(words)
    assert not LOUD.search(words)
    told = [each for each in plan.changes if not isinstance(each, Unchanged) or each.notes]
    assert page.elements.count("tr") == (len(told) + 1 if told else 0)
    assert page.elements.count("td") == 3 * len(told)


@given(PLANS)
def test_a_terminal_obeys_nothing(plan: Plan) -> None:
    told = plans.human(plan, {}, PLAIN)
    assert not [char for char in told if ord(char) < 32 and char not in "\n\t"]


@pytest.mark.parametrize("count", [1, 60, 3000])
@pytest.mark.parametrize("size", [1, 5000])
def test_a_page_fits_however_much_changes(count: int, size: int) -> None:
    fields = tuple(Difference(f"spec.x{number}", "a" * size, "b" * size) for number in range(5))
    changes = tuple(
        Update(wanted("Pipeline", f"p{number}"), live("Pipeline", f"p{number}"), "source", fields)
        for number in range(count)
    )
    text = plans.markdown(
        Plan("prod", "http://kfp", changes, commit="1a2b3c4d5e6f", remarks=("x " * 100,) * count), {}
    )
    assert units(text) <= LIMIT
    read(text)
    if "To fit into a comment" in text:
        assert "All of it: `kfgit plan -e prod --rev 1a2b3c4d5e`" in text
    else:
        assert all(f"`pipeline/p{number}`" in text for number in range(count))


def test_short_fields_stand_in_their_row_and_long_ones_are_folded() -> None:
    text = plans.markdown(example(), {})
    assert "| **replace** (drift) | `schedule/weekly` | `cron`: `0 2 * * 1` → `0 5 * * 1` |" in text
    assert "| update | `pipeline/train` | `tasks.train.script`, `tasks.train.image` |" in text
    assert text.count("<details>") == 1


def test_nothing_to_do_is_one_line() -> None:
    known: Any = (Unchanged("Pipeline", "a"), Unchanged("Pipeline", "b"))
    text = plans.markdown(Plan("local", "local", known), {})
    assert text == "### Nothing to do in local: 2 objects are as they should be.\n"
