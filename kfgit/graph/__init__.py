"""The checks of the DAG, and the only maker of `CheckedPipeline`.

Names are bound, types compared, edges drawn, circles found. `check` looks at everything and returns every mistake;
only what comes out of it without errors can be compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kfgit.diagnostics import Checked, Diagnostic, Related, did_you_mean, has_errors, nearest
from kfgit.graph.scope import (
    BoundOutput,
    Path,
    Scope,
    below,
    bind,
    exit_scope,
    pipeline_outputs,
    root_scope,
    type_of,
)
from kfgit.graph.tasks import TaskChecker, compatible, quantity, used_references, walk
from kfgit.model import (
    ArtifactType,
    Input,
    Name,
    Pipeline,
    Project,
    Run,
    Schedule,
    StatusType,
    Switch,
    Task,
    UseComponent,
    UsePipeline,
    Whole,
)
from kfgit.references import show
from kfgit.resolve import literal_fault, show_type
from kfgit.source import Span

__all__ = ["CheckedPipeline", "CheckedProject", "Edge", "check", "edges_of", "quantity"]


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`, its sibling, because of the references in `labels`, or of `after` alone."""

    source: str
    target: str
    span: Span
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedPipeline:
    """A pipeline without mistakes. `edges` holds each scope's edges by its path (and branch number)."""

    pipeline: Pipeline
    project: Project
    edges: Mapping[tuple[Path, int], tuple[Edge, ...]] = field(default_factory=dict)

    @property
    def root(self) -> Scope:
        """The scope of its tasks."""
        return root_scope(self.pipeline, self.project)


@dataclass(frozen=True, slots=True)
class CheckedProject:
    """All of an environment; `pipelines` holds those without mistakes."""

    project: Project
    pipelines: Mapping[str, CheckedPipeline]


def check(project: Project) -> Checked[CheckedProject]:
    """Checks every pipeline, schedule and run of an environment."""
    checked: dict[str, CheckedPipeline] = {}
    faults: list[Diagnostic] = []
    circular = _pipeline_cycles(project)
    faults += circular.values()
    for name, pipeline in project.pipelines.items():
        edges, found = _pipeline(pipeline, project)
        faults += found
        if not has_errors(found) and pipeline.whole and ("Pipeline", name) not in project.faulty and name not in circular:
            checked[name] = CheckedPipeline(pipeline, project, edges)
    faults += _objects(project)
    return Checked(CheckedProject(project, _with_good_parts(checked, project)), tuple(faults))


def _pipeline(pipeline: Pipeline, project: Project) -> tuple[dict[tuple[Path, int], tuple[Edge, ...]], list[Diagnostic]]:
    checker = TaskChecker(project)
    root = root_scope(pipeline, project)
    walk(root, checker.task)
    checker.settings(pipeline.defaults)
    _exit_task(checker, pipeline, project)
    _outputs(checker, root, pipeline)
    for port in pipeline.inputs.values():
        if isinstance(port.type, StatusType):
            checker.fault("status-outside-exit", "a pipeline cannot take a TaskFinalStatus", port.span, "the exit task reads `$(run.status)`")
    edges = edges_of(pipeline, project)
    for found in edges.values():
        checker.faults += _cycles(found)
    return edges, checker.faults


def edges_of(pipeline: Pipeline, project: Project) -> dict[tuple[Path, int], tuple[Edge, ...]]:
    """The edges of every scope of a pipeline, by the scope's path and branch number."""
    return {(scope.path, scope.branch): _edges(scope) for scope in _scopes(root_scope(pipeline, project))}


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for task in scope.tasks.values():
        for inner in below(scope, task):
            yield from _scopes(inner)


def _exit_task(checker: TaskChecker, pipeline: Pipeline, project: Project) -> None:
    scope, task = exit_scope(pipeline, project), pipeline.on_exit
    if scope is None or task is None:
        return
    if task.action is not None and not isinstance(task.action, UseComponent | UsePipeline):
        checker.fault("bad-exit-task", "the exit task is a component or a pipeline", task.span, "put more into a pipeline, and run that")
        return
    if task.when is not None:
        checker.fault("bad-exit-task", "the exit task always runs and has no `when`", task.when.span, "decide inside the component")
    checker.task(scope, task)


def _outputs(checker: TaskChecker, root: Scope, pipeline: Pipeline) -> None:
    for output in pipeline.outputs.values():
        source = output.source
        if source is None:
            continue
        if not isinstance(source, Whole):
            checker.fault("bad-output", f"the output `{output.name}` is exactly one `$(tasks.…)`", source.span)
            continue
        bound = checker.bound(root, source.ref, source.span)
        if bound is None:
            continue
        if not isinstance(bound, BoundOutput):
            checker.fault("bad-output", f"`{show(source.ref)}` is no task's output", source.span, "KFP gives out what a task made")
            continue
        have = type_of(bound)
        if have is not None and output.type is not None and not compatible(have, output.type):
            message = f"the output `{output.name}` is {show_type(output.type)}, but `{show(source.ref)}` is {show_type(have)}"
            checker.fault("type-mismatch", message, source.span, "make them agree")


