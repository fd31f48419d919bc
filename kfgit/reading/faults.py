"""What is wrong with the project itself; everything else is looked at for each environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from kfgit import project, schema, verdicts
from kfgit.diagnostics import Diagnostic, did_you_mean, has_errors
from kfgit.document import Scalar, Sequence, at
from kfgit.overlay import Located
from kfgit.reading.repository import LOCAL, MAX_ENVIRONMENTS, Repository
from kfgit.source import whole_file


@lru_cache(maxsize=1)
def schemas() -> schema.Schemas:
    """Kfgit's own schemas."""
    return schema.Schemas.load(project.schema_files())


def faults_of(repository: Repository) -> Iterator[Diagnostic]:
    """What is wrong with the Project, and with what its environments are."""
    # Where there are too many files, what seems to be missing was not read.
    if not any(fault.code == "too-many-files" for fault in repository.tree.diagnostics):
        yield from _project_faults(repository)
        yield from _homeless(repository)
    yield from _too_many(repository.documents)


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


def _too_many(found: Iterable[Located]) -> Iterator[Diagnostic]:
    """Every environment is checked, so there may not be any number of them."""
    homes = sorted((d for d in found if d.kind == "Environment"), key=lambda d: d.name)
    if len(homes) > MAX_ENVIRONMENTS:
        message = f"more than {MAX_ENVIRONMENTS} environments; the others are not checked"
        place = homes[MAX_ENVIRONMENTS].name_span
        yield Diagnostic("too-many-environments", message, place, "make a second project")
