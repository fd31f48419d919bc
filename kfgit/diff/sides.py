"""One side of a comparison: an environment as one commit has it, as far as it is sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from kfgit import compiler, policies
from kfgit.diagnostics import Diagnostic
from kfgit.document import Mapping as MappingNode, Scalar, at, nodes, plain
from kfgit.graph import CheckedPipeline, CheckedProject
from kfgit.model import Environment, Project
from kfgit.overlay import Located, View

Key: TypeAlias = tuple[str, str]
Plain: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """An environment with its errors in `faults`; `commit` is the one that an apply of it would know.

    It `is_lost` where its pin leads nowhere, or where not all of its files were read: then nobody knows what it
    consists of.
    """

    view: View
    checked: CheckedProject
    commit: str | None = None
    faults: tuple[Diagnostic, ...] = ()
    is_lost: bool = False
    _digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def environment(self) -> str:
        """Its name."""
        return self.view.environment

    @cached_property
    def documents(self) -> Mapping[Key, Located]:
        """What the environment consists of; its own Environment has no name here, since two may be compared."""
        found = {(each.kind, each.name): each for each in self.view.documents if each.kind != "Environment"}
        for each in self.view.documents:
            if each.kind == "Environment" and each.name == self.environment:
                found[ENVIRONMENT] = each
        return found

    def hides(self, key: Key, file: str) -> bool:
        """Whether nobody knows about a document: a file that may hold it cannot be read.

        Where it is not here, `file` is the one that the other side has it in.
        """
        kind, name = key
        own = self.environment if kind == "Environment" else name
        is_here = key in self.documents
        return ("*", own) in self.checked.project.faulty or (not is_here and file in self._faulty)

    @cached_property
    def _faulty(self) -> frozenset[str]:
        return frozenset(fault.span.file for fault in self.faults)

    def plain(self, found: Located) -> Plain | None:
        """A document as plain values, without the name of an Environment; None where parts of it cannot be read."""
        if self.faults and _has_failed(found.node):
            return None
        written = plain(found.node)
        if found.kind != "Environment" or not isinstance(written.get("metadata"), dict):
            return dict(written)
        metadata = {key: value for key, value in written["metadata"].items() if key != "name"}
        return {**written, "metadata": metadata}

    def says(self, key: Key, *path: str) -> bool:
        """Whether a document has something at a path."""
        found = self.documents.get(key)
        return found is not None and at(found.node, path) is not None

    @cached_property
    def breaches(self) -> tuple[Diagnostic, ...]:
        """What the policies of the environment refuse of it."""
        found = policies.check(self.checked, self.view.documents)
        return tuple(each for each in found if each.severity == "error")

    def pipeline(self, name: str) -> CheckedPipeline | None:
        """A pipeline without mistakes."""
        return self.checked.pipelines.get(name)

    def digest(self, name: str) -> str | None:
        """What a pipeline without mistakes compiles to; each is compiled once, and only when it is asked for."""
        found = self.pipeline(name)
        if found is None:
            return None
        if name not in self._digests:
            self._digests[name] = compiler.compile_pipeline(found).digest
        return self._digests[name]

    def emptied(self) -> Seen:
        """The same environment, when it had nothing yet or has nothing any more."""
        own = self.checked.project
        nothing = Project(own.name, Environment(self.environment, own.environment.span))
        view = replace(self.view, documents=(), additions=frozenset(), removed={})
        return Seen(view, CheckedProject(nothing, {}))


ENVIRONMENT: Key = ("Environment", "")


def hidden(before: Seen, after: Seen) -> frozenset[Key]:
    """The documents that one of two sides may have or not: nothing is said of them."""
    known = {**after.documents, **before.documents}
    return frozenset(
        key for key, one in known.items() if before.hides(key, one.file) or after.hides(key, one.file)
    )


def _has_failed(root: MappingNode) -> bool:
    return any(isinstance(node, Scalar) and node.is_failed for node in nodes(root))
