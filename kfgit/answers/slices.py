"""Which files a change can matter to, told from their text: files that mention one another's names hang together.

A name may be mentioned where it means something else; then more is checked than need be. Text from which names may come
that do not stand in it (templates, escapes) hangs together with everything, and so do environments and profiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from kfgit.diagnostics import Diagnostic
from kfgit.project import PROJECT_FILE

# Beyond so many errors kfgit no longer looks for what was meant (`diagnostics.bounded_help`), which depends on all that
# is wrong everywhere.
_MANY = 100


class Links(NamedTuple):
    """How files hang together, by their paths.

    `names` are those of documents, as `Kind/name`; `words` the names of documents and other files that a text holds.
    """

    names: Mapping[str, tuple[str, ...]]
    words: Mapping[str, tuple[str, ...]]
    opaque: frozenset[str]


class Around(NamedTuple):
    """The files around a change: `touched` are those of which something else may be told, `needed` is to check those.

    Both are in the order in which the files are read.
    """

    touched: frozenset[str]
    needed: tuple[str, ...]


_WORD = re.compile(rb"[A-Za-z0-9_](?:[-A-Za-z0-9_.]*[A-Za-z0-9_])?")
# Names in other letters: escapes, and strings that go on behind the end of a line, which YAML 1.1 has more of.
_ESCAPED = rb"\\[xuU\r\n\xc2\xe2]"
_HIDING = re.compile(_ESCAPED + rb"|externalName")
_OPAQUE = re.compile(rb"\{\{(?!\$)|\{%|externalName|" + _ESCAPED)
_PACKAGE = re.compile(rb"pipelineInfo|deploymentSpec|platforms")
_EVERYWHERE = re.compile(rb"\b(Environment|ResourceProfile)\b")
_NAMED = re.compile(rb"""\bname["']?:\s+["']?([a-z0-9][-a-z0-9]*)""")
_ENVIRONMENTS = "environments/"


def linked(
    names: Mapping[str, tuple[str, ...]], others: Iterable[str], files: Mapping[str, bytes]
) -> Links | None:
    """The links of files, whose documents have these names and that name these other files.

    None where names do not show how files hang together: a template may make documents of any name, a package among the
    sources is a mistake as long as nobody names it, and some names have no letters that can be looked for.
    """
    mentions = set(map(_mention, others))
    if "" in mentions or any(p.endswith(".j2") or _PACKAGE.search(text) for p, text in files.items()):
        return None
    return _linked(names, mentions, files)


def _linked(names: Mapping[str, tuple[str, ...]], others: set[str], files: Mapping[str, bytes]) -> Links:
    known = others.union(_bare(name) for found in names.values() for name in found)
    looked_for = {name.encode("utf-8", "surrogateescape") for name in known}
    words = {path: looked_for.intersection(_WORD.findall(content)) for path, content in files.items()}
    return Links(
        names,
        {
            path: tuple(sorted(w.decode("utf-8", "surrogateescape") for w in found))
            for path, found in words.items()
        },
        frozenset(path for path, content in files.items() if _OPAQUE.search(content)),
    )


def _mention(path: str) -> str:
    """The word by which a file's path is found in a text: the last one of its name. Nothing if there is none."""
    found = _WORD.findall(_bare(path).encode("utf-8", "surrogateescape")) if path.isprintable() else ()
    return found[-1].decode() if found else ""


def renewed(links: Links, files: Mapping[str, bytes], others: Iterable[str]) -> Links | None:
    """The links after some files were changed. Names that a text held before still count: they led somewhere, too."""
    new = linked(links.names, others, files)
    if new is None:
        return None
    both = {path: tuple({*words, *links.words.get(path, ())}) for path, words in new.words.items()}
    return Links(links.names, {**links.words, **both}, links.opaque | new.opaque)


def guessed(files: Mapping[str, bytes]) -> Links:
    """The links of files that nobody has parsed: whatever stands after `name:` may be the name of a document.

    A file without our `apiVersion` may be a component of KFP v1, whose name is made valid: it cannot be seen by names.
    """
    names = {
        path: tuple(found.decode() for found in _NAMED.findall(content)) for path, content in files.items()
    }
    links = _linked(names, set(), files)
    everywhere = {
        path for path, content in files.items() if b"kfgit.dev/" not in content or _EVERYWHERE.search(content)
    }
    return links._replace(opaque=links.opaque | everywhere)


def foretold(links: Links, names: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether what was guessed has the names that documents turned out to have; opaque ones are seen by all anyway."""
    return all(
        path in links.opaque or {_bare(name) for name in found} <= {*links.names[path]}
        for path, found in names.items()
    )


def parted(links: Links, sizes: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two parts of about one size that are each complete: with all that their files need."""
    given = {path: {_bare(name) for name in links.names[path]} for path in links.words}
    users = [path for path, words in links.words.items() if not given[path].issuperset(words)]
    half, size, cut = sum(sizes[path] for path in users) / 2, 0, 0
    while cut < len(users) and size < half:
        size, cut = size + sizes[users[cut]], cut + 1
    first, second = set(_needed(links, users[:cut])), set(_needed(links, users[cut:]))
    smaller = first if len(first) < len(second) else second
    smaller |= links.words.keys() - first - second
    return _in_order(links, first), _in_order(links, second)


def is_central(links: Links, path: str) -> bool:
    """Whether what stands in a file may matter to any other: which files there are, variables, patches, quotas."""
    return path == PROJECT_FILE or any(map(_is_everywhere, links.names.get(path, ())))


def _is_everywhere(name: str) -> bool:
    """Whether others need not name a document to depend on it: quotas count tasks of all profiles."""
    return name.startswith(("Environment/", "ResourceProfile/"))


def hides(content: bytes) -> bool:
    """Whether a text may give a document a name that another one has, so that both can be seen only together."""
    return _HIDING.search(content) is not None


def around(links: Links, changed: Iterable[str]) -> Around:
    """The files that a change can matter to, and all that is needed to check those."""
    holders = _turned(links.words)

    def users(path: str) -> Iterator[str]:
        for name in (*map(_bare, links.names.get(path, ())), _mention(path)):
            yield from holders.get(name, ())

    touched = frozenset(_reached([*changed, *links.opaque], users))
    return Around(touched, _in_order(links, _needed(links, touched)))


def _in_order(links: Links, paths: Collection[str]) -> tuple[str, ...]:
    return tuple(path for path in links.words if path in paths)


def _needed(links: Links, paths: Iterable[str]) -> set[str]:
    """Files with all that they need, and what may matter to any."""
    givers = _turned({path: [_bare(name) for name in names] for path, names in links.names.items()})

    def used(path: str) -> Iterator[str]:
        for word in links.words.get(path, ()):
            yield from givers.get(word, ())

    always = (p for p in links.words if is_central(links, p) or p.startswith(_ENVIRONMENTS))
    return _reached([*paths, *links.opaque, *always], used)


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
    " unknown-pipeline unknown-profile policy-rules-too-costly".split()
)
_MISSING = frozenset({"unknown-component", "unknown-pipeline", "unknown-profile"})


def is_wide(diagnostic: Diagnostic) -> bool:
    """Whether a mistake can be told only with the whole repository in view."""
    return diagnostic.code in _WIDE


def is_missing(diagnostic: Diagnostic) -> bool:
    """Whether a mistake names the nearest of all sound documents, and reads differently when one becomes faulty."""
    return diagnostic.code in _MISSING


def hides_names(diagnostic: Diagnostic) -> bool:
    """Whether a file with this mistake may hold documents that nobody can see."""
    return diagnostic.code.startswith("yaml-") or diagnostic.code == "unquoted-template"


def too_many(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether there is so much wrong that not all of it is told, or not all that could be said of it."""
    found = list(diagnostics)
    return sum(d.severity == "error" for d in found) > _MANY or any(
        d.code == "too-many-mistakes" for d in found
    )


def _bare(name: str) -> str:
    return name.rpartition("/")[2]