def _edges(scope: Scope) -> tuple[Edge, ...]:
    edges: list[Edge] = []
    for task in scope.tasks.values():
        labels: dict[str, list[str]] = {}
        spans: dict[str, Span] = {}
        for reader, ref, span in used_references(scope, task):
            bound = bind(reader, ref)
            if isinstance(bound, BoundOutput) and bound.holder.path == scope.path and bound.holder.branch == scope.branch:
                labels.setdefault(bound.sibling, []).append(bound.output)
                spans.setdefault(bound.sibling, span)
        for name in _afters(scope, task):
            labels.setdefault(name.text, [])
            spans.setdefault(name.text, name.span)
        edges += [Edge(source, task.name, spans[source], tuple(dict.fromkeys(found))) for source, found in labels.items()]
    return tuple(edges)


def _afters(scope: Scope, task: Task) -> Iterator[Name]:
    """What the task, or anything inside it, stands after in this scope."""
    yield from (name for name in task.after if name.text in scope.tasks)
    pending = [(inner, child) for inner in below(scope, task) for child in inner.tasks.values()]
    while pending:
        inner, child = pending.pop()
        hidden = {n for outer in inner.outwards() if len(outer.path) > len(scope.path) for n in outer.tasks}
        yield from (name for name in child.after if name.text in scope.tasks and name.text not in hidden)
        pending += [(deeper, c) for deeper in below(inner, child) for c in deeper.tasks.values()]


def _cycles(edges: tuple[Edge, ...]) -> Iterator[Diagnostic]:
    """One diagnostic for each circle, shown closed; its edges are related places."""
    upstream: dict[str, list[Edge]] = {}
    for edge in edges:
        if edge.source == edge.target:
            yield _cycle_diagnostic([edge])
        else:
            upstream.setdefault(edge.target, []).append(edge)
    done: set[str] = set()
    told: set[str] = set()
    for start in upstream:
        for circle in _circles(start, upstream, done):
            if not told & {edge.target for edge in circle}:
                yield _cycle_diagnostic(circle)
            told |= {edge.target for edge in circle}


def _circles(start: str, upstream: Mapping[str, list[Edge]], done: set[str]) -> Iterator[list[Edge]]:
    """Depth first without recursion: a scope may hold thousands of tasks in a row."""
    trail: list[Edge] = []
    stack = [(start, iter(upstream.get(start, ())))]
    on_path = {start: 0}
    while stack:
        node, pending = stack[-1]
        edge = next(pending, None) if node not in done else None
        if edge is None:
            done.add(node)
            on_path.pop(node)
            stack.pop()
            if trail:
                trail.pop()
        elif edge.source in on_path:
            yield [*trail[on_path[edge.source] :], edge]
        elif edge.source not in done:
            trail.append(edge)
            on_path[edge.source] = len(stack)
            stack.append((edge.source, iter(upstream.get(edge.source, ()))))


def _cycle_diagnostic(circle: list[Edge]) -> Diagnostic:
    forwards = circle[::-1]
    names = [forwards[0].source, *(edge.target for edge in forwards)]
    related = tuple(Related(f"`{edge.target}` waits for `{edge.source}`", edge.span) for edge in forwards)
    if len(forwards) == 1:
        message = f"the task `{names[0]}` waits for itself"
    else:
        message = f"tasks wait for each other: {' → '.join(names)}"
    return Diagnostic("cycle", message, forwards[0].span, "remove one of these edges", related=related[1:])


def _pipeline_cycles(project: Project) -> dict[str, Diagnostic]:
    """Pipelines that contain themselves, by name."""
    uses = {name: list(_nested(pipeline)) for name, pipeline in project.pipelines.items()}
    found: dict[str, Diagnostic] = {}
    told: set[frozenset[str]] = set()
    for start in uses:
        trail = _way_back(start, uses)
        if trail is None:
            continue
        names = [start, *(name.text for name in trail)]
        message = f"pipelines contain each other: {' → '.join(names)}" if len(trail) > 1 else f"the pipeline `{start}` contains itself"
        related = tuple(Related(f"`{a}` runs `{b.text}`", b.span) for a, b in zip(names, trail, strict=False))
        key = frozenset(names)
        diagnostic = Diagnostic("pipeline-cycle", message, trail[0].span, "take one of them out", related=related[1:])
        if key not in told:
            found[start] = diagnostic
        told.add(key)
    return found


