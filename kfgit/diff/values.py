"""What differs, as values. Everything in them is ordered, so that equal sources give equal text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kfgit.diagnostics import Diagnostic
from kfgit.graph import CheckedPipeline
from kfgit.plan import Difference, Remap
from kfgit.source import Span

Action = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class TaskChange:
    """A task of a pipeline; `path` is as runs tell it (`sweep/train`).

    `needs` and `needs_no_more` are paths of tasks that it now waits for, or does not any more; `fields` are its own.
    """

    path: str
    action: Action
    needs: tuple[str, ...] = ()
    needs_no_more: tuple[str, ...] = ()
    fields: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """A document that differs. `span` is where it stands in the newer side, or stood.

    `fields` are those outside of tasks; `because` says why a resource means something else though its document is the
    same (`component/train changed`). A pipeline's two sides are there for whoever draws them.
    """

    action: Action
    kind: str
    name: str
    span: Span
    fields: tuple[Difference, ...] = ()
    tasks: tuple[TaskChange, ...] = ()
    because: tuple[str, ...] = ()
    before: CheckedPipeline | None = None
    after: CheckedPipeline | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """What breaks those who call a pipeline: one sentence, where it stands, and the callers that are known here."""

    pipeline: str
    message: str
    span: Span
    callers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Firing:
    """A Run that an apply will start, or a Schedule that fires otherwise than before; `why` is one sentence."""

    kind: str
    name: str
    pipeline: str
    why: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared: as people name it, and its commit where it is one."""

    label: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class EnvironmentDiff:
    """What differs for one environment (or between two). `faults` are the errors of the newer side.

    With faults the rest says only what is sound. `notes` are about the environment as a whole, `profiles` those that
    tasks get something else by.
    """

    environment: str
    changes: tuple[ResourceChange, ...] = ()
    firings: tuple[Firing, ...] = ()
    breaks: tuple[Break, ...] = ()
    faults: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = field(default=())
    profiles: tuple[Remap, ...] = ()


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between `base` and `head`, for each environment in the project's order.

    `is_across`: they are two environments of one commit.
    """

    base: Side
    head: Side
    environments: tuple[EnvironmentDiff, ...]
    is_across: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, and nothing will run because of the newer side."""
        return not any(each.changes or each.faults or each.firings for each in self.environments)
