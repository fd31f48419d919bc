"""What every check of a pipeline needs: a place for faults, and names looked up once."""

from __future__ import annotations

from collections.abc import Mapping

from kfgit.diagnostics import Diagnostic, did_you_mean
from kfgit.graph.binding import bind
from kfgit.graph.scope import Bound, Problem, Scope, Unknown
from kfgit.model import (
    Name,
    Project,
)
from kfgit.references import Ref
from kfgit.source import Span


class Checker:
    """Collects what is wrong with the tasks of one pipeline."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.faults: list[Diagnostic] = []

    def fault(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        """Tells an error."""
        self.faults.append(Diagnostic(code, message, span, help_))

    def warn(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        """Tells a warning."""
        self.faults.append(Diagnostic(code, message, span, help_, severity="warning"))

    def known(self, kind: str, name: Name, names: Mapping[str, object]) -> bool:
        """Whether a named document is there, or was told to be broken."""
        if name.text in names:
            return True
        if (kind, name.text) not in self.project.faulty and ("*", name.text) not in self.project.faulty:
            what = kind.lower()
            help_ = did_you_mean(name.text, names, what=f"{what}s")
            if kind == "Component" and name.text in self.project.pipelines:
                help_ = f"`{name.text}` is a pipeline: write `pipeline: {name.text}`"
            elif kind == "Pipeline" and name.text in self.project.components:
                help_ = f"`{name.text}` is a component, and runs as a task of a pipeline: `component: {name.text}`"
            self.fault(f"unknown-{what}", f"there is no {what} `{name.text}`", name.span, help_)
        return False

    def bound(self, scope: Scope, ref: Ref, span: Span) -> Bound | None:
        """What a reference means; a problem is told at `span`."""
        found = bind(scope, ref)
        match found:
            case Problem(code, message, help_):
                self.fault(code, message, span, help_)
                return None
            case Unknown():
                return None
            case _:
                return found
