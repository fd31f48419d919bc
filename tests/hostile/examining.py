"""Everything that kfgit does to a repository without a target, in this process, and what must hold of any."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kfgit import demand, driver, formatting
from kfgit.compiler.uses import uses
from kfgit.demand.folded import values
from kfgit.demand.keeping import kept_for
from kfgit.demand.usage import meanings
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.document import plain
from kfgit.formatting import InForm, Reformed, Shapes
from kfgit.plan import between
from kfgit.plan.uses import read, written
from kfgit.render import diagnostics as shown, documents, explained, forms, graph, profiles
from kfgit.render.graph.from_pipeline import graph_of
from kfgit.render.style import Style
from kfgit.source import SourceFile, Span, lines

# A guard against hangs: none takes one.
SECONDS = 60
# What Python and kfgit read of their own.
_OWN = tuple(
    {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *map(str, Path(__file__).parents[2:3]))}
)
_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")


class Hang(Exception):
    """An input takes longer than any machine explains."""


class Escape(Exception):
    """Something else was opened than the repository's files, or more than read, or a program was started."""


def examine(root: Path, files: Mapping[str, bytes]) -> tuple[Diagnostic, ...]:
    """Writes the files, asks for everything, and returns what was told of them; raises what must not be."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    with _at_most(SECONDS), watched(root):
        repository = driver.load(root)
        told = driver.validate(repository, repository.environments)
        for name in repository.environments:
            _environment(repository, name)
        shapes = Shapes(driver.schemas())
        for path, content in files.items():
            if path.endswith(".yaml"):
                _form(SourceFile(path, content), shapes)
    _is_well_told(told, files)
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert left == set(files), f"files were written or removed: {left ^ set(files)}"
    return told


def _environment(repository: driver.Repository, name: str) -> None:
    checked = driver.check(repository, name)
    view = checked.value.view
    for found in view.documents:
        removed = view.removed.get((found.kind, found.name), ())
        documents.yaml(found.node, Style()).encode()
        documents.yaml(found.node, Style(), explain=True, removed=removed).encode()
        project = checked.value.project.project
        below = explained.notes(project, found)
        documents.yaml(found.node, Style(), explain=True, removed=removed, notes=below).encode()
        json.dumps(explained.as_json(project, found), allow_nan=False).encode()
        origins, losses = documents.origins(found.node), documents.losses(found.node, removed)
        json.dumps([plain(found.node), list(origins), list(losses)]).encode()
    for pipeline in checked.value.project.pipelines.values():
        drawn = graph_of(pipeline)
        texts = (graph.svg(drawn), graph.mermaid(drawn), graph.dot(drawn))
        for text in (*texts, graph.text(drawn, 100), graph.text(drawn, 20, colour=True)):
            text.encode()
        json.dumps(graph.as_json(drawn), allow_nan=False).encode()
    for package in driver.compile_all(checked.value).values():  # what is checked, whatever is wrong beside it
        package.to_yaml().encode()
    _profiles(checked.value)
    driver.violations(checked.value)
    if not has_errors((*repository.diagnostics, *checked.diagnostics)):
        driver.resources(checked.value)


def _profiles(checkout: driver.Checkout) -> None:
    """What people ask of profiles, and what plans say of them, of sound ones and of others."""
    project = checkout.project.project
    seen = []
    for meaning in meanings(project):
        found = profiles.Seen(checkout.environment, meaning)
        if meaning.profile is not None:
            objects = tuple(
                (each.kind, each.name, each.profiles) for each in kept_for(project, meaning.profile)
            )
            found = replace(found, values=values(project, meaning.profile), objects=objects)
        profiles.page(found, {}, Style()).encode()
        json.dumps(profiles.page_json(found, {}), allow_nan=False).encode()
        seen.append(found)
    profiles.human(seen, [checkout.environment], Style()).encode()
    json.dumps(profiles.as_json(seen), allow_nan=False).encode()
    before = {name: uses(pipeline) for name, pipeline in checkout.project.pipelines.items()}
    assert not between({name: (each, read(written(each))) for name, each in before.items()})
    for name in checkout.project.pipelines:
        demand.prices(checkout.project, name)
        " ".join(demand.widest_sentences(checkout.project, name)).encode()


def _form(source: SourceFile, shapes: Shapes) -> None:
    formed = formatting.form(source, shapes)
    if isinstance(formed, Reformed):
        forms.difference(source.path, source.content, formed.content, Style()).encode()
        again = formatting.form(SourceFile(source.path, formed.content), shapes)
        assert isinstance(again, InForm), "the stable form is not stable"


def _is_well_told(told: Sequence[Diagnostic], files: Mapping[str, bytes]) -> None:
    assert [d.span for d in told] == sorted(d.span for d in told), "not in order"
    texts = {path: lines(content) for path, content in files.items()}
    for one in told:
        _is_inside(one.span, texts, one)
        for related in one.related:
            _is_inside(related.span, texts, one)
        assert one.message, one
    human = shown.human(told, files, Style())
    github = shown.github(told)
    for text in (human, github):
        text.encode()
        assert not any(ord(char) < 32 and char not in "\n\t" for char in text), repr(text)
    assert github.count("\n") == len(told), "an annotation of more than one line"
    for value in (shown.as_json(told, 1), shown.sarif(told, "0")):
        assert json.loads(json.dumps(value, allow_nan=False)) == value


def _is_inside(span: Span, texts: Mapping[str, Sequence[str]], one: Diagnostic) -> None:
    assert (span.line, span.column) <= (span.end_line, span.end_column), one
    assert span.line >= 1, one
    assert span.column >= 1, one
    text = texts.get(span.file)
    if text is None:
        return
    assert span.end_line <= len(text) + 1, one
    if not span.file.endswith(".j2"):  # there columns are those of what the template made
        assert span.line == len(text) + 1 or span.column <= len(text[span.line - 1]) + 2, one


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends what hangs."""

    def ring(_number: int, _frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_watching: list[str] = []
_hooked: list[bool] = []


@contextmanager
def watched(root: Path) -> Iterator[None]:
    """Raises `Escape` where anything but the repository and Python's own files is opened (PEP 578)."""
    if not _hooked:
        sys.addaudithook(_audit)  # for good, so it asks whether anybody watches
        _hooked.append(True)
    _watching.append(os.path.realpath(root))
    try:
        yield
    finally:
        _watching.pop()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event in {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "os.remove"}:
        raise Escape(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[0], str | bytes):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        writes = (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        inside = path.startswith(_watching[-1])
        if writes and (inside or path.endswith(".yaml")):
            raise Escape(f"writes {path}")
        if not inside and not path.startswith((*_OWN, *_ZONES)):
            raise Escape(f"opens {path}")
