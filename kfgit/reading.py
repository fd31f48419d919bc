"""Everything that was read: a project's files as documents, before any environment looks at them.

files → nodes → documents with kind and name → what is wrong with the project itself
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from kfgit import document, overlay, project, schema, verdicts
from kfgit.diagnostics import Checked, Diagnostic, bounded_help, did_you_mean, has_errors, ordered
from kfgit.document import Document, Mapping as MappingNode, Scalar, Sequence, at, plain
from kfgit.overlay import Located
from kfgit.packages import compiled
from kfgit.source import SourceFile, whole_file

LOCAL = "local"
MAX_ENVIRONMENTS = 100

# A document's node, kept so that its id stays its own, and the schema's word on it.
Forms: TypeAlias = dict[int, tuple[MappingNode, tuple[Diagnostic, ...]]]
_OPENS = re.compile(rb"\{[{%]")
_GIT = re.compile(rb"\bgit\b")


@dataclass(frozen=True, slots=True)
class Repository:
    """Everything that was read, before any environment looks at it."""

    root: Path
    files: Mapping[str, bytes]
    documents: tuple[Located, ...]
    diagnostics: tuple[Diagnostic, ...]
    broken: frozenset[tuple[str, str]]
    templates: tuple[SourceFile, ...] = ()
    # What the schemas say of documents, so that each is asked about once; it follows from the documents alone.
    forms: Forms = field(default_factory=dict, repr=False, compare=False)
    tree: project.Tree = field(
        default_factory=lambda: project.Tree(project.Folder(Path()), ()), repr=False, compare=False
    )
    # Files that documents name, each read once.
    others: dict[str, project.Content | Diagnostic] = field(default_factory=dict, repr=False, compare=False)

    @property
    def project(self) -> Located | None:
        """The document of `kfgit.yaml`."""
        return next((d for d in self.documents if d.kind == "Project"), None)

    @property
    def name(self) -> str:
        """The project's name; that of its folder where none is written."""
        return self.project.name if self.project is not None else self.root.name

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments somebody wrote, in the project's order; `local` alone where nobody did."""
        written = {d.name for d in self.documents if d.kind == "Environment"}
        order = [name for name in self._listed("environments") if name in written]
        return tuple(dict.fromkeys([*order, *sorted(written)]))[:MAX_ENVIRONMENTS] or (LOCAL,)

    @property
    def default_environment(self) -> str:
        """`spec.defaultEnvironment`, else `local`."""
        found = at(self.project.node, ("spec", "defaultEnvironment")) if self.project is not None else None
        return str(found.value) if isinstance(found, Scalar) and isinstance(found.value, str) else LOCAL

    def _listed(self, key: str) -> list[str]:
        found = at(self.project.node, ("spec", key)) if self.project is not None else None
        return [str(plain(item)) for item in found.items] if isinstance(found, Sequence) else []

    @property
    def git(self) -> Mapping[str, Any]:
        """The commit that is read or checked out, asked for only where a template may want it."""
        if not any(wants_git(content) for content in self.files.values()):
            return {}
        return self.tree.origin.git()

    @property
    def is_folder(self) -> bool:
        """Whether the files are those of the folder and not of a commit."""
        return isinstance(self.tree.origin, project.Folder)

    @property
    def commit(self) -> str | None:
        """The commit that is read or checked out; None outside git and before the first one."""
        return self.tree.origin.commit

    def content(self, path: str) -> bytes | Diagnostic:
        """A file that a document names, or why it cannot be read."""
        if path not in self.others:
            self.others[path] = self.tree.origin.content(path)
        found = self.others[path]
        if isinstance(found, project.Content):
            return _pointer(path) if project.is_pointer(found.bytes) else found.bytes
        return found


@lru_cache(maxsize=1)
def schemas() -> schema.Schemas:
    """Kfgit's own schemas."""
    return schema.Schemas.load(project.schema_files())


def load(root: Path, only: Collection[str] | None = None) -> Repository:
    """Reads and parses a project, or `only` some of its files, and finds out which document is what."""
    return parse(read(root, only))


