"""Environments with a pin: their base documents are those of another commit, the rest is what is read.

From the pinned commit come the documents for all environments with the files that they name, and the project's `vars`
and `sources`. The Environment, what stands below `environments/NAME/`, and all else that the project says are as they
are read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kfgit import document, overlay, project, reading, schema, template
from kfgit.diagnostics import Checked, Diagnostic
from kfgit.document import Entry, Mapping, Node, Scalar, at
from kfgit.overlay import Located
from kfgit.project import PROJECT_FILE
from kfgit.reading import Repository
from kfgit.source import commit_of

if TYPE_CHECKING:
    from kfgit.project.pinned import Pinned

# So many commits are read for all environments together.
MAX_PINS = 32
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
# Of a project only this is said by the pinned commit.
_OF_BASE = ("sources", "vars")
_ENVIRONMENTS = "environments/"
_OURS = frozenset({"Environment", "Project"})
# What an Environment says of documents that nobody knows.
_OF_OTHERS = frozenset({"patch-without-target", "unknown-profile"})
_MIB = 1024 * 1024


def seen(repository: Repository, environment: str) -> Checked[Repository]:
    """What there is for an environment: all that was read, or what its pin leaves of that, and the rest of there.

    Where a pin leads nowhere that is the Environment alone: nobody knows what its overlays lie over.
    """
    pin = _pin(repository, environment)
    if pin is None:
        return Checked(repository)
    base = _base(repository, pin)
    if isinstance(base, Repository):
        return Checked(_over(base, repository, environment), base.diagnostics)
    own = _own(repository, environment)
    few = tuple(d for d in own.documents if d.kind in _OURS)
    unknown = {("*", d.name) for d in repository.documents if d.environment is None and d.kind not in _OURS}
    lost = replace(own, documents=few, templates=(), broken=own.broken | unknown)
    return Checked(lost, () if base is None else (base,))


def telling(found: Repository, environment: str, faults: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """What is to be said of an environment with a pin: where that leads nowhere nothing of what it would lead to."""
    lost = is_lost(found, environment)
    return (fault for fault in faults if not lost or fault.code not in _OF_OTHERS)


def is_lost(found: Repository, environment: str) -> bool:
    """Whether an environment, as it was `seen`, has a pin that leads nowhere."""
    return found.base is None and _pin(found, environment) is not None


def heads(repository: Repository, environment: str) -> Repository:
    """As `seen`, but of the pinned commit the project alone: enough to say where the environment stands."""
    pin = _pin(repository, environment)
    origin = _origin(repository, pin) if pin is not None else None
    if origin is None or isinstance(origin, Diagnostic):
        return repository
    from kfgit.backend import MachineFault  # noqa: PLC0415 - most have no pins, and do without git

    try:
        said = _project(origin).value
    except MachineFault:
        return repository  # whoever checks the environment is told
    finally:
        origin.rest()
    documents = (_with_base(d, said) if d.kind == "Project" else d for d in repository.documents)
    return replace(repository, documents=tuple(documents))


def _pin(repository: Repository, environment: str) -> Node | None:
    """What an environment says its base documents are of; a map where that has a wrong form, which the schema tells."""
    own = (d for d in repository.documents if d.environment == environment and d.kind == "Environment")
    home = next(own, None)
    found = at(home.node, ("spec", "pin")) if home is not None else None
    if isinstance(found, Mapping):
        return found.get("commit") or found
    return Mapping({}, found.span) if found is not None else None


def _text(node: Node | None) -> object:
    return node.value if isinstance(node, Scalar) else None


def _base(repository: Repository, pin: Node) -> Repository | Diagnostic | None:
    """The documents for all environments at a pin; None where its own form is wrong, which the schema tells."""
    text = _text(pin)
    if not isinstance(text, str):
        return None
    if text not in repository.pins:
        origin = _origin(repository, pin)
        if origin is None:
            return None
        repository.pins[text] = origin if isinstance(origin, Diagnostic) else _at(repository, origin, pin)
    found = repository.pins[text]
    return found if isinstance(found, Repository) else replace(found, span=pin.span)


def _origin(repository: Repository, pin: Node) -> Pinned | Diagnostic | None:
    """The commit that a pin names, or why it names none; None where its form is wrong."""
    text = _text(pin)
    if not isinstance(text, str):
        return None
    if template.is_template(text):
        message = "a pin cannot be a template: it says which variables there are"
        return Diagnostic("template-not-allowed", message, pin.span, "write the hash of the commit out")
    if not _COMMIT.match(text):
        return None
    from kfgit.backend import MachineFault  # noqa: PLC0415 - as above
    from kfgit.project import pinned  # noqa: PLC0415 - as above

    try:
        return pinned.pinned(repository.tree.origin, text)
    except pinned.Unpinnable as why:
        return Diagnostic("pin-not-found", str(why), pin.span, why.help)
    except MachineFault as why:
        return Diagnostic("pin-not-found", f"the pinned commit cannot be read: {why}", pin.span)


def _at(repository: Repository, origin: Pinned, pin: Node) -> Repository | Diagnostic:
    """The base documents of a commit; another environment may pin it, too, perhaps with fewer of its digits."""
    known = {each.commit: each for each in repository.pins.values() if isinstance(each, Repository)}
    if origin.commit in known:
        return known[origin.commit]
    left = project.MAX_TOTAL - sum(len(text) for each in known.values() for text in each.files.values())
    is_full = len(known) >= MAX_PINS or any(d.code == "too-many-pins" for d in _refused(repository))
    found = _read(repository, origin, pin, left) if not is_full else None
    if found is not None:
        return found
    most = (
        f"more than {MAX_PINS} commits, or more than {project.MAX_TOTAL // _MIB} MiB of YAML in them together"
    )
    help_ = "pin the same commit in more environments, or make a second project"
    return Diagnostic("too-many-pins", f"the environments pin {most}; this one is not read", pin.span, help_)


def _refused(repository: Repository) -> Iterator[Diagnostic]:
    return (each for each in repository.pins.values() if isinstance(each, Diagnostic))


def _read(repository: Repository, origin: Pinned, pin: Node, left: int) -> Repository | Diagnostic | None:
    """The base documents of a commit; None where they are more than what is `left` to read."""
    from kfgit.backend import MachineFault  # noqa: PLC0415 - as above

    try:
        said = _project(origin)
        if said.value is None:
            message = (
                f"commit {origin.commit[:10]} has no project here: {PROJECT_FILE} is missing in it, or broken"
            )
            help_ = f"pin a commit that has {PROJECT_FILE} in the same folder"
            return Diagnostic("pin-not-found", message, pin.span, help_)
        tree = origin.read(reading.sources_said(said.value.node))
    except MachineFault as why:
        return Diagnostic("pin-not-found", f"the pinned commit cannot be read: {why}", pin.span)
    finally:
        origin.rest()
    # The project's own file is read apart.
    kept = tuple(file for file in tree.files[1:] if _is_base(file.path))
    if sum(len(file.content) for file in kept) > left:
        return None
    faults = tuple(d for d in tree.diagnostics if _is_base(d.span.file))
    found = reading.parse(replace(tree, files=kept, diagnostics=faults))
    documents = (d for d in found.documents if d.environment is None and d.kind not in _OURS)
    # A package may be there for a patch; whether any environment of that time named it no longer matters.
    told = (d for d in found.diagnostics if d.code != "foreign-document")
    return replace(
        found,
        documents=(said.value, *documents),
        diagnostics=(*said.diagnostics, *_faults_of(said.value, repository.project), *told),
    )


def _faults_of(said: Located, home: Located | None) -> Iterator[Diagnostic]:
    """What is wrong with the variables and sources of a pinned commit."""
    node = _with_base(home, said).node if home is not None else said.node
    faults = schema.validate(node, "Project", reading.schemas())
    return (d for d in faults if commit_of(d.span.file)[0])


def _is_base(path: str) -> bool:
    """Whether a file of a pinned commit counts."""
    return not commit_of(path)[1].startswith(_ENVIRONMENTS)


def _project(origin: Pinned) -> Checked[Located | None]:
    """The document of the pinned commit's `kfgit.yaml`, and what is wrong with the file."""
    files = origin.read(()).files
    parsed = document.parse(files[0]) if files else Checked(())
    for found in parsed.value:
        if isinstance(found.root, Mapping) and _text(found.root.get("kind")) == "Project":
            name = str(_text(at(found.root, ("metadata", "name"))))
            return Checked(Located("Project", name, found.root, found.file), parsed.diagnostics)
    return Checked(None, parsed.diagnostics)


