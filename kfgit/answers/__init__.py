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
    from kfgit.answers.halves import Half
    from kfgit.answers.slices import Links
    from kfgit.driver import Repository
    from kfgit.project import Tree

__all__ = ["Answer", "Memory", "answer", "by_two", "fresh"]

# From so many files on it takes longer to check them all than to find out which ones matter.
_WORTH_IT = 40


def answer(memory: Memory) -> Answer | None:
    """What can be said without checking everything; None where that is nothing."""
    look = memory.look()
    if look is None or not look.changed:
        return look.answer if look is not None else None
    return _partly(memory, look.answer, look.changed)


def by_two(tree: Tree, asked: tuple[str, ...], memory: Memory | None) -> Answer | None:
    """Checks everything in two processes, and remembers it; None where one is better, or has to say it."""
    from kfgit import driver, project  # noqa: PLC0415 - an answer of before does without
    from kfgit.answers import halves, slices  # noqa: PLC0415 - as above

    files = {file.path: file.content for file in tree.files}
    whole_only = tree.diagnostics or any(map(_may_pin, files.values()))
    parts = halves.halves(files) if not whole_only else None
    if parts is None:
        return None
    links, (first, second) = parts
    git = project.git_state(tree.root) if any(map(driver.wants_git, files.values())) else None
    found = halves.together(
        lambda: _half(tree.part({*first}), asked), lambda: _half(tree.part({*second}), asked)
    )
    whole = halves.merged(found) if found is not None else None
    if whole is None or not slices.foretold(links, whole.names):
        return None
    told = Answer(sum(map(len, whole.names.values())), whole.environments, ordered(whole.diagnostics))
    if memory is not None and (git is None or git == project.git_state(tree.root)):
        inputs = Inputs(tree.contents, whole.others, tree.sources, (), git)
        exact = slices.linked(whole.names, whole.others, files)
        _keep(memory, told, inputs, exact)
    return told


def _may_pin(content: bytes) -> bool:
    """Whether this may be an environment with a pin; what only looks like one costs time."""
    return b"pin" in content and b"Environment" in content


def _half(tree: Tree, asked: tuple[str, ...]) -> Half | None:
    """What there is to say of a part; None if the environments are not there."""
    from kfgit import driver  # noqa: PLC0415 - an answer of before does without
    from kfgit.answers.halves import Half  # noqa: PLC0415 - as above

    repository = driver.parse(tree)
    environments = asked or repository.environments
    if not {*repository.environments, driver.LOCAL}.issuperset(environments):
        return None
    found = driver.validate(repository, environments)
    if repository.pins:
        return None  # each half would read the other commit, and has half of what lies over it
    return Half(found, _names(repository), repository.others, environments)


def fresh(repository: Repository, environments: tuple[str, ...], memory: Memory | None) -> Answer:
    """Checks everything, and remembers it."""
    from kfgit import driver  # noqa: PLC0415 - an answer of before does without
    from kfgit.answers import slices  # noqa: PLC0415 - as above

    git = repository.git
    told = Answer(len(repository.documents), environments, driver.validate(repository, environments))
    pins = _pins(repository)
    if memory is not None and pins is not None and repository.git == git:
        inputs = _inputs(repository)._replace(pins=pins)
        few = pins or len(repository.files) < _WORTH_IT
        links = None if few else slices.linked(_names(repository), inputs.others, repository.files)
        _keep(memory, told, inputs, links)
    return told


def _pins(repository: Repository) -> Mapping[str, str] | None:
    """The commits that environments pin; None where what is said may change as commits and tags come."""
    from kfgit import driver  # noqa: PLC0415 - an answer of before does without

    found = {pin: base for pin, base in repository.pins.items() if isinstance(base, driver.Repository)}
    whole = len(found) == len(repository.pins)
    if not whole or any(driver.wants_git(text) for base in found.values() for text in base.files.values()):
        return None
    return {pin: str(base.commit) for pin, base in found.items()}


def _keep(memory: Memory, told: Answer, inputs: Inputs, links: Links | None) -> None:
    if not _follows(told):
        return
    memory.keep(told, inputs)
    if links is not None:
        memory.keep_links(links)


def _follows(told: Answer) -> bool:
    """Whether an answer follows from the project alone: time zones are the machine's, and may be installed."""
    return all(d.code != "unknown-timezone" for d in told.diagnostics)


def _partly(memory: Memory, before: Answer, changed: frozenset[str]) -> Answer | None:
    """The answer, where it follows from checking the files that the change can matter to."""
    from kfgit.answers import slices  # noqa: PLC0415 - an answer of before does without

    links = memory.links()
    if links is None or any(slices.is_central(links, path) for path in changed):
        return None
    texts = memory.texts(changed)
    if any(map(slices.hides, texts.values())):
        return None
    links = slices.renewed(links, texts, memory.others)
    if links is None:
        return None
    from kfgit import driver  # noqa: PLC0415 - as above

    touched, needed = slices.around(links, changed)
    repository = driver.load(memory.root, needed)
    found = set(driver.validate(repository, before.environments))
    inputs = _inputs(repository)
    near = {*needed, *inputs.others}
    old = {d for d in before.diagnostics if d.span.file in near}
    apart = [d for d in before.diagnostics if d not in old]
    news = old ^ found
    if (
        not memory.expects(inputs, changed)
        or any(repository.files.get(path) != text for path, text in texts.items())
        or repository.broken
        or any(slices.hides_names(d) for d in old)
        or _names(repository) != {path: names for path, names in links.names.items() if path in near}
        or any(slices.is_wide(d) or d.span.file not in touched for d in news)
        or any(related.span.file in near for d in apart for related in d.related)
        or (any(d.severity == "error" for d in news) and any(map(slices.is_missing, apart)))
        or slices.too_many([*before.diagnostics, *found])
    ):
        return None
    told = Answer(before.documents, before.environments, ordered([*apart, *found]))
    if _follows(told):
        memory.renew(told, inputs)
        memory.keep_links(links)
    return told


def _inputs(repository: Repository) -> Inputs:
    tree = repository.tree
    others = {path: found for path, found in repository.others.items() if not repository.is_pinned(path)}
    return Inputs(tree.contents, others, tree.sources, tree.outline, dict(repository.git) or None)


def _names(repository: Repository) -> Mapping[str, tuple[str, ...]]:
    """The names of the documents of each file that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for document in repository.documents:
        found[document.file] = (*found.get(document.file, ()), f"{document.kind}/{document.name}")
    return found