def load_from(origin: project.Origin) -> Repository:
    """As `load`, from wherever the files are."""
    return parse(origin.read(_sources_in(origin)))


def read(root: Path, only: Collection[str] | None = None) -> project.Tree:
    """The files of a project, or `only` some of them."""
    return project.read(root, sources_of(root), only)


@bounded_help()
def parse(tree: project.Tree) -> Repository:
    """Which documents stand in files that were read, and what is wrong with them by themselves."""
    documents: list[Document] = []
    faults = list(tree.diagnostics)
    broken: set[tuple[str, str]] = set()
    templates = tuple(
        file
        for file in tree.files
        if file.path.endswith(overlay.TEMPLATE_SUFFIX) and not project.is_pointer(file.content)
    )
    for file in tree.files:
        if project.is_pointer(file.content):
            faults.append(_pointer(file.path))
            continue
        if file.path.endswith(overlay.TEMPLATE_SUFFIX):
            continue  # made anew for each environment
        parsed = document.parse(file)
        documents += parsed.value
        faults += _without_packages(parsed)
        if not parsed.ok:
            broken |= {("*", name) for name in _names_in(file.content)}
    located = overlay.locate(documents)
    faults += located.diagnostics
    broken |= {(found.kind, found.name) for found in located.value if found.unsound}
    broken |= {("*", name) for name in map(_home_of, located.diagnostics) if name is not None}
    repository = Repository(
        tree.root,
        {f.path: f.content for f in tree.files},
        located.value,
        tuple(faults),
        frozenset(broken),
        templates,
        tree=tree,
    )
    # Where there are too many files, what seems to be missing was not read.
    if not any(fault.code == "too-many-files" for fault in tree.diagnostics):
        faults += [*_project_faults(repository), *_homeless(repository)]
    faults += _too_many(located.value)
    return replace(repository, diagnostics=ordered(faults))


def _pointer(path: str) -> Diagnostic:
    return Diagnostic(
        "lfs-pointer",
        "the file is a pointer of Git LFS and not what it points at",
        whole_file(path),
        "keep what kfgit reads out of LFS: `git lfs migrate export --include=PATH`",
    )


def _without_packages(parsed: Checked[tuple[Document, ...]]) -> Iterator[Diagnostic]:
    """What YAML 1.1 and 1.2 read differently is no surprise in what KFP's compiler wrote: `packages` knows it."""
    written_by_kfp = all(compiled.is_package(found.root) for found in parsed.value)
    return (fault for fault in parsed.diagnostics if not written_by_kfp or fault.code != "yaml-1.1")


def _home_of(fault: Diagnostic) -> str | None:
    """The environment in whose folder a document is that may be its own, but has a faulty head."""
    folder, _, rest = fault.span.file.partition("/")
    return re.split(r"[./]", rest)[0] if folder == "environments" and fault.severity == "error" else None


def wants_git(content: bytes) -> bool:
    """Whether a template may ask for the commit; `git.` in a comment or a URL does not. Each byte is looked at once."""
    if b"git" not in content:
        return False
    opened = (piece[found.start() :] for piece in content.split(b"}") if (found := _OPENS.search(piece)))
    return any(_GIT.search(piece) for piece in opened)


def sources_of(root: Path) -> tuple[str, ...] | None:
    """The folders of a project's YAML, as `kfgit.yaml` names them; None where it does not."""
    return _sources_in(project.Folder(root))


def _sources_in(origin: project.Origin) -> tuple[str, ...] | None:
    first = origin.read(())
    return _sources(first.files[0].content) if first.files else None


def _sources(content: bytes) -> tuple[str, ...] | None:
    parsed = document.parse(SourceFile(project.PROJECT_FILE, content)).value
    found = at(parsed[0].root, ("spec", "sources")) if parsed else None
    return tuple(str(plain(item)) for item in found.items) if isinstance(found, Sequence) else None


def _too_many(found: Iterable[Located]) -> Iterator[Diagnostic]:
    """Every environment is checked, so there may not be any number of them."""
    homes = sorted((d for d in found if d.kind == "Environment"), key=lambda d: d.name)
    if len(homes) > MAX_ENVIRONMENTS:
        message = f"more than {MAX_ENVIRONMENTS} environments; the others are not checked"
        place = homes[MAX_ENVIRONMENTS].name_span
        yield Diagnostic("too-many-environments", message, place, "make a second project")


