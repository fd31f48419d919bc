"""Tasks that run although what they wait for failed.

KFP makes such a task the exit hook of its upstream in Argo (kubeflow/pipelines, backend/src/v2/compiler/argocompiler/
dag.go, DAG): a task has one hook, the hook is no part of the DAG, so nobody can wait for it, and it begins when any one
of its upstreams ends. Loops and imports get no hook. Local targets know none of these limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kfgit.diagnostics import Diagnostic
from kfgit.graph.binding import bind
from kfgit.graph.edges import Edge
from kfgit.graph.scope import Problem, Scope, Unknown
from kfgit.graph.tasks import used_references
from kfgit.model import Import, Loop, Task, UseComponent, UsePipeline
from kfgit.source import Span


def check_hooks(scope: Scope, edges: tuple[Edge, ...]) -> Iterator[Diagnostic]:
    """What is wrong with `ignoreUpstreamFailure` in one scope."""
    ignoring = {
        name: task
        for name, task in scope.tasks.items()
        if task.ignore_upstream_failure and isinstance(task.action, UseComponent | UsePipeline)
    }
    upstream: dict[str, list[str]] = {name: [] for name in ignoring}
    for edge in edges:
        if edge.target in ignoring and edge.source != edge.target:
            upstream[edge.target].append(edge.source)
    for name, task in ignoring.items():
        said = "ignoreUpstreamFailure" in task.settings.spans  # and not by a default
        if said and scope.kind != "exit" and not upstream[name] and not _waits_for_faults(scope, task):
            message = f"`{name}` waits for no task beside it, so there is no failure to ignore"
            help_ = "drop `ignoreUpstreamFailure`, or say with `after` what it follows"
            yield Diagnostic("no-upstream", message, _place(task), help_, "warning")
    if scope.project.environment.target == "cluster":
        hooks = {name: task for name, task in ignoring.items() if upstream[name]}
        yield from _waiters(hooks, edges)
        yield from _hooks(scope, hooks, upstream)


def _waits_for_faults(scope: Scope, task: Task) -> bool:
    """Whether something that it waits for may be missing because of a fault that was told."""
    bound = (bind(reader, ref) for reader, ref, _ in used_references(scope, task))
    known = {name for outer in scope.outwards() for name in outer.tasks}
    return (
        bool(task.unclear)
        or any(isinstance(found, Problem | Unknown) for found in bound)
        or any(name.text not in known for name in task.after)
    )


def _waiters(hooks: Mapping[str, Task], edges: tuple[Edge, ...]) -> Iterator[Diagnostic]:
    for edge in edges:
        if edge.source in hooks and edge.source != edge.target:
            message = f"`{edge.target}` waits for `{edge.source}`, which KFP runs as a hook beside the others"
            help_ = (
                f"drop `ignoreUpstreamFailure` of `{edge.source}`, or put both into a pipeline that has it"
            )
            yield Diagnostic("not-supported", message, edge.span, help_)


def _hooks(
    scope: Scope, hooks: Mapping[str, Task], upstream: Mapping[str, list[str]]
) -> Iterator[Diagnostic]:
    taken: dict[str, str] = {}
    for name, task in hooks.items():
        sources = [source for source in upstream[name] if source not in hooks]
        for source in sources:
            if isinstance(scope.tasks[source].action, Loop | Import):
                what = "a loop" if isinstance(scope.tasks[source].action, Loop) else "an import"
                message = f"`{source}` is {what}, whose failure KFP cannot ignore"
                yield Diagnostic("not-supported", message, _place(task), f"put `{source}` into a pipeline")
            elif source in taken:
                message = (
                    f"`{taken[source]}` ignores the failure of `{source}` already, and KFP runs one such task"
                )
                help_ = "put both into a pipeline, and run that"
                yield Diagnostic("not-supported", message, _place(task), help_)
            taken.setdefault(source, name)
        if len(sources) > 1:
            shown = " and ".join(f"`{source}`" for source in sources)
            message = f"KFP would run `{name}` after each of {shown}, and not after all"
            help_ = "wait for one task, or for a pipeline that holds them"
            yield Diagnostic("not-supported", message, _place(task), help_)


def _place(task: Task) -> Span:
    return task.settings.spans.get("ignoreUpstreamFailure", task.span)
