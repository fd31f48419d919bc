"""All that is wrong with a repository, as quickly as can be told.

    nothing changed → the answer of before
    files changed in place → the answer of before, with what is new about these files and those they touch
    anything else → everything is checked, in two processes where there is much of it

What is remembered lies outside of the repository, where nobody who sends a pull request can write, and only saves time:
a test changes repositories at random and holds both ways to the same answer. Whoever finds it missing, older than this
kfgit or unreadable checks everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kfgit.answers.memory import Answer, Inputs, Memory
from kfgit.diagnostics import ordered

if TYPE_CHECKING:
    from pathlib import Path

    from kfgit.answers.halves import Half
    from kfgit.answers.slices import Links
    from kfgit.driver import Repository

__all__ = ["Answer", "Memory", "answer", "by_two", "fresh"]

# From so many files on it takes longer to check them all than to find out which ones matter.
_WORTH_IT = 40


def answer(memory: Memory) -> Answer | None:
    """What can be said without checking everything; None where that is nothing."""
    look = memory.look()
    if look is None or not look.changed:
        return look.answer if look is not None else None
    return _partly(memory, look.answer, look.changed)


def by_two(root: Path, asked: tuple[str, ...], memory: Memory | None) -> Answer | None:
    """Checks everything in two processes, and remembers it; None where one is better, or has to say it."""
    from kfgit import driver, project  # noqa: PLC0415 - an answer of before does without
    from kfgit.answers import halves  # noqa: PLC0415 - as above

    sources = driver.sources_of(root)
    tree = project.read(root, sources)
    files = {file.path: file.content for file in tree.files}
    parts = halves.halves(files) if not tree.diagnostics else None
    if parts is None:
        return None
    links, (first, second) = parts
    found = halves.together(lambda: _half(root, asked, first), lambda: _half(root, asked, second))
    whole = halves.merged(found) if found is not None else None
    if whole is None:
        return None
    told = Answer(sum(map(len, whole.names.values())), whole.environments, ordered(whole.diagnostics))
    if memory is not None:
        git = project.git_state(root) if any(map(driver.wants_git, files.values())) else None
        _keep(
            memory,
            told,
            Inputs(tree.contents, whole.others, sources, (), git),
            links._replace(names=whole.names),
        )
    return told


def _half(root: Path, asked: tuple[str, ...], part: frozenset[str]) -> Half | None:
    from kfgit import driver  # noqa: PLC0415 - an answer of before does without
    from kfgit.answers.halves import Half  # noqa: PLC0415 - as above

    repository = driver.load(root, part)
    environments = asked or repository.environments
    if not {*repository.environments, driver.LOCAL}.issuperset(environments):
        return None
    found = driver.validate(repository, environments)
    return Half(found, _names(repository), repository.others, environments)


def fresh(repository: Repository, environments: tuple[str, ...], memory: Memory | None) -> Answer:
    """Checks everything, and remembers it."""
    from kfgit import driver  # noqa: PLC0415 - an answer of before does without
    from kfgit.answers import slices  # noqa: PLC0415 - as above

    told = Answer(len(repository.documents), environments, driver.validate(repository, environments))
    if memory is not None:
        inputs = _inputs(repository)
        few = len(repository.files) < _WORTH_IT
        links = None if few else slices.linked(_names(repository), inputs.others, repository.files)
        _keep(memory, told, inputs, links)
    return told


def _keep(memory: Memory, told: Answer, inputs: Inputs, links: Links | None) -> None:
    memory.keep(told, inputs)
    if links is not None and _shows_in_names(inputs):
        memory.keep_links(links)


def _shows_in_names(inputs: Inputs) -> bool:
    """Whether names show how files hang together.

    A template may make documents of any name, and a package among the sources is a mistake as long as nobody names it.
    """
    templates = any(path.endswith(".j2") for path in inputs.files)
    return not templates and not inputs.files.keys() & inputs.others.keys()


def _partly(memory: Memory, before: Answer, changed: frozenset[str]) -> Answer | None:
    """The answer, where it follows from checking the files that the change can matter to."""
    from kfgit.answers import slices  # noqa: PLC0415 - an answer of before does without

    links = memory.links()
    if links is None or any(slices.is_central(links, path) for path in changed):
        return None
    from kfgit import driver  # noqa: PLC0415 - as above

    links = slices.renewed(links, memory.texts(changed), memory.others)
    around = slices.around(links, changed)
    repository = driver.load(memory.root, around)
    found = set(driver.validate(repository, before.environments))
    inputs = _inputs(repository)
    near = around | inputs.others.keys()
    old = {d for d in before.diagnostics if d.span.file in near}
    apart = [d for d in before.diagnostics if d not in old]
    if (
        not memory.expects(inputs, changed)
        or repository.broken
        or any(slices.hides_names(d) for d in old)
        or _names(repository) != {path: names for path, names in links.names.items() if path in around}
        or any(slices.is_wide(d) or d.span.file not in near for d in old ^ found)
        or any(related.span.file in near for d in apart for related in d.related)
    ):
        return None
    told = Answer(before.documents, before.environments, ordered([*apart, *found]))
    memory.renew(told, inputs)
    memory.keep_links(links)
    return told


def _inputs(repository: Repository) -> Inputs:
    tree = repository.tree
    return Inputs(
        tree.contents, repository.others, repository.sources, tree.outline, dict(repository.git) or None
    )


def _names(repository: Repository) -> Mapping[str, tuple[str, ...]]:
    """The names of the documents of each file that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for document in repository.documents:
        found[document.file] = (*found.get(document.file, ()), f"{document.kind}/{document.name}")
    return found