def _names_in(content: bytes) -> Iterable[str]:
    """The names a broken file may define: nobody shall complain that they are missing."""
    return (name.decode() for name in re.findall(rb"\bname:\s*[\"']?([a-z0-9][-a-z0-9]*)", content))


def _project_faults(repository: Repository) -> list[Diagnostic]:
    """What is wrong with the Project itself; everything else is looked at per environment."""
    found = repository.project
    if found is None:
        if project.PROJECT_FILE in repository.files and not has_errors(repository.diagnostics):
            help_ = "begin it with `apiVersion: kfgit.dev/v1`, `kind: Project` and `metadata: {name: …}`"
            return [
                Diagnostic(
                    "missing-project",
                    "`kfgit.yaml` holds no Project",
                    whole_file(project.PROJECT_FILE),
                    help_,
                )
            ]
        return []
    faults = verdicts.without_heads(schema.validate(found.node, "Project", schemas()), repository.diagnostics)
    faults += _source_faults(found, repository.tree.origin)
    written = {d.name for d in repository.documents if d.kind == "Environment"} | {LOCAL}
    listed = at(found.node, ("spec", "environments"))
    names = (
        [item for item in listed.items if isinstance(item, Scalar)] if isinstance(listed, Sequence) else []
    )
    default = at(found.node, ("spec", "defaultEnvironment"))
    for name in (*names, *([default] if isinstance(default, Scalar) else [])):
        if str(name.value) not in written and ("*", str(name.value)) not in repository.broken:
            message = f"there is no environment `{name.value}`"
            faults.append(
                Diagnostic(
                    "unknown-environment",
                    message,
                    name.span,
                    did_you_mean(str(name.value), written, what="environments"),
                )
            )
    return [*faults, *_promotions(repository, written)]


def _source_faults(found: Located, origin: project.Origin) -> Iterator[Diagnostic]:
    """Sources that lead out of the repository, or nowhere."""
    listed = at(found.node, ("spec", "sources"))
    for item in listed.items if isinstance(listed, Sequence) else ():
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            continue
        if project.is_outside(item.value):
            message = f"the source `{item.value}` is outside the repository"
            yield Diagnostic("path-outside", message, item.span, "name folders of the repository")
        elif item.value not in project.DEFAULT_SOURCES and not origin.has_folder(item.value):
            message, usual = f"there is no folder `{item.value}` to read", project.DEFAULT_SOURCES
            help_ = did_you_mean(item.value, usual, what="the usual sources")
            yield Diagnostic("missing-source", message, item.span, help_, "warning")


def _promotions(repository: Repository, written: set[str]) -> Iterator[Diagnostic]:
    """Environments that take their commits from one that does not exist."""
    for found in repository.documents:
        source = at(found.node, ("spec", "git", "promotesFrom")) if found.kind == "Environment" else None
        if not isinstance(source, Scalar) or not isinstance(source.value, str) or "{" in source.value:
            continue
        if source.value not in written and ("*", source.value) not in repository.broken:
            message = f"there is no environment `{source.value}`"
            help_ = did_you_mean(source.value, written, what="environments")
            yield Diagnostic("unknown-environment", message, source.span, help_)


def _homeless(repository: Repository) -> Iterator[Diagnostic]:
    """Documents of environments that do not exist: nothing would ever look at them."""
    environments = {d.environment for d in repository.documents if d.kind == "Environment"}
    told: set[str] = set()
    for found in repository.documents:
        name = found.environment
        if name in {None, LOCAL, *environments} or name in told or ("*", name) in repository.broken:
            continue
        told.add(str(name))
        message = f"there is no Environment `{name}` for this document"
        help_ = did_you_mean(str(name), sorted(str(e) for e in environments), what="environments")
        yield Diagnostic(
            "unknown-environment", message, found.name_span, f"add `environments/{name}.yaml`; {help_}"
        )
