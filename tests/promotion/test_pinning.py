"""`spec.pin.commit` written into a text: the pin is there, and nothing else is different."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit import document, driver, formatting
from kfgit.document import plain
from kfgit.formatting import InForm, Shapes
from kfgit.promotion.pinning import Pinned, Unsure, pin
from kfgit.source import SourceFile

SHAPES = Shapes(driver.schemas())
HEAD = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: prod}\n"
COMMIT = "1a2b3c4d5e" * 4


def pinned(text: str, commit: str = COMMIT, path: str = "environments/prod.yaml") -> str:
    found = pin(SourceFile(path, text.encode()), "prod", commit, SHAPES)
    assert isinstance(found, Pinned), found
    return found.content.decode()


def values(text: str) -> list[Any]:
    parsed = document.parse(SourceFile("environments/prod.yaml", text.encode()))
    assert not parsed.diagnostics
    return [plain(found.root) for found in parsed.value]


# --- texts as people write them

CASES = {
    "beside git": (
        "spec:\n  # a\n  git: {branch: main}   # one\n\n  # what\n  vars: {a: 1}\n",
        "spec:\n  # a\n  git: {branch: main}   # one\n  pin: {commit: PIN}\n\n  # what\n  vars: {a: 1}\n",
    ),
    "below all of git": (
        "spec:\n  git:\n    branch: main\n    # more\n  # what\n  vars: { a: 1 }\n",
        "spec:\n  git:\n    branch: main\n    # more\n  pin: {commit: PIN}\n  # what\n  vars: { a: 1 }\n",
    ),
    "in the stable form": (
        "spec:\n  git:\n    branch: main\n    # more\n  # what\n  vars: {a: 1}\n",
        "spec:\n  git:\n    branch: main\n    # more\n  # what\n  vars: {a: 1}\n  pin: {commit: PIN}\n",
    ),
    "at the end": ("spec:\n  vars: {a: 1}\n", "spec:\n  vars: {a: 1}\n  pin: {commit: PIN}\n"),
    "after a block of text": (
        "spec:\n  vars:\n    a: |\n      x\n\n      y\n",
        "spec:\n  vars:\n    a: |\n      x\n\n      y\n  pin: {commit: PIN}\n",
    ),
    "no end of the line": ("spec:\n    vars: {a: 1}", "spec:\n    vars: {a: 1}\n    pin: {commit: PIN}\n"),
    "another one": (
        "spec:\n  pin:\n    commit: abcdef0   # was\n  vars: {a: 1}\n",
        "spec:\n  pin:\n    commit: PIN   # was\n  vars: {a: 1}\n",
    ),
    "in quotes": ("spec: {pin: {commit: '1234567'}}\n", 'spec: {pin: {commit: "PIN"}}\n'),
    "on one line": (
        "spec: {vars: {a: 1}}   # all\n", "spec: {pin: {commit: PIN}, vars: {a: 1}}   # all\n"
    ),
    "empty": ("spec: {}\n", "spec: {pin: {commit: PIN}}\n"),
    "nothing": ("spec:\n", "spec: {pin: {commit: PIN}}\n"),
    "no spec": ("", "spec: {pin: {commit: PIN}}\n"),
    "other documents": (
        "spec:\n  vars: {a: 1}\n---\nkind: Pipeline\nmetadata: {name: prod}\nspec: {}\n",
        "spec:\n  vars: {a: 1}\n  pin: {commit: PIN}\n---\nkind: Pipeline\nmetadata: {name: prod}\nspec: {}\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_pin_is_written_where_people_would(case: tuple[str, str], end: str) -> None:
    before, after = ((HEAD + text).replace("\n", end) for text in case)
    assert pinned(before) == after.replace("PIN", COMMIT)


@pytest.mark.parametrize("commit", ["1234567890" * 4, "12345678e9" + "0" * 30])
def test_a_hash_that_looks_like_a_number(commit: str) -> None:
    assert values(pinned(HEAD, commit)) == [{**values(HEAD)[0], "spec": {"pin": {"commit": commit}}}]


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        (HEAD, "environments/prod.yaml.j2", "template"),
        (HEAD + 'spec: {pin: {commit: "{{ vars.commit }}"}}\n', "environments/prod.yaml", "template"),
        (HEAD.replace("prod", "dev"), "environments/prod.yaml", "no Environments"),
        (f"{HEAD}---\n{HEAD}", "environments/prod.yaml", "2 Environments"),
        ('{"kind": "Environment", "metadata": {"name": "prod"}}', "environments/prod.yaml", "not cut"),
        (HEAD + "spec: &a {vars: {a: 1}}\n---\nspec: 1\n", "environments/prod.yaml", ""),
        (HEAD + "spec: [\n", "environments/prod.yaml", "no Environments"),
    ],
)
def test_what_is_not_certain_is_left_alone(text: str, path: str, reason: str) -> None:
    found = pin(SourceFile(path, text.encode()), "prod", COMMIT, SHAPES)
    if isinstance(found, Pinned):
        assert not reason
        assert values(found.content.decode())[0]["spec"] == {"vars": {"a": 1}, "pin": {"commit": COMMIT}}
    else:
        assert reason in found.reason


# --- laws

remarks = st.sampled_from(["", "  # remark", "\n  # above the next", "\n\n  # a gap"])
entries = st.sampled_from(
    [
        "target: {type: local}",
        "git: {branch: main}",
        "git:\n    branch: main\n    promotesFrom: staging",
        "vars:\n    text: |\n      one\n        two\n\n    other: 1",
        "vars: {a: 'b # c', d: [1, 2,\n    3]}",
        "mode: production",
        "patches:\n  - target: {kind: Pipeline, name: x}\n    merge: {spec: {cache: false}}",
        "pin: {commit: abcdef0}",
        "pin:\n    commit: 'abcdef0'",
        "policies:\n    freeze: true",
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Environments of these entries in any order, each key once, with remarks around them."""
    chosen = draw(st.lists(entries, min_size=1, max_size=6, unique_by=lambda text: text.partition(":")[0]))
    before = draw(st.sampled_from(["", "# first\n", "kind: Pipeline\nmetadata: {name: a}\n---\n"]))
    body = "".join(f"  {text}{draw(remarks)}\n" for text in chosen)
    after = draw(st.sampled_from(["", "# last\n", "---\nkind: Pipeline\nmetadata: {name: b}\n"]))
    return f"{before}{HEAD}spec:\n{body}{after}"


@given(texts(), st.text("0123456789abcdef", min_size=40, max_size=40))
def test_nothing_but_the_pin_changes(text: str, commit: str) -> None:
    after = pinned(text, commit)
    expected = values(text)
    home = next(value for value in expected if value["kind"] == "Environment")
    home["spec"]["pin"] = {"commit": commit}
    assert values(after) == expected
    assert pinned(after, commit) == after
    assert values(pinned(pinned(text), commit)) == expected
    is_formed = isinstance(formatting.form(SourceFile("e.yaml", text.encode()), SHAPES), InForm)
    again = formatting.form(SourceFile("e.yaml", after.encode()), SHAPES)
    assert not is_formed or isinstance(again, InForm)
    if not is_formed:
        kept = [line for line in after.splitlines() if commit not in line]
        was = [line for line in text.splitlines() if "abcdef0" not in line]
        assert kept == was


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_text_at_all(text: str, commit: str) -> None:
    for whole in (text, HEAD + text, HEAD + "spec:\n  " + text):
        found = pin(
            SourceFile("environments/prod.yaml", whole.encode("utf-8", "replace")), "prod", commit, SHAPES
        )
        assert isinstance(found, Pinned | Unsure)
