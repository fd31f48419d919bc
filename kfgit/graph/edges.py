"""Edges between tasks, and circles of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kfgit.diagnostics import Diagnostic, Related
from kfgit.graph.binding import bind
from kfgit.graph.scope import BoundOutput, Scope, below
from kfgit.graph.tasks import used_references
from kfgit.model import (
    Name,
    Task,
)
from kfgit.source import Span


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`, its sibling, because of the references in `labels`, or of `after` alone."""

    source: str
    target: str
    span: Span
    labels: tuple[str, ...] = ()


def edges_in(scope: Scope) -> tuple[Edge, ...]:
    """The edges between the tasks of one scope; what happens inside a group counts for the group."""
    edges: list[Edge] = []
    for task in scope.tasks.values():
        labels: dict[str, list[str]] = {}
        spans: dict[str, Span] = {}
        for reader, ref, span in used_references(scope, task):
            bound = bind(reader, ref)
            if (
                isinstance(bound, BoundOutput)
                and bound.holder.path == scope.path
                and bound.holder.branch == scope.branch
            ):
                labels.setdefault(bound.sibling, []).append(bound.output)
                spans.setdefault(bound.sibling, span)
        for name in _afters(scope, task):
            labels.setdefault(name.text, [])
            spans.setdefault(name.text, name.span)
        edges += [
            Edge(source, task.name, spans[source], tuple(dict.fromkeys(found)))
            for source, found in labels.items()
        ]
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


def cycles(edges: tuple[Edge, ...]) -> Iterator[Diagnostic]:
    """One diagnostic for each circle, shown closed; its edges are related places, and no edge is told twice."""
    upstream: dict[str, list[Edge]] = {}
    for edge in edges:
        if edge.source == edge.target:
            yield _cycle_diagnostic([edge])
        else:
            upstream.setdefault(edge.target, []).append(edge)
    done: set[str] = set()
    told: set[tuple[str, str]] = set()
    for start in upstream:
        for circle in _circles(start, upstream, done):
            edges_of_it = {(edge.source, edge.target) for edge in circle}
            if not told & edges_of_it:
                yield _cycle_diagnostic(circle)
            told |= edges_of_it


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
    first = min(range(len(circle)), key=lambda index: circle[index].span)
    forwards = [*circle[first::-1], *circle[:first:-1]]
    names = [forwards[0].source, *(edge.target for edge in forwards)]
    related = tuple(Related(f"`{edge.target}` waits for `{edge.source}`", edge.span) for edge in forwards)
    if len(forwards) == 1:
        message = f"the task `{names[0]}` waits for itself"
    else:
        message = f"tasks wait for each other: {' → '.join(names)}"
    where = related if len(forwards) > 1 else ()
    return Diagnostic("cycle", message, forwards[0].span, "remove one of these edges", related=where)
