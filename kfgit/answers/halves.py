"""A large repository, checked by two processes: each looks at half of the documents and all that these need.

What both find is all that is wrong, unless something can be told only with the whole repository in view; then one
process looks at everything.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from kfgit.answers import slices
from kfgit.answers.slices import Links
from kfgit.diagnostics import Diagnostic
from kfgit.project import Content

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


def halves(files: Mapping[str, bytes]) -> tuple[Links, tuple[frozenset[str], frozenset[str]]] | None:
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
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        _tell(writing, other)
    os.close(writing)
    try:
        found = mine()
        with os.fdopen(reading, "rb", closefd=False) as stream:
            told = stream.read()
    finally:
        os.close(reading)
        os.waitpid(process, 0)
    return (found, pickle.loads(told)) if told else None  # noqa: S301 - from ourselves


def _tell(writing: int, work: Callable[[], object]) -> None:
    """The life of the other process: whatever happens, it ends here and says nothing to anybody else."""
    try:
        told = pickle.dumps(work())
        with os.fdopen(writing, "wb", closefd=False) as stream:
            stream.write(told)
    finally:
        os._exit(0)


def merged(found: Iterable[Half | None]) -> Half | None:
    """All of it; None where a mistake may look different with the whole repository in view."""
    parts = tuple(half for half in found if half is not None)
    if len(parts) < 2:
        return None
    diagnostics = dict.fromkeys(d for half in parts for d in half.diagnostics)
    if any(slices.is_wide(d) or slices.hides_names(d) for d in diagnostics):
        return None
    names = {path: names for half in parts for path, names in half.names.items()}
    others = {path: content for half in parts for path, content in half.others.items()}
    return Half(tuple(diagnostics), names, others, parts[0].environments)
