"""The stable form: it is stable, means the same, and loses no comment, whatever people write."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import document, driver
from kfgit.document import plain
from kfgit.formatting import Faulty, Foreign, InForm, Left, Outcome, Reformed, Shapes, form
from kfgit.formatting.proof import comments, same_documents
from kfgit.source import SourceFile

ROOT = Path(__file__).parents[2]
SHAPES = Shapes(driver.schemas())
HEAD = "apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {name: p}\n"


def outcome(text: str | bytes) -> Outcome:
    content = text.encode() if isinstance(text, str) else text
    return form(SourceFile("x.yaml", content), SHAPES)


def formed(text: str) -> str:
    found = outcome(text)
    assert isinstance(found, InForm | Reformed), found
    return found.content.decode() if isinstance(found, Reformed) else text


def values(text: str) -> list[Any]:
    parsed = document.parse(SourceFile("x.yaml", text.encode()))
    assert parsed.ok
    return [plain(found.root) for found in parsed.value]


# --- laws, over what people might write


class Author:
    """Writes pipelines as untidily as YAML lets one, each comment with a number of its own."""

    LEAVES = (
        "1", "plain text", "'it''s'", '"no"', "'on'", '"{{ vars.x }}"', "$(inputs.x)", '"1:30"', "012", "1e-4", "~",
        "word", '"a, b"', "'a \"b\" c'", '"tab\\tbed"', "'C:\\dir'", "http://x:1/y#z", '"- x"', "''", '"x: y"', "é ü",
        '"yes"', '"~"', '" lead"', "-x", '"@at"', "'%'", '"null"', "'trail '", '"a\\', '"y"',
    )  # fmt: skip
    WORDS = ("component", "inputs", "when", "after", "cache", "retry", "env", "b", "a", '"q"', "'k 1'", "é")
    HEADERS = ("|", ">", "|-", ">-", "|+", ">+", "|1", "|2-", ">3+")

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.count = 0
        self.anchors: list[str] = []

    def comment(self) -> str:
        self.count += 1
        return self.luck.choice(("# c{}; x", "#c{};", "#  c{}; [a: b", '# c{}; "')).format(self.count)

    def maybe(self, text: str, chance: float = 0.2) -> str:
        return text if self.luck.random() < chance else ""

    def beside(self) -> str:
        return self.maybe(f"{self.luck.choice((' ', '   ', chr(9)))}{self.comment()}")

    def between(self, indent: int) -> list[str]:
        lines = []
        while self.luck.random() < 0.25:
            column = max(0, indent + self.luck.choice((0, 0, 0, -1, -2, 1, 3)))
            lines.append(self.luck.choice(("", "", "  ", " " * column + self.comment())))
        return lines

    def pipeline(self) -> str:
        step = self.luck.choice((1, 2, 3, 4))
        spec = ["spec:" + self.beside(), *self.entries(step, 3)]
        parts = [
            ["apiVersion: kfgit.dev/v1"],
            ["kind:   Pipeline" + self.beside()],
            ["metadata: {name:  p}"],
            spec,
        ]
        self.luck.shuffle(parts)
        lines = [line for part in parts for line in (*self.between(0), *part)]
        return "\n".join([*self.between(0), *lines, *self.between(0)])

    def entries(self, indent: int, depth: int) -> list[str]:
        lines: list[str] = []
        for word in self.luck.sample(self.WORDS, self.luck.randint(1, 4)):
            lines += self.between(indent)
            lines += self.value(f"{' ' * indent}{word}:", indent, depth)
        return lines

    def items(self, indent: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.luck.randint(1, 3)):
            lines += self.between(indent)
            if depth and self.luck.random() < 0.3:
                inner = self.luck.choice((2, 4))
                block = [line for line in self.entries(indent + inner, depth - 1) if line.strip()]
                first = next(n for n, line in enumerate(block) if line.strip()[0] != "#")
                dash = " " * indent + "-" + " " * (inner - 1)
                lines += [dash + block[first].lstrip(), *block[first + 1 :]]
            else:
                lines += self.value(" " * indent + "-", indent, depth)
        return lines

    def value(self, start: str, indent: int, depth: int) -> list[str]:
        anchor = ""
        if self.luck.random() < 0.1:
            self.anchors.append(f"a{len(self.anchors)}")
            anchor = f" &{self.anchors[-1]}"
        form = self.luck.randrange(9 if depth else 6)
        match form:
            case 0 if not anchor and len(self.anchors) > 1:
                return [f"{start} *{self.luck.choice(self.anchors[:-1])}{self.beside()}"]
            case 1:
                return self.text(start + anchor, indent)
            case 2:
                return [
                    f"{start}{anchor} several",
                    " " * (indent + 2) + "lines",
                    "",
                    " " * (indent + 1) + "of text",
                ]
            case 3:
                return [f"{start}{anchor} {self.brackets(indent + 2, 2)}{self.beside()}"]
            case 4 if not anchor:
                return [start + self.beside(), *self.between(indent), f"{' ' * (indent + 1)}{self.leaf()}"]
            case 5 if not anchor:
                return [start + self.beside()]
            case 6 | 7:
                return [
                    start + anchor + self.beside(),
                    *self.entries(indent + self.luck.randint(1, 4), depth - 1),
                ]
            case 8:
                offset = self.luck.choice((0, 2, 3)) if not start.endswith("-") else 2
                return [start + anchor + self.beside(), *self.items(indent + offset, depth - 1)]
            case _:
                return [f"{start}{anchor}  {self.leaf()}{self.beside()}"]

    def leaf(self) -> str:
        return self.luck.choice(self.LEAVES) if self.luck.random() > 0.05 else '"esc\\\n      aped"'

    def text(self, start: str, indent: int) -> list[str]:
        header = self.luck.choice(self.HEADERS)
        digit = header.strip("|>+-")
        margin = " " * (indent + int(digit or self.luck.randint(1, 4)))
        rows = self.luck.sample(["# no comment", "x: y", "", "", "  deeper", "end", "trail  ", "a\tb"], 4)
        if not digit:
            rows.insert(0, "first")
        return [f"{start} {header}{self.beside()}", *(margin + row if row else row for row in rows)]

    def brackets(self, indent: int, depth: int) -> str:
        is_map = self.luck.random() < 0.5
        parts = []
        for number in range(self.luck.randint(0, 4)):
            inner = self.brackets(indent, depth - 1) if depth and self.luck.random() < 0.3 else self.simple()
            gap = self.luck.choice(
                ("", " ", "  ", "\n" + " " * indent, f" {self.comment()}\n" + " " * indent)
            )
            parts.append(f"{gap}k{number}: {inner}" if is_map else f"{gap or ' '}{inner}")
        end = self.luck.choice(("", " ", "\n" + " " * indent, f" {self.comment()}\n" + " " * indent))
        opening, closing = "{}" if is_map else "[]"
        return f"{opening}{','.join(parts)}{end}{closing}"

    def simple(self) -> str:
        return self.luck.choice(
            ("1", "word", '"no"', "'x y'", '"{{ x }}"', "$(item.a)", '"a, b"', "two words")
        )


pipelines = st.integers(0, 2**32).map(lambda seed: Author(random.Random(seed)).pipeline())


def without_order(value: Any) -> Any:
    match value:
        case dict():
            return {key: without_order(item) for key, item in sorted(value.items())}
        case list():
            return [without_order(item) for item in value]
        case _:
            return type(value).__name__, repr(value)


def comments_of(text: str) -> Counter[str]:
    return comments(text, document.events(text))


def check_laws(text: str) -> None:
    found = outcome(text)
    assert not isinstance(found, Left), found
    if not isinstance(found, Reformed):
        return
    after = found.content.decode()
    assert outcome(after) == InForm()
    plain_text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    assert [without_order(value) for value in values(after)] == [
        without_order(value) for value in values(plain_text)
    ]
    marks = re.compile(r"# *c\d+;")
    assert sorted(marks.findall(after)) == sorted(marks.findall(text))
    assert comments_of(after.replace("\r\n", "\n")) == comments_of(plain_text)


@given(st.lists(pipelines, min_size=1, max_size=3).map("\n---\n".join), st.sampled_from(("\n", "", "\n\n\n")))
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_keeps_its_meaning_and_comments(text: str, end: str) -> None:
    check_laws(text + end)


def test_the_author_writes_what_can_be_read() -> None:
    """Else the law above would say nothing."""
    written = [Author(random.Random(seed)).pipeline() for seed in range(200)]
    assert sum(isinstance(outcome(text), Reformed) for text in written) > 120


@given(pipelines)
@settings(max_examples=100, deadline=None)
def test_names_that_users_choose_keep_their_order(text: str) -> None:
    found = outcome(f"{HEAD}spec:\n  tasks:\n    z: {{component: c}}\n    a: {{component: c}}\n---\n{text}")
    if isinstance(found, Reformed):
        assert list(values(found.content.decode())[0]["spec"]["tasks"]) == ["z", "a"]


def files() -> list[Path]:
    return [path for path in sorted(ROOT.glob("tests/**/*.yaml")) if path.stat().st_size < 100_000]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_here_keeps_its_meaning_and_comments(path: Path) -> None:
    text = path.read_text()
    check_laws(text)
    check_laws("\ufeff" + text.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    "path",
    [ROOT / "kfgit.yaml", *sorted(ROOT.glob("[cpe]*s/**/*.yaml"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_examples_are_in_the_stable_form(path: Path) -> None:
    assert outcome(path.read_bytes()) == InForm()


# --- the form itself

FORMS = {
    "keys and their comments": (
        "# License\n\n# of the spec\nspec: {} # beside\nkind: Run\n# name\nmetadata: {}\napiVersion: kfgit.dev/v1\n",
        "# License\n\napiVersion: kfgit.dev/v1\nkind: Run\n# name\nmetadata: {}\n# of the spec\nspec: {}  # beside\n",
    ),
    "the head of a file stays": (
        "# What it is\nkind: Pipeline\napiVersion: kfgit.dev/v1\n",
        "# What it is\napiVersion: kfgit.dev/v1\nkind: Pipeline\n",
    ),
    "lines for editors stay": (
        "# yaml-language-server: $schema=x\n# of the spec\nspec: {}\nkind: Run\napiVersion: kfgit.dev/v1\n",
        "# yaml-language-server: $schema=x\napiVersion: kfgit.dev/v1\nkind: Run\n# of the spec\nspec: {}\n",
    ),
    "indentation": (
        HEAD + "spec:\n    tasks:\n        a:\n            after:\n            - x\n            -   y\n",
        HEAD + "spec:\n  tasks:\n    a:\n      after:\n        - x\n        - y\n",
    ),
    "blank lines": (
        "\n\n" + HEAD + "\n\n\nspec:\n\n  tasks: {}\n\n\n",
        HEAD + "\nspec:\n\n  tasks: {}\n",
    ),
    "quotes": (
        HEAD + "spec: {a: 'x', b: \"no\", c: '012', d: \"1e-4\", e: '1:30', f: '{{ x }}', g: 'it''s', h: \"a b\"}\n",
        HEAD + 'spec: {a: x, b: "no", c: "012", d: "1e-4", e: "1:30", f: "{{ x }}", g: "it\'s", h: "a b"}\n',
    ),
    "quotes outside of brackets": (
        HEAD + "spec:\n  a: 'two words'\n  b: \"y\"\n  c: '# x'\n  d: \"a: b\"\n  \"g\": '1.0'\n",
        HEAD + 'spec:\n  a: two words\n  b: "y"\n  c: "# x"\n  d: "a: b"\n  g: "1.0"\n',
    ),
    "quotes in lists": (
        HEAD + "spec:\n  a: ['sh', '-c']\n  b: ['sh', \"x\"]\n  c:\n    - 'x y'\n    - '\\d'\n",
        HEAD + "spec:\n  a: [\"sh\", \"-c\"]\n  b: [sh, x]\n  c:\n    - \"x y\"\n    - '\\d'\n",
    ),
    "comments in columns": (
        HEAD + "spec: # s\n  a: 1 # x\n  bcd: 2        # y\n  e: 3\n  f: 4 #z\n",
        HEAD + "spec:  # s\n  a: 1    # x\n  bcd: 2  # y\n  e: 3\n  f: 4  #z\n",
    ),
    "comments of a long line and of short ones": (
        HEAD + f"spec:\n  a: 1 # x\n  bc: 2 # y\n  d: {'x' * 60} # z\n  e: 3 # w\n",
        HEAD + f"spec:\n  a: 1   # x\n  bc: 2  # y\n  d: {'x' * 60}  # z\n  e: 3  # w\n",
    ),
    "a loop": (
        HEAD + "spec:\n  tasks:\n    l:\n      tasks: {a: {component: c}}\n      forEach: [1]\n      when: x\n",
        HEAD + "spec:\n  tasks:\n    l:\n      forEach: [1]\n      when: x\n      tasks: {a: {component: c}}\n",
    ),
    "what is said of a pipeline stands above its tasks": (
        HEAD + "spec:\n  onExit: {component: c}\n  tasks: {}\n  ttl: {finished: 1d}\n  displayName: x\n  inputs: {}\n",
        HEAD + "spec:\n  displayName: x\n  inputs: {}\n  ttl: {finished: 1d}\n  tasks: {}\n  onExit: {component: c}\n",
    ),
    "comments after the last item": (
        HEAD + "spec:\n   tasks:\n      a: {}\n      # of tasks\n   # of spec\n# of the end\n",
        HEAD + "spec:\n  tasks:\n    a: {}\n    # of tasks\n  # of spec\n# of the end\n",
    ),
    "comments behind dashes": (
        HEAD + "spec:\n  - # one\n    b: 1\n  -\n    # two\n    c: 2\n",
        HEAD + "spec:\n  # one\n  - b: 1\n  # two\n  - c: 2\n",
    ),
    "brackets": (
        HEAD + "spec: { a:   [ 1,2 ,3, ],\n  b: {} }\n",
        HEAD + "spec: {a: [1, 2, 3], b: {}}\n",
    ),
    "brackets with a line for each item": (
        HEAD + "spec: {\n a: 1, # one\n    # two\n b: [x,\n y] # three\n }\n",
        HEAD + "spec: {\n  a: 1,  # one\n  # two\n  b: [x, y]  # three\n}\n",
    ),
    "brackets that do not fit": (
        HEAD + f"spec: {{a: {'x' * 60}, b: {'y' * 60}}}\n",
        HEAD + f"spec:\n  a: {'x' * 60}\n  b: {'y' * 60}\n",
    ),
    "texts": (
        HEAD + "spec:\n    a: |2+ # c\n         x\n       y  \n\n    b: >-\n            folded\n              more\n",
        HEAD + "spec:\n  a: |2+  # c\n       x\n     y  \n\n  b: >-\n    folded\n      more\n",
    ),
    "a text that ends with the file": (HEAD + "spec:\n   a: |\n     x", HEAD + "spec:\n  a: |-\n    x\n"),
    "documents": (
        "# before\n---   # first\nkind:  Run\napiVersion: kfgit.dev/v1\n...\n# after\n---\nfoo:   'bar'\n",
        "# before\n---  # first\napiVersion: kfgit.dev/v1\nkind: Run\n...\n# after\n---\nfoo:   'bar'\n",
    ),
    "anchors": (
        HEAD + "spec:\n  tasks:\n    a:  {component: &c  x, inputs: &i  {p: 1}}\n    b: {component: *c, inputs: *i}\n",
        HEAD + "spec:\n  tasks:\n    a: {component: &c x, inputs: &i {p: 1}}\n    b: {component: *c, inputs: *i}\n",
    ),
    "an alias stays behind its anchor": (
        "kind: &k Run\nmetadata: {name: *k}\napiVersion: kfgit.dev/v1\nspec:  {}\n",
        "apiVersion: kfgit.dev/v1\nkind: &k Run\nmetadata: {name: *k}\nspec: {}\n",
    ),
    "keys that would part them stay": (
        "spec: {experiment: &e x}\nmetadata:   {name: *e}\nkind: Run\napiVersion: kfgit.dev/v1\n",
        "spec: {experiment: &e x}\nmetadata: {name: *e}\nkind: Run\napiVersion: kfgit.dev/v1\n",
    ),
    "a task": (
        HEAD + "spec:\n  tasks:\n    t:\n      cache: false\n      inputs: {z: 1, a: 2}\n      component: c\n",
        HEAD + "spec:\n  tasks:\n    t:\n      component: c\n      inputs: {z: 1, a: 2}\n      cache: false\n",
    ),
    "an overlay": ("metadata: {name: x}\nkind: Run\n", "kind: Run\nmetadata: {name: x}\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_form(name: str) -> None:
    before, after = FORMS[name]
    assert formed(before) == after
    assert formed(after) == after


def test_a_blank_line_never_becomes_part_of_a_text() -> None:
    text = HEAD + "spec:\n  tasks: {}\n\n  inputs: |+\n    x\n"
    assert values(formed(text)) == values(text)


@pytest.mark.parametrize(
    "text",
    ["", "# only a comment\n", "a:   1\n", "- x\n", "name:  v1\nimplementation: {container: {image:   x}}\n",
     "apiVersion: kubeflow.org/v1\nkind:   Experiment\n", "pipelineInfo:   {name: x}\nschemaVersion: 2.1.0\n"],
)  # fmt: skip
def test_what_is_not_ours_is_not_touched(text: str) -> None:
    assert outcome(text) == Foreign()


@pytest.mark.parametrize(
    "line", ["a: {{ x }}", "a: 1\n  a: 2", "\ta: 1", "a: [1", "a: !!str x", "<<: {a: 1}"]
)
def test_mistakes_are_told(line: str) -> None:
    assert isinstance(outcome(f"{HEAD}spec:\n  {line}\n"), Faulty)


@pytest.mark.parametrize("text", [f"%YAML 1.2\n---\n{HEAD}spec:   {{}}\n", f"{HEAD}? |\n  k\n: v\n"])
def test_what_is_not_certain_stays(text: str) -> None:
    found = outcome(text)
    assert isinstance(found, Left)
    assert found.reason


def test_line_ends_stay_and_a_byte_order_mark_goes() -> None:
    text = HEAD + "spec:   {}\n"
    crlf = outcome(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert crlf == Reformed(formed(text).replace("\n", "\r\n").encode())


# --- the proof


def parsed(text: str) -> tuple[document.Document, ...]:
    return document.parse(SourceFile("x.yaml", text.encode())).value


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a: 1\nb: 2", "b: 2\na: 1", True),
        ("a: .nan", "a: .NaN", True),
        ("a: 1", "a: 1.0", False),
        ("a: 1", "a: true", False),
        ("a: 1", 'a: "1"', False),
        ("a: [1, 2]", "a: [2, 1]", False),
        ("a: {}", "a: []", False),
        ("a: 1", "a: 1\nb: null", False),
        ("a: 1", "a: 1\n---\na: 1", False),
    ],
)
def test_what_is_the_same(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert same_documents(parsed(one), parsed(other)) is same


def test_comments_are_found_where_they_are() -> None:
    text = "# 1\na: 'x # no' # 2\nb: | # 3\n  # no\nc: [x, # 4\n y]\nd: &a # 5\n  z # 6\n# 6\n"
    assert comments_of(text) == {"# 1": 1, "# 2": 1, "# 3": 1, "# 4": 1, "# 5": 1, "# 6": 2}
