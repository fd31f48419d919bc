"""Which files a change can matter to, told from their text: files that mention one another's names hang together.

A name may be mentioned where it means something else; then more is checked than need be. Text from which names may come
that do not stand in it (templates, escapes) hangs together with everything, and so does what belongs to environments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from kfgit.diagnostics import Diagnostic
from kfgit.project import PROJECT_FILE


class Links(NamedTuple):
    """How files hang together, by their paths.

    `names` are those of documents, as `Kind/name`; `words` the names of documents and other files that a text holds.
    """

    names: Mapping[str, tuple[str, ...]]
    words: Mapping[str, tuple[str, ...]]
    opaque: frozenset[str]


_WORD = re.compile(rb"[A-Za-z0-9_](?:[-A-Za-z0-9_.]*[A-Za-z0-9_])?")
_OPAQUE = re.compile(rb"\{\{(?!\$)|\{%|\\[xuU\r\n]|externalName")
_NAMED = re.compile(rb"""\bname["']?:\s+["']?([a-z0-9][-a-z0-9]*)""")
_ENVIRONMENTS = "environments/"


def linked(names: Mapping[str, tuple[str, ...]], others: Iterable[str], files: Mapping[str, bytes]) -> Links:
    """The links of files, whose documents have these names and that name these other files."""
    known = {_bare(name).encode() for found in names.values() for name in found}
    known |= {_bare(path).encode("utf-8", "surrogateescape") for path in others}
    words = {path: known.intersection(_WORD.findall(content)) for path, content in files.items()}
    return Links(
        names,
        {
            path: tuple(sorted(w.decode("utf-8", "surrogateescape") for w in found))
            for path, found in words.items()
        },
        frozenset(path for path, content in files.items() if _OPAQUE.search(content)),
    )


def renewed(links: Links, files: Mapping[str, bytes], others: Iterable[str]) -> Links:
    """The links after some files were changed. Names that a text held before still count: they led somewhere, too."""
    new = linked(links.names, others, files)
    both = {path: tuple({*words, *links.words.get(path, ())}) for path, words in new.words.items()}
    return Links(links.names, {**links.words, **both}, links.opaque | new.opaque)


def guessed(files: Mapping[str, bytes]) -> Links:
    """The links of files that nobody has parsed: whatever stands after `name:` may be the name of a document.

    A file without our `apiVersion` may be a component of KFP v1, whose name is made valid: it cannot be seen by names.
    """
    names = {
        path: tuple(found.decode() for found in _NAMED.findall(content)) for path, content in files.items()
    }
    links = linked(names, (), files)
    foreign = {path for path, content in files.items() if b"kfgit.dev/" not in content}
    return links._replace(opaque=links.opaque | foreign)


def parted(links: Links, sizes: Mapping[str, int]) -> tuple[frozenset[str], frozenset[str]]:
    """Two parts of about one size that are each complete: with all that their files need."""
    given = {path: {_bare(name) for name in links.names[path]} for path in links.words}
    users = [path for path, words in links.words.items() if not given[path].issuperset(words)]
    half, size, cut = sum(sizes[path] for path in users) / 2, 0, 0
    while cut < len(users) and size < half:
        size, cut = size + sizes[users[cut]], cut + 1
    first, second = set(_needed(links, users[:cut])), set(_needed(links, users[cut:]))
    smaller = first if len(first) < len(second) else second
    smaller |= links.words.keys() - first - second
    return frozenset(first), frozenset(second)


def is_central(links: Links, path: str) -> bool:
    """Whether what stands in a file may matter to any other: which files there are, variables, profiles, patches."""
    return path == PROJECT_FILE or any(name.startswith("Environment/") for name in links.names.get(path, ()))


def around(links: Links, changed: Iterable[str]) -> frozenset[str]:
    """The files that a change can matter to, and all that is needed to check those."""
    holders = _turned(links.words)

    def users(path: str) -> Iterator[str]:
        for name in (*links.names.get(path, ()), path):
            yield from holders.get(_bare(name), ())

    return _needed(links, _reached([*changed, *links.opaque], users))


def _needed(links: Links, paths: Iterable[str]) -> frozenset[str]:
    """Files with all that they need, and what may matter to any."""
    givers = _turned({path: [_bare(name) for name in names] for path, names in links.names.items()})

    def used(path: str) -> Iterator[str]:
        for word in links.words.get(path, ()):
            yield from givers.get(word, ())

    always = (path for path in links.words if path == PROJECT_FILE or path.startswith(_ENVIRONMENTS))
    return frozenset(_reached([*paths, *links.opaque, *always], used) & links.words.keys())


def _turned(names: Mapping[str, Iterable[str]]) -> Mapping[str, list[str]]:
    """Paths by name."""
    found: dict[str, list[str]] = {}
    for path, held in names.items():
        for name in held:
            found.setdefault(name, []).append(path)
    return found


def _reached(starts: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += following(path)
    return found


# What is said of one file because of any other, or names the nearest of all that there are.
_WIDE = frozenset(
    "addition-near-base duplicate-document duplicate-name environment-name foreign-document generated-environment"
    " overlay-without-target patch-failed patch-without-target too-many-files unknown-component unknown-environment"
    " unknown-pipeline unknown-profile".split()
)


def is_wide(diagnostic: Diagnostic) -> bool:
    """Whether a mistake can be told only with the whole repository in view."""
    return diagnostic.code in _WIDE


def hides_names(diagnostic: Diagnostic) -> bool:
    """Whether a file with this mistake may hold documents that nobody can see."""
    return diagnostic.code.startswith("yaml-") or diagnostic.code == "unquoted-template"


def _bare(name: str) -> str:
    return name.rpartition("/")[2]
