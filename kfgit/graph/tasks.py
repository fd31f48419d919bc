"""Checks of one task: what it names exists, what it is given fits, and how it runs makes sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kfgit.diagnostics import MAX_PER_FILE, did_you_mean, nearest
from kfgit.graph.binding import component_of, references_of
from kfgit.graph.fitting import compatible
from kfgit.graph.groups import GroupChecker
from kfgit.graph.importing import can_import
from kfgit.graph.kubernetes import KubernetesChecker, looked_up
from kfgit.graph.placeholders import check_handed_on, check_metadata
from kfgit.graph.quantities import quantity
from kfgit.graph.rooted import check_nested, check_use
from kfgit.graph.scope import Scope, below
from kfgit.graph.settings import SettingsChecker
from kfgit.model import (
    Component,
    Import,
    Literal_,
    Loop,
    Name,
    Pipeline,
    Settings,
    StatusType,
    Switch,
    Task,
    UseComponent,
    UsePipeline,
    Value,
    Whole,
)
from kfgit.references import InputRef, Ref, RunRef
from kfgit.resolve import show_type
from kfgit.source import Span

__all__ = ["TaskChecker", "compatible", "quantity", "used_references", "walk"]


class TaskChecker(GroupChecker, SettingsChecker, KubernetesChecker):
    """Checks the tasks of one pipeline, collecting what is wrong."""

    def task(self, scope: Scope, task: Task) -> None:
        """Everything about one task, but not the tasks in it."""
        if len(self.faults) > MAX_PER_FILE:
            return  # nobody reads further, and each may be costly to tell
        if task.when is not None:
            self.condition(scope, task.when)
        self._settings(scope, task)
        match task.action:
            case UseComponent() as use:
                self._component(scope, task, use)
            case UsePipeline(name=name):
                self._pipeline(scope, task, name)
            case Import() as action:
                self._import(scope, task, action)
            case Loop() as loop:
                self.loop(scope, task, loop)
            case Switch() as switch:
                self.switch(scope, task, switch)
            case None:
                pass

    def _component(self, scope: Scope, task: Task, use: UseComponent) -> None:
        if use.inline is None and not self.known("Component", use.name, self.project.components):
            self._references_only(scope, task)
            return
        component = component_of(scope, task)
        if component is None:
            self._references_only(scope, task)
            return
        who = f"the component `{component.name}`" if use.inline is None else "the component"
        self._inputs(scope, task, component, who)
        self.faults += check_use(scope, use, component)

    def _pipeline(self, scope: Scope, task: Task, name: Name) -> None:
        if not self.known("Pipeline", name, self.project.pipelines):
            self._references_only(scope, task)
            return
        inner = self.project.pipelines[name.text]
        self._inputs(scope, task, inner, f"the pipeline `{name.text}`")
        self.faults += check_nested(inner, name)
        if self.project.environment.target == "cluster":
            self.faults += check_handed_on(task, name)

    def _references_only(self, scope: Scope, task: Task) -> None:
        """What the task is given must exist even where nobody knows what it takes."""
        for value in task.inputs.values():
            for ref, place in references_of(value):
                self.bound(scope, ref, place)

    def _inputs(self, scope: Scope, task: Task, called: Component | Pipeline, who: str) -> None:
        ports = called.inputs
        missing = [name for name, port in ports.items() if port.required and name not in task.input_spans]
        meant = set()
        for name, value in task.inputs.items():
            port = ports.get(name)
            if port is None:
                if not called.unclear.covers(name, "inputs"):
                    meant.add(nearest(name, missing))
                    span = task.input_spans.get(name, value.span)
                    self.fault(
                        "unknown-input",
                        f"{who} has no input `{name}`",
                        span,
                        did_you_mean(name, ports, what="its inputs"),
                    )
                for ref, place in references_of(value):
                    self.bound(scope, ref, place)
                continue
            if isinstance(port.type, StatusType) and scope.kind != "exit":
                for ref, place in references_of(value):
                    self.bound(scope, ref, place)
            else:
                self.given(scope, value, port, task)
        for name, port in ports.items():
            unclear = "inputs" in called.unclear.maps or task.unclear.covers(name, "inputs")
            if name in missing and name not in meant and not unclear:
                span = task.settings.spans.get("inputs", task.span)
                self.fault(
                    "missing-input",
                    f"{who} needs the input `{name}`",
                    span,
                    f"give it: `{name}: …` ({show_type(port.type)})",
                )
            if isinstance(port.type, StatusType) and not _reads_status(task.inputs.get(name)):
                self._status(scope, task, name)

    def _status(self, scope: Scope, task: Task, name: str) -> None:
        if scope.kind != "exit":
            span = task.input_spans.get(name, task.span)
            message = f"`{name}` asks for the final status, which only an exit task may"
            what = "pipeline" if isinstance(task.action, UsePipeline) else "component"
            self.fault("status-outside-exit", message, span, f"use the {what} in `onExit`")

    def _import(self, scope: Scope, task: Task, action: Import) -> None:
        self.text_value(scope, action.uri, "the uri of an import")
        if self.project.environment.target == "cluster" and not can_import(scope, task, action.uri):
            message = "KFP reads the uri of an import from a constant or an input only"
            help_ = "give the pipeline an input that holds the whole uri: `uri: $(inputs.NAME)`"
            self.fault("not-supported", message, action.uri.span, help_)
        if action.metadata is not None:
            for ref, place in references_of(action.metadata):
                self.embedded(scope, ref, place)
            if self.project.environment.target == "cluster":
                self.faults += check_metadata(action)

    def _settings(self, scope: Scope, task: Task) -> None:
        settings = task.settings
        for key in ("retry", "cache"):
            if key in settings.spans and isinstance(task.action, Loop | Switch):
                message = f"`{key}` is not for a group of tasks"
                self.fault("setting-not-possible", message, settings.spans[key], "set it on the tasks inside")
        if settings.cache_key is not None and isinstance(task.action, UsePipeline):
            message = "a nested pipeline has no cache key of its own"
            self.fault("setting-not-possible", message, settings.spans["cache"], "set it on the tasks inside")
        if task.ignore_upstream_failure and isinstance(task.action, Loop | Switch | Import):
            message = "`ignoreUpstreamFailure` is for tasks that run a component or a pipeline"
            span = settings.spans["ignoreUpstreamFailure"]
            self.fault("setting-not-possible", message, span, "put what shall run anyway into a pipeline")
        self.settings(settings)
        self.kubernetes(scope, task)
        if isinstance(task.action, UseComponent) and task.action.builtin:
            self._claim(task)
        elif isinstance(task.action, UseComponent) and scope.kind != "exit":
            self.with_defaults(settings, scope.pipeline.defaults)
            self.pod(settings, scope.pipeline.defaults)
        elif isinstance(task.action, UseComponent):
            self.pod(settings, Settings())
        for name in task.after:
            self._after(scope, name)

    def _claim(self, task: Task) -> None:
        """A claim that is taken from the cache is neither made nor deleted (backend/src/v2/driver/k8s.go)."""
        name = task.inputs.get("pvc_name")
        by_name = isinstance(name, Literal_) or (isinstance(name, Whole) and isinstance(name.ref, InputRef))
        if name is not None and by_name and task.settings.cache is not False:
            message = "a second run takes this from the cache, and nothing happens to the claim"
            self.warn("claim-from-cache", message, name.span, "set `cache: false` on the task")

    def _after(self, scope: Scope, name: Name) -> None:
        for outer in scope.outwards():
            if name.text in outer.tasks:
                return
        if any(outer.unclear.covers(name.text, "tasks") for outer in scope.outwards()):
            return
        for outer in scope.outwards():
            group = self.held_in(outer).get(name.text)
            if group is not None:
                message = f"the task `{name.text}` stands in `{group}`"
                self.fault("after-into-group", message, name.span, f"write `after: [{group}]`")
                return
        known = (known for outer in scope.outwards() for known in outer.tasks)
        help_ = did_you_mean(name.text, known, what="tasks")
        self.fault("unknown-task", f"there is no task `{name.text}`", name.span, help_)


def _reads_status(value: Value | None) -> bool:
    """Whether the final status is asked for at the reference too, which is told there."""
    return isinstance(value, Whole) and value.ref == RunRef("status")


def used_references(scope: Scope, task: Task) -> Iterator[tuple[Scope, Ref, Span]]:
    """Every reference that a task and what stands in it makes, with the scope it is read in."""
    for value in (*task.inputs.values(), *_read_by(task), *looked_up(task.settings.kubernetes)):
        yield from ((scope, ref, place) for ref, place in references_of(value))
    branches = task.action.branches if isinstance(task.action, Switch) else ()
    for condition in (task.when, *(branch.when for branch in branches)):
        if condition is not None:
            yield from ((scope, ref, condition.span) for ref in condition.references.values())
    for inner in below(scope, task):
        for child in inner.tasks.values():
            yield from used_references(inner, child)


def _read_by(task: Task) -> tuple[Value, ...]:
    """What the action itself reads."""
    match task.action:
        case Import(uri=uri, metadata=metadata):
            return (uri, metadata) if metadata is not None else (uri,)
        case Loop(items=items):
            return (items,)
        case _:
            return ()


Visit = Callable[[Scope, Task], None]


def walk(scope: Scope, visit: Visit) -> None:
    """Visits every task of a scope and of those inside it."""
    for task in scope.tasks.values():
        visit(scope, task)
        for inner in below(scope, task):
            walk(inner, visit)
