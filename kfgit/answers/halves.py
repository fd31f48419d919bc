"""A large repository, checked by two processes: each looks at half of the documents and all that these need.

What both find is all that is wrong, unless something can be told only with the whole repository in view; then one
process looks at everything.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeVar

from kfgit.answers import slices
from kfgit.answers.slices import Links
from kfgit.diagnostics import Diagnostic
from kfgit.project import Content
from kfgit.source import Span

T = TypeVar("T")

# From so many files on two processes are done sooner than one; and if together they look at less than so much.
_WORTH_IT = 300
_TOO_MUCH = 1.6


class Half(NamedTuple):
    """What one process found: mistakes, the names of the documents of each file, other files that they name."""

    diagnostics: tuple[Diagnostic, ...]
    names: Mapping[str, tuple[str, ...]]
    others: Mapping[str, Content | Diagnostic]
    environments: tuple[str, ...]


def halves(files: Mapping[str, bytes]) -> tuple[Links, tuple[tuple[str, ...], tuple[str, ...]]] | None:
    """Two parts of a repository that can be checked apart from each other; None where that saves nothing."""
    if len(files) < _WORTH_IT or not hasattr(os, "fork") or (os.cpu_count() or 1) < 2:
        return None
    links = slices.guessed(files)
    first, second = slices.parted(links, {path: len(content) for path, content in files.items()})
    total = sum(map(len, files.values()))
    both = sum(len(files[path]) for part in (first, second) for path in part)
    return (links, (first, second)) if both < _TOO_MUCH * total else None


def together(mine: Callable[[], T], other: Callable[[], T]) -> tuple[T, T] | None:
    """What both give, the other one from a process of its own; None where that process came to nothing."""
    try:
        reading, writing = os.pipe()
    except OSError:
        return None
    try:
        process = os.fork()
    except OSError:  # so many processes are allowed, and so much memory
        os.close(reading)
        os.close(writing)
        return None
    if process == 0:
        os.close(reading)  # else it would wait for itself where nobody listens any more
        _tell(writing, other)
    os.close(writing)
    try:
        found = mine()
        with os.fdopen(reading, "rb", closefd=False) as stream:
            told = stream.read()
    except BaseException:
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)  # nobody wants to know any more
        raise
    finally:
        os.close(reading)
        with suppress(ChildProcessError):  # whoever started kfgit may want to hear of no child's end
            os.waitpid(process, 0)
    size, told = told[:_SIZE], told[_SIZE:]
    if not size or int.from_bytes(size, "big") != len(told):
        return None
    return found, pickle.loads(told)  # noqa: S301 - from ourselves


# How long the answer of the other process is stands before it: it may be killed while it speaks.
_SIZE = 8


def _tell(writing: int, work: Callable[[], object]) -> None:
    """The life of the other process: whatever happens, it ends here, and it holds no pipe of anybody else."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(null, standard)
        told = pickle.dumps(work())
        with os.fdopen(writing, "wb", closefd=False) as stream:
            stream.write(len(told).to_bytes(_SIZE, "big") + told)
    finally:
        os._exit(0)


def merged(found: Iterable[Half | None]) -> Half | None:
    """All of it; None where a mistake may look different with the whole repository in view."""
    parts = tuple(half for half in found if half is not None)
    if len(parts) < 2:
        return None
    first, second = (_by_place(half.diagnostics) for half in parts)
    if any(first[place] != second[place] for place in first.keys() & second.keys()):
        return None  # it shows in some environments here, in others there
    diagnostics = dict.fromkeys(d for half in parts for d in half.diagnostics)
    if slices.too_many(diagnostics) or any(slices.is_wide(d) or slices.hides_names(d) for d in diagnostics):
        return None
    names = {path: names for half in parts for path, names in half.names.items()}
    others = {path: content for half in parts for path, content in half.others.items()}
    if any(half.others[path] != others[path] for half in parts for path in half.others):
        return None  # it was written just now
    return Half(tuple(diagnostics), names, others, parts[0].environments)


def _by_place(diagnostics: Iterable[Diagnostic]) -> Mapping[Span, set[Diagnostic]]:
    found: dict[Span, set[Diagnostic]] = {}
    for diagnostic in diagnostics:
        found.setdefault(diagnostic.span, set()).add(diagnostic)
    return found
