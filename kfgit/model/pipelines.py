"""Tasks and what holds them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from kfgit.model.components import Component, Input
from kfgit.model.names import CLEAR, Name, Unclear
from kfgit.model.settings import Settings
from kfgit.model.types import ArtifactType, StatusType, Type
from kfgit.model.values import Condition, Value
from kfgit.source import Span

if TYPE_CHECKING:
    from kfgit.packages.compiled import Compiled

# Keys and numbers that lead to something in a document.
Place: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class UseComponent:
    """Run a component, by name or written in place (then `inline`).

    A `builtin` one is the language's own and runs no program of a user, so defaults and policies pass it by.
    """

    name: Name
    inline: Component | None = None
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class UsePipeline:
    """Run a pipeline as one task."""

    name: Name


@dataclass(frozen=True, slots=True)
class Import:
    """Bring an outside artifact in."""

    uri: Value
    type: ArtifactType | None
    reimport: bool
    metadata: Value | None
    span: Span


@dataclass(frozen=True, slots=True)
class Loop:
    """Run tasks once for each item."""

    items: Value
    parallelism: int | None
    tasks: Mapping[str, Task]


@dataclass(frozen=True, slots=True)
class BranchOutput:
    """What a branch gives out under a name."""

    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Branch:
    """One way through a switch; `when` is None for else."""

    when: Condition | None
    tasks: Mapping[str, Task]
    outputs: Mapping[str, BranchOutput]
    span: Span
    bad_condition: bool = False
    unclear: Unclear = CLEAR


@dataclass(frozen=True, slots=True)
class Switch:
    """The first branch whose condition holds runs."""

    branches: tuple[Branch, ...]


Action: TypeAlias = UseComponent | UsePipeline | Import | Loop | Switch


@dataclass(frozen=True, slots=True)
class Task:
    """A task. `action` is None where it is faulty, which was told; then nobody complains about its outputs."""

    name: str
    action: Action | None
    span: Span
    inputs: Mapping[str, Value] = field(default_factory=dict)
    input_spans: Mapping[str, Span] = field(default_factory=dict)
    when: Condition | None = None
    after: tuple[Name, ...] = ()
    settings: Settings = field(default_factory=Settings)
    display_name: str | None = None
    ignore_upstream_failure: bool = False
    unclear: Unclear = CLEAR


@dataclass(frozen=True, slots=True)
class PipelineOutput:
    """An output of a pipeline and where it comes from."""

    name: str
    type: Type | None
    source: Value | None
    span: Span
    description: str = ""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A volume that the tasks of a run share. `claim` has fields of its PersistentVolumeClaim's spec."""

    size: str
    span: Span
    claim: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """What holds for a whole run, and so for a root pipeline alone. All times are in seconds.

    `kept` says how long what a run left on the cluster stays: after any end (`finished`), after a `success`, after a
    `failure`. `spans` has the place of each key that was written, `pipelineRoot` among them.
    """

    workspace: Workspace | None = None
    kept: Mapping[str, int] = field(default_factory=dict)
    active_deadline: int | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline; `whole` is False where parts of it were faulty, which was told.

    Of a compiled `package` the inputs and outputs are known here, and the tasks stay what they are.
    """

    name: str
    span: Span
    inputs: Mapping[str, Input]
    outputs: Mapping[str, PipelineOutput]
    tasks: Mapping[str, Task]
    defaults: Settings = field(default_factory=Settings)
    on_exit: Task | None = None
    description: str = ""
    display_name: str | None = None
    external_name: str | None = None
    pipeline_root: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True
    unclear: Unclear = CLEAR
    labels_span: Span | None = None
    run_policy: RunPolicy = field(default_factory=RunPolicy)
    package: Compiled | None = None

    def all_tasks(self) -> Iterator[Task]:
        """Every task as it is written, also those in loops and branches, and the exit task."""
        return (task for _, task in self.by_path())

    def by_path(self) -> Iterator[tuple[str, Task]]:
        """The same, each with its name as runs tell it; nothing of nested pipelines."""
        return ((path, task) for path, _, task in self.placed())

    def placed(self) -> Iterator[tuple[str, Place, Task]]:
        """The same, each also with its place in the document."""
        yield from _below(self.tasks, "", ("spec", "tasks"))
        if self.on_exit is not None:
            yield from _below({"onExit": self.on_exit}, "", ("spec",))

    @property
    def for_exit(self) -> bool:
        """Whether it asks for the final status of others, so that it is an exit task and no run of its own.

        A package is run as it stands: KFP leaves such an input of it out.
        """
        return self.package is None and any(isinstance(p.type, StatusType) for p in self.inputs.values())


def _below(tasks: Mapping[str, Task], above: str, around: Place) -> Iterator[tuple[str, Place, Task]]:
    for name, task in tasks.items():
        path, place = f"{above}{name}", (*around, name)
        yield path, place, task
        match task.action:
            case Loop(tasks=inner):
                yield from _below(inner, f"{path}/", (*place, "tasks"))
            case Switch(branches=branches):
                for number, branch in enumerate(branches):
                    yield from _below(branch.tasks, f"{path}/", (*place, "switch", number, "tasks"))
            case _:
                pass
