"""Loops and switches."""

from __future__ import annotations

from collections.abc import Mapping

from kfgit.graph.binding import bind, item_type, references_of
from kfgit.graph.fitting import compatible, is_list
from kfgit.graph.scope import BoundOutput, Scope, below, type_of
from kfgit.graph.values import ValueChecker
from kfgit.model import (
    ArtifactType,
    Composite,
    Literal_,
    Loop,
    Project,
    Switch,
    Task,
    Type,
    Value,
    Whole,
)
from kfgit.references import show
from kfgit.resolve import show_type
from kfgit.source import Span


class GroupChecker(ValueChecker):
    """Checks of groups themselves, but not of the tasks in them."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._held: dict[Scope, Mapping[str, str]] = {}

    def held_in(self, scope: Scope) -> Mapping[str, str]:
        """The groups of a scope by the names of the tasks that stand in them; the first one where there are more."""
        if scope not in self._held:
            held: dict[str, str] = {}
            for group in scope.tasks.values():
                for inner in below(scope, group):
                    for name in inner.tasks:
                        held.setdefault(name, group.name)
            self._held[scope] = held
        return self._held[scope]

    def loop(self, scope: Scope, task: Task, loop: Loop) -> None:
        """What is looped over."""
        match loop.items:
            case Literal_(value=value, span=span, items=items):
                self._literal_items(value, span, items)
            case Whole(ref=ref, span=span):
                bound = self.bound(scope, ref, span)
                have = type_of(bound) if bound is not None else None
                if have is not None and not is_list(have):
                    message = f"`forEach` needs a list, but `{show(ref)}` is {show_type(have)}"
                    self.fault("type-mismatch", message, span, "loop over an input or output of type list")
            case Composite() as composed:
                self._composed_items(scope, composed)
        (body,) = below(scope, task)
        if isinstance(item_type(body), ArtifactType) and self.project.environment.target == "cluster":
            message = "KFP's backend cannot loop over a list of artifacts"
            help_ = "loop over parameters, or run it on a local target"
            self.fault("loop-over-artifacts", message, loop.items.span, help_)

    def _literal_items(self, value: object, span: Span, items: tuple[Span, ...]) -> None:
        if not isinstance(value, list):
            self.fault("type-mismatch", "`forEach` needs a list", span, "write a list, or a reference to one")
        elif not value:
            help_ = "give it items, or remove the loop"
            self.warn("empty-loop", "the loop has no items and runs nothing", span, help_)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if item is None:
                place = items[index] if index < len(items) else span
                self.fault("null-input", "an item cannot be null", place, "leave it out")

    def _composed_items(self, scope: Scope, items: Composite) -> None:
        for ref, place in references_of(items):
            self.embedded(scope, ref, place)
        if items.references and isinstance(items.value, list):
            message = "KFP loops over a list as it is written or as it was made, and puts no values into one"
            help_ = "make the list in a task, and loop over its output"
            self.fault("not-supported", message, items.span, help_)
        elif items.references:
            help_ = "a loop over a reference is exactly one `$( … )`"
            self.fault("type-mismatch", "`forEach` needs a list", items.span, help_)

    def switch(self, scope: Scope, task: Task, switch: Switch) -> None:
        """Branches, their conditions and what they give out."""
        scopes = below(scope, task)
        seen: dict[str, Span] = {}
        for inner, branch in zip(scopes, switch.branches, strict=True):
            if branch.when is not None:
                self.condition(scope, branch.when)
            for name, found in branch.tasks.items():
                if name in seen:
                    self.fault(
                        "duplicate-task",
                        f"two branches of `{task.name}` have a task `{name}`",
                        found.span,
                        "rename one of them",
                    )
                seen.setdefault(name, found.span)
            for output in branch.outputs.values():
                self._branch_output(inner, output.value)
        self._switch_outputs(scope, task, switch)

    def _branch_output(self, scope: Scope, value: Value) -> None:
        if not isinstance(value, Whole):
            help_ = "let a task of the branch make the value"
            self.fault("bad-output", "an output of a branch is exactly one `$(tasks.…)`", value.span, help_)
            return
        bound = self.bound(scope, value.ref, value.span)
        if bound is not None and (not isinstance(bound, BoundOutput) or bound.holder is not scope):
            self.fault(
                "bad-output",
                f"`{show(value.ref)}` is no output of this branch's tasks",
                value.span,
                "KFP gives out what a task of the branch made",
            )

    def _switch_outputs(self, scope: Scope, task: Task, switch: Switch) -> None:
        branches = switch.branches
        every = {name: output for branch in reversed(branches) for name, output in branch.outputs.items()}
        if not every or any(b.bad_condition for b in branches):
            return
        if branches[-1].when is not None:
            help_ = "add a last branch without `when`, which gives out the same names"
            message = f"the switch `{task.name}` gives nothing out, since it has no else"
            self.warn("outputs-without-else", message, next(iter(every.values())).span, help_)
            return
        for name, output in every.items():
            if any(branch.unclear.covers(name, "outputs") for branch in branches):
                continue
            if all(name in branch.outputs for branch in branches):
                self._same_types(scope, task, switch, name)
            else:
                message = f"the other branches of `{task.name}` do not all give out `{name}`, so the switch does not"
                self.warn("unequal-outputs", message, output.span, "give the same names out of every branch")

    def _same_types(self, scope: Scope, task: Task, switch: Switch, name: str) -> None:
        wanted: Type | None = None
        for inner, branch in zip(below(scope, task), switch.branches, strict=True):
            value = branch.outputs[name].value
            bound = bind(inner, value.ref) if isinstance(value, Whole) else None
            have = type_of(bound) if isinstance(bound, BoundOutput) and bound.holder is inner else None
            wanted = wanted or have
            if have is not None and wanted is not None and not compatible(have, wanted):
                message = f"`{name}` is {show_type(have)} here and {show_type(wanted)} in the first branch"
                self.fault("unequal-outputs", message, value.span, "give out the same type")
