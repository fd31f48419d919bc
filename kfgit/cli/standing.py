"""Where an environment stands, and which mistakes touch a document: both without checking everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kfgit import driver, overlay, pinning, schema
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.document import Mapping, Node, Scalar, at, nodes, texts
from kfgit.driver import Repository
from kfgit.model import Environment, Retention
from kfgit.overlay import Located
from kfgit.project import PROJECT_FILE
from kfgit.resolve import capacity, cluster_target, gpu, retention
from kfgit.source import Span, whole_file


def standing(repository: Repository, environment: str) -> Environment:
    """Where an environment stands, mistakes elsewhere or not: its target with what it has, and its branch."""
    found, _ = _document(repository, environment)
    spec = at(found, ("spec",)) if found is not None else None
    span = found.span if found is not None else whole_file(PROJECT_FILE)
    known = spec if isinstance(spec, Mapping) else Mapping({}, span)
    cluster = cluster_target(known)
    return Environment(
        environment,
        span,
        target="local" if cluster is None else "cluster",
        executor=_word(found, ("target", "executor")) or "auto",
        cluster=cluster,
        branch=_word(found, ("git", "branch")),
        gpu=gpu(known),
        capacity=capacity(known),
    )


def retention_of(repository: Repository, environment: str) -> Retention | None:
    """Which ended runs an environment keeps; None where its document has mistakes, so that nobody knows."""
    if not {("*", environment), ("Environment", environment)}.isdisjoint(repository.broken):
        return None
    found, faults = _document(repository, environment)
    if found is None:
        return Retention()
    if has_errors(faults) or has_errors(schema.validate(found, "Environment", driver.schemas())):
        return None
    spec = at(found, ("spec",))
    return retention(spec) if isinstance(spec, Mapping) else Retention()


def _document(repository: Repository, environment: str) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """The document of an environment as it is in the end, and what is wrong with how it came about."""
    heads = pinning.heads(repository, environment)
    view = overlay.view(heads.documents, environment, heads.git)
    found = [d for d in view.value.documents if d.kind == "Environment" and d.name == environment]
    return (found[0].node if found else None), concerning(found, view.diagnostics)


def _word(node: Node | None, path: tuple[str, ...]) -> str | None:
    found = at(node, ("spec", *path)) if node is not None else None
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else None


def touching(
    documents: Sequence[Located], roots: Iterable[tuple[str, str]], diagnostics: Sequence[Diagnostic]
) -> tuple[Diagnostic, ...]:
    """What is wrong with some documents and all that they use; all that is wrong where that names no error."""
    found = about(documents, roots, diagnostics)
    return found if has_errors(found) else tuple(diagnostics)


def about(
    documents: Sequence[Located], roots: Iterable[tuple[str, str]], diagnostics: Sequence[Diagnostic]
) -> tuple[Diagnostic, ...]:
    """What is said of some documents and all that they use, and nothing else."""
    return concerning(_reached({(d.kind, d.name): d for d in documents}, roots), diagnostics)


def concerning(documents: Iterable[Located], diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """What is wrong on the lines of some documents, in the python files they name, and with the project itself."""
    chosen = list(documents)
    places = {(span.file, line) for d in chosen for span in _spans(d.node) for line in _lines(span)}
    files = (
        "kfgit.yaml",
        *{word.removeprefix("./") for d in chosen for word, _ in texts(d.node) if word.endswith(".py")},
    )
    return tuple(
        d
        for d in diagnostics
        if d.span.file.endswith(files)
        or not places.isdisjoint((d.span.file, line) for line in _lines(d.span))
    )


def _reached(known: dict[tuple[str, str], Located], roots: Iterable[tuple[str, str]]) -> list[Located]:
    """The documents that are named from `roots` on; a name is any text that a document of the kind has."""
    found: dict[tuple[str, str], Located] = {}
    pending = [key for key in roots if key in known]
    while pending:
        key = pending.pop()
        if key not in found:
            found[key] = known[key]
            words = {text for text, _ in texts(known[key].node)}
            pending += [
                other for other in known if other[0] in {"Component", "Pipeline"} and other[1] in words
            ]
    return list(found.values())


def _spans(root: Node) -> Iterator[Span]:
    """Where the values of a document stand, their keys, and what templates took them from."""
    for node in nodes(root):
        yield node.span
        match node:
            case Mapping():
                yield from (entry.key_span for entry in node.entries.values())
            case Scalar():
                yield from (origin.span for origin in node.origins if origin.span is not None)
            case _:
                pass


def _lines(span: Span) -> range:
    return range(span.line, max(span.end_line, span.line) + 1)