def _way_back(start: str, uses: Mapping[str, list[Name]]) -> list[Name] | None:
    pending: list[list[Name]] = [[name] for name in uses.get(start, ())]
    seen: set[str] = set()
    while pending:
        trail = pending.pop(0)
        here = trail[-1].text
        if here == start:
            return trail
        if here not in seen:
            seen.add(here)
            pending += [[*trail, name] for name in uses.get(here, ())]
    return None


def _nested(pipeline: Pipeline) -> Iterator[Name]:
    pending: list[Task] = [*pipeline.tasks.values(), *([pipeline.on_exit] if pipeline.on_exit else [])]
    while pending:
        task = pending.pop()
        match task.action:
            case UsePipeline(name=name):
                yield name
            case Switch(branches=branches):
                pending += [t for b in branches for t in b.tasks.values()]
            case _ if task.action is not None and hasattr(task.action, "tasks"):
                pending += task.action.tasks.values()
            case _:
                pass


def _with_good_parts(checked: dict[str, CheckedPipeline], project: Project) -> dict[str, CheckedPipeline]:
    """Leaves out what uses something faulty: it cannot be compiled, and that was told where the fault is."""
    good = dict(checked)
    while True:
        bad = [name for name, found in good.items() if not _parts_are_good(found.pipeline, project, good)]
        if not bad:
            return good
        for name in bad:
            del good[name]


def _parts_are_good(pipeline: Pipeline, project: Project, good: Mapping[str, CheckedPipeline]) -> bool:
    if any(name.text not in good for name in _nested(pipeline)):
        return False
    used: list[str] = []

    def visit(_scope: Scope, task: Task) -> None:
        if isinstance(task.action, UseComponent) and task.action.inline is None:
            used.append(task.action.name.text)

    for scope in (root_scope(pipeline, project), exit_scope(pipeline, project)):
        if scope is not None:
            walk(scope, visit)
    return all(
        name in project.components and project.components[name].whole and ("Component", name) not in project.faulty for name in used
    )


def _objects(project: Project) -> list[Diagnostic]:
    checker = TaskChecker(project)
    callers: list[Schedule | Run] = [*project.schedules.values(), *project.runs.values()]
    for caller in callers:
        if checker.known("Pipeline", caller.pipeline, project.pipelines):
            _caller(checker, project.pipelines[caller.pipeline.text], caller)
    for profile in project.profiles.values():
        checker.resources(profile.resources, profile.span)
    return checker.faults


def _caller(checker: TaskChecker, pipeline: Pipeline, caller: Schedule | Run) -> None:
    """The inputs that a schedule or a run gives to a pipeline."""
    missing = [name for name, port in pipeline.inputs.items() if port.required and name not in caller.input_spans]
    meant = set()
    for name, value in caller.inputs.items():
        port = pipeline.inputs.get(name)
        span = caller.input_spans[name]
        if port is None and not pipeline.unclear:
            meant.add(nearest(name, missing))
            help_ = did_you_mean(name, pipeline.inputs, what="its inputs")
            message = f"the pipeline `{pipeline.name}` has no input `{name}`"
            checker.fault("unknown-input", message, caller.input_keys.get(name, span), help_)
        elif port is not None:
            _given(checker, port, value, span)
    if pipeline.unclear or caller.unclear:
        return
    holder = caller.inputs_span or caller.pipeline.span
    for name in missing:
        port = pipeline.inputs[name]
        if isinstance(port.type, ArtifactType):
            _artifact_input(checker, port, caller.pipeline.span)
        elif name not in meant:
            help_ = f"give it under `inputs`: `{name}: …` ({show_type(port.type)})"
            message = f"the pipeline `{pipeline.name}` needs the input `{name}`"
            checker.fault("missing-input", message, holder, help_)


def _given(checker: TaskChecker, port: Input, value: object, span: Span) -> None:
    if value is None:
        checker.fault("null-input", f"`{port.name}` cannot be null", span, "leave the input out")
    elif isinstance(port.type, ArtifactType):
        _artifact_input(checker, port, span)
    else:
        found = literal_fault(value, port)
        if found is not None:
            checker.fault(found[0], found[1], span, found[2])


def _artifact_input(checker: TaskChecker, port: Input, span: Span) -> None:
    help_ = "let the pipeline bring it in with an `import` task, and give the URI as a string"
    checker.fault("artifact-at-root", f"nothing can be given to the artifact input `{port.name}`", span, help_)


def output_types(pipeline: Pipeline, project: Project) -> Mapping[str, object]:
    """The types of a pipeline's outputs, derived where they are not declared."""
    return pipeline_outputs(pipeline, project) or {}
