"""The documentation is held to the program: commands, documents, pictures, shown output and links."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kfgit import document, driver
from kfgit.cli.app import app
from kfgit.diagnostics import Diagnostic
from kfgit.source import SourceFile
from tests.docs.markdown import PAGES, ROOT, Fence, fences, headings, prose, slug

ALL = [fence for page in PAGES for fence in fences(page)]


# --- command lines


def parse_line(command: click.Command, words: list[str], context: click.Context) -> None:
    """Reads words as click does, without doing anything; raises what click raises for a wrong one."""
    options, rest, _ = command.make_parser(context).parse_args(list(words))
    for parameter in command.params:
        if parameter.name not in {"help", "version"}:
            parameter.handle_parse_result(context, options, rest)
    if not isinstance(command, click.Group):
        assert rest == [], f"too many words: {rest}"
        return
    if not rest:
        return
    inner = command.get_command(context, rest[0])
    assert inner is not None, f"there is no command `{rest[0]}`"
    parse_line(inner, rest[1:], click.Context(inner, parent=context, info_name=rest[0]))


def check_line(line: str) -> None:
    words = shlex.split(line, comments=True)
    assert words[0] == "kfgit"
    context = click.Context(app, info_name="kfgit", **app.context_settings)
    context.allow_interspersed_args = False
    parse_line(app, words[1:], context)


def calls(text: str) -> Iterator[str]:
    """Every `kfgit …` in a line of shell."""
    for part in re.split(r"&&|\|\||[|;]| > |\n", text):
        found = re.search(r"(?:^|\s|\$\()(kfgit(?: .*)?)$", part.strip().rstrip('")'))
        if found is not None:
            yield found[1].replace("…", "").strip()


def shell_lines() -> Iterator[tuple[str, str]]:
    for fence in ALL:
        if fence.language == "console":
            lines = [line[2:] for line in fence.text.splitlines() if line.startswith("$ ")]
        elif fence.language in {"sh", "shell", "bash"}:
            lines = fence.text.splitlines()
        else:
            continue
        for line in lines:
            yield from ((f"{fence.place} {call}", call) for call in calls(line))


def spans() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in re.finditer(r"`(kfgit [a-z-][^`\n]*)`", prose(page)):
            yield f"{page.name} {found[1]}", found[1].replace("…", "").strip()


LINES = dict(shell_lines())
SPANS = dict(spans())


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_command_lines_are_right(line: str) -> None:
    check_line(line)


@pytest.mark.parametrize("line", SPANS.values(), ids=SPANS.keys())
def test_commands_in_the_text_exist(line: str) -> None:
    # The text names a command or a flag, it does not call it.
    with contextlib.suppress(click.MissingParameter, click.BadOptionUsage):
        check_line(line)


def test_a_wrong_line_is_found() -> None:
    for line in (
        "kfgit validat",
        "kfgit plan --exitcode",
        "kfgit graph p -o png",
        "kfgit status extra",
        "kfgit graph",
    ):
        with pytest.raises((click.ClickException, AssertionError)):
            check_line(line)


# --- documents

_FILE = re.compile(r"\A# file: (\S+)\n")
_WRONG = re.compile(r"# (error|warning)\[([a-z0-9.-]+)\]")
_FOLDERS = {"Component": "components", "Environment": "environments"}


def projects() -> dict[str, list[Fence]]:
    """The blocks that belong together: one project for each section."""
    found: dict[str, list[Fence]] = {}
    for fence in ALL:
        if is_document(fence):
            found.setdefault(f"{fence.page.name}: {fence.section}", []).append(fence)
    return found


def is_document(fence: Fence) -> bool:
    if _FILE.match(fence.text):
        return True
    return (
        fence.language == "yaml"
        and re.search(r"^apiVersion: kfgit\.dev/", fence.text, re.MULTILINE) is not None
    )


def where(fence: Fence, number: int) -> str:
    """Where a block goes: where it says, else by its first kind."""
    said = _FILE.match(fence.text)
    if said is not None:
        return said[1]
    kind = re.search(r"^kind: (\w+)", fence.text, re.MULTILINE)
    assert kind is not None, f"{fence.place}: a document without a kind"
    if kind[1] == "Project":
        return "kfgit.yaml"
    if kind[1] == "Environment":
        name = re.search(
            r"^metadata: *\{ *name: *([a-z0-9-]+)|^  name: ([a-z0-9-]+)", fence.text, re.MULTILINE
        )
        assert name is not None, f"{fence.place}: an Environment without a name"
        return f"environments/{name[1] or name[2]}/environment.yaml"
    return f"{_FOLDERS.get(kind[1], 'pipelines')}/example-{number}.yaml"


def compare_shown(fence: Fence, root: Path, *, accept: bool) -> None:
    """Runs the command that a block shows in the project of its section; the page has what it prints."""
    write(PROJECTS[f"{fence.page.name}: {fence.section}"], root)
    command, _, shown = fence.text.partition("\n")
    output = kfgit(*command.removeprefix("$ kfgit ").split(), root=root)
    if accept and shown != output:
        page = fence.page.read_text()
        assert page.count(f"```console\n{fence.text}```") == 1
        fence.page.write_text(
            page.replace(f"```console\n{fence.text}```", f"```console\n{command}\n{output}```")
        )
        return
    assert shown == output, "write it anew: pytest tests/docs --accept"


def write(blocks: list[Fence], root: Path) -> set[tuple[str, int, str]]:
    """Writes a project and returns the mistakes its comments announce: file, line, code."""
    told: set[tuple[str, int, str]] = set()
    for number, fence in enumerate(blocks):
        path = where(fence, number)
        target = root / path
        assert not target.exists(), f"{fence.place}: {path} is written twice in one section"
        target.parent.mkdir(parents=True, exist_ok=True)
        # JSON has no comments, so the line that names the file is for readers only.
        is_json = path.endswith((".ipynb", ".json"))
        target.write_text(fence.text.partition("\n")[2] if is_json else fence.text)
        for line, text in enumerate(fence.text.splitlines(), start=1):
            told |= {(path, line, found[2]) for found in _WRONG.finditer(text)}
    if not (root / "kfgit.yaml").exists():
        (root / "kfgit.yaml").write_text("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: docs}\n")
    return told


def shown(found: Diagnostic) -> str:
    return f"{found.span.file}:{found.span.line}: {found.code}: {found.message}"


PROJECTS = projects()


@pytest.mark.parametrize("name", PROJECTS)
def test_examples_are_valid_and_compile(name: str, tmp_path: Path) -> None:
    told = write(PROJECTS[name], tmp_path)
    repository = driver.load(tmp_path)
    found = driver.validate(repository, repository.environments)
    wrong = [shown(d) for d in found if (d.span.file, d.span.line, d.code) not in told]
    missing = told - {(d.span.file, d.span.line, d.code) for d in found}
    assert (wrong, missing) == ([], set())
    if told:
        return
    for environment in repository.environments:
        checkout = driver.check(repository, environment).value
        assert set(driver.compile_all(checkout)) == set(checkout.project.project.pipelines)
        assert driver.resources(checkout).value is not None


@pytest.mark.parametrize("fence", [f for f in ALL if f.language == "python"], ids=lambda fence: fence.place)
def test_python_is_python(fence: Fence) -> None:
    ast.parse(textwrap.dedent(fence.text))


@pytest.mark.parametrize("fence", [f for f in ALL if f.language == "yaml"], ids=lambda fence: fence.place)
def test_yaml_is_yaml(fence: Fence) -> None:
    faults = document.parse(SourceFile(fence.place, fence.text.encode())).diagnostics
    assert [shown(fault) for fault in faults if fault.severity == "error"] == []


# --- pictures and output


def kfgit(*words: str, root: Path = ROOT) -> str:
    """What a command prints for a project, this repository's own example if no other."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KFGIT_")}
    command = [sys.executable, "-m", "kfgit", "-C", str(root), "--color", "never", *words]
    ended = subprocess.run(
        command, env={**ours, "COLUMNS": "100"}, capture_output=True, text=True, check=False
    )
    assert ended.returncode in {0, 1}, ended.stderr
    return ended.stdout