def _over(base: Repository, repository: Repository, environment: str) -> Repository:
    """The base documents of a pinned commit under what is read of an environment."""
    own, said = _own(repository, environment), base.project
    mine = (_with_base(d, said) if d.kind == "Project" else d for d in own.documents)
    return replace(
        own,
        files={**repository.files, **base.files},
        documents=(*mine, *(d for d in base.documents if d is not said or own.project is None)),
        diagnostics=(*own.diagnostics, *base.diagnostics),
        broken=own.broken | base.broken,
        templates=(*base.templates, *own.templates),
        base=base,
    )


def _own(repository: Repository, environment: str) -> Repository:
    """What is read whatever is pinned: the project, and what there is of the environment."""
    documents = tuple(d for d in repository.documents if d.kind == "Project" or d.environment == environment)
    homes = {PROJECT_FILE, *(d.file for d in documents if d.kind == "Environment")}
    faults = tuple(d for d in repository.diagnostics if _is_of(d.span.file, environment, homes))
    faulty = {d.span.file for d in faults if d.severity == "error"}
    hidden = (name for path in faulty for name in reading.names_in(repository.files.get(path, b"")))
    return replace(
        repository,
        documents=documents,
        diagnostics=faults,
        broken=frozenset((d.kind, d.name) for d in documents if d.unsound) | {("*", name) for name in hidden},
        templates=tuple(t for t in repository.templates if _is_of(t.path, environment)),
    )


def _is_of(path: str, environment: str, homes: Collection[str] = ()) -> bool:
    return path in homes or overlay.environment_of(path) == environment


def _with_base(home: Located, said: Located | None) -> Located:
    """The project as it is read, with the variables and sources of a pinned commit."""
    old, spec = (at(each.node, ("spec",)) if each is not None else None for each in (said, home))
    mine = spec.entries if isinstance(spec, Mapping) else {}
    theirs = old.entries if isinstance(old, Mapping) else {}
    entries = {key: entry for key, entry in mine.items() if key not in _OF_BASE}
    entries |= {key: entry for key, entry in theirs.items() if key in _OF_BASE}
    if spec is None and not entries:
        return home
    whole = Mapping(entries, spec.span if spec is not None else home.node.span)
    return replace(
        home, node=Mapping({**home.node.entries, "spec": Entry(whole.span, whole)}, home.node.span)
    )