def test_the_picture_is_what_graph_draws_now(*, accept: bool) -> None:
    picture, now = ROOT / "docs" / "train-deploy.svg", kfgit("graph", "train-deploy", "-o", "svg")
    if accept:
        picture.write_text(now)
    assert picture.read_text() == now, "draw it anew: pytest tests/docs --accept"


def exact() -> Iterator[tuple[str, str, str]]:
    """Commands whose output never changes: shown whole, on the example project."""
    for fence in ALL:
        if fence.language != "console":
            continue
        head, _, rest = fence.text.partition("\n")
        if re.match(r"\$ kfgit (graph|explain) ", head) and "…" not in rest:
            yield fence.place, head.removeprefix("$ kfgit "), rest


EXACT = list(exact())
EXACT_PLACES = [place for place, _, _ in EXACT]


@pytest.mark.parametrize(("line", "output"), [(line, out) for _, line, out in EXACT], ids=EXACT_PLACES)
def test_shown_output_is_real(line: str, output: str) -> None:
    assert kfgit(*shlex.split(line)).rstrip() == output.rstrip()


MISTAKES = [
    f
    for f in ALL
    if f.language == "console" and f.text.startswith("$ kfgit validate\n") and " --> " in f.text
]


@pytest.mark.parametrize("fence", MISTAKES, ids=lambda fence: fence.place)
def test_a_shown_mistake_is_real(fence: Fence, tmp_path: Path) -> None:
    """Writes the shown lines into a copy of the example project, which must then get exactly this output."""
    output = fence.text.partition("\n")[2]
    for part in ("kfgit.yaml", "components", "pipelines", "environments"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    for file, line, text in re.findall(r"--> (\S+):(\d+):\d+\n +\|\n\2 \| (.*)\n", output):
        lines = (tmp_path / file).read_text().splitlines()
        lines[int(line) - 1] = text
        (tmp_path / file).write_text("\n".join(lines) + "\n")
    assert kfgit("validate", root=tmp_path).rstrip() == output.rstrip()


# --- links and places


LINKED = [*PAGES, ROOT / "kfgit" / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        known = (
            {"", *(slug(text) for _, text in headings(file))}
            if file.suffix == ".md" and file.exists()
            else {""}
        )
        if not file.exists() or anchor not in known:
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_machine(page: Path) -> None:
    assert re.findall(r"/(?:home|root|tmp|work|Users)/\S*", page.read_text()) == []
