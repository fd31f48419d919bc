"""What a package names: components, executors, tasks, inputs and outputs that must be there.

Read is what the root reaches, as KFP's compiler does (backend/src/v2/compiler/visitor.go); what a task is given beyond
its component's inputs is not asked for, since the SDK passes values inside texts that way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping as MappingOf
from dataclasses import dataclass, field
from typing import NamedTuple

from kfgit.diagnostics import Related, did_you_mean
from kfgit.document import Entry, Mapping, Node, Scalar, at
from kfgit.packages.compiled.reading import entries, is_well_formed, items, maps, place, scalar, text
from kfgit.packages.compiled.values import fits
from kfgit.packages.faults import Faults
from kfgit.source import Span

ROOT = "root"
# What kfgit and its engine carry out; see graph/nesting.py and backends/local/engine/loading.py.
MOST_TASKS = 5_000
MOST_LEVELS = 50
# Inputs of these types are filled in by KFP's backend.
_BACKEND_GIVEN = {"TASK_FINAL_STATUS", "TASK_CONFIG"}


class Size(NamedTuple):
    """How many tasks a component comes to with all that is in it, and how deep it is nested."""

    tasks: int
    levels: int


@dataclass(slots=True, eq=False)
class Links:
    """Walks through a package from its root. `reached` are the components on the way, by name."""

    faults: Faults
    spec: Mapping
    reached: dict[str, Mapping] = field(default_factory=dict)
    _sizes: dict[str, Size] = field(default_factory=dict)

    def check(self) -> Size:
        """Tells every name that leads nowhere, and circles; gives the size of the whole."""
        root = self.spec.get(ROOT)
        if not isinstance(root, Mapping):
            return Size(0, 0)
        size = self._component(ROOT, root, ())
        if size.tasks > MOST_TASKS or size.levels > MOST_LEVELS:
            most = f"{MOST_TASKS:,} tasks" if size.tasks > MOST_TASKS else f"{MOST_LEVELS} levels"
            help_ = "a component counts with all its tasks, each time it is used"
            self.faults.error("pipeline-too-large", f"the package has more than {most}", root.span, help_)
        return size

    def _component(self, name: str, node: Mapping, above: tuple[str, ...]) -> Size:
        if name in self._sizes:
            return self._sizes[name]
        self._sizes[name] = Size(1, 1)
        self.reached[name] = node
        dag = node.entries.get("dag")
        if dag is not None and isinstance(dag.node, Mapping):
            self._sizes[name] = self._dag(name, node, dag.node, (*above, name))
        return self._sizes[name]

    def _dag(self, name: str, component: Mapping, dag: Mapping, above: tuple[str, ...]) -> Size:
        if not entries(dag, "tasks") and is_well_formed(dag, "tasks"):
            self.faults.error("empty", f"the `dag` of `{name}` has no tasks", place(dag, "tasks"))
        tasks = 0
        levels = 0
        callees: dict[str, Mapping | None] = {}
        for key, span, task in maps(dag, "tasks"):
            if "/" in key or not key:
                self.faults.error(
                    "bad-name", f"a task cannot be called `{key}`", span, "use letters, digits and `-`"
                )
            found = self._callee(task, above)
            callees[key] = found[1] if found is not None else None
            size = (
                self._component(*found, above)
                if found is not None and len(above) <= MOST_LEVELS
                else Size(1, 1)
            )
            tasks, levels = min(tasks + size.tasks, 10**9), max(levels, size.levels)
        scope = _Dag(self.faults, name, component, dag, callees)
        scope.check()
        return Size(max(tasks, 1), levels + 1)

    def _callee(self, task: Mapping, above: tuple[str, ...]) -> tuple[str, Mapping] | None:
        """The component of a task; None where there is none, which is told."""
        name = scalar(task, "componentRef", "name")
        if name is None:
            return None
        known = entries(self.spec, "components")
        found = known.get(str(name.value))
        if str(name.value) in above:
            circle = " → ".join((*above[above.index(str(name.value)) :], str(name.value)))
            self.faults.error("pipeline-cycle", f"`{name.value}` contains itself: {circle}", name.span)
            return None
        if found is not None:
            return (str(name.value), found.node) if isinstance(found.node, Mapping) else None
        if is_well_formed(self.spec, "components"):
            help_ = did_you_mean(str(name.value), known, what="components")
            self.faults.error("unknown-component", f"there is no component `{name.value}`", name.span, help_)
        return None


@dataclass(frozen=True, slots=True)
class _Dag:
    """The tasks of one DAG and the component that each of them runs."""

    faults: Faults
    name: str
    component: Mapping
    dag: Mapping
    callees: MappingOf[str, Mapping | None]

    def check(self) -> None:
        edges: dict[str, dict[str, Span]] = {}
        for key, _, task in maps(self.dag, "tasks"):
            edges[key] = dict(self._upstream(task))
            self._inputs(key, task)
            self._iterator(key, task)
        # Of a task that is no map only its name is known, and it waits for nobody.
        known = {name: {u: span for u, span in waits.items() if u in edges} for name, waits in edges.items()}
        self._cycle(known)
        self._outputs()

    # Tasks.

    def _upstream(self, task: Mapping) -> Iterator[tuple[str, Span]]:
        """The tasks that a task waits for, as KFP's compiler sees it, and where that is said."""
        for item in items(task, "dependentTasks"):
            if isinstance(item, Scalar) and isinstance(item.value, str) and self._task(item):
                yield item.value, item.span
        for kind, source in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
            for _, _, given in maps(task, "inputs", kind):
                producer = scalar(given, source, "producerTask") or scalar(
                    given, "taskFinalStatus", "producerTask"
                )
                if producer is not None and self._task(producer):
                    yield str(producer.value), producer.span

    def _task(self, name: Scalar) -> bool:
        known = entries(self.dag, "tasks")
        if str(name.value) in known:
            return True
        help_ = did_you_mean(str(name.value), known, what="tasks")
        self.faults.error("unknown-task", f"`{self.name}` has no task `{name.value}`", name.span, help_)
        return False

    def _inputs(self, key: str, task: Mapping) -> None:
        given = {kind: entries(task, "inputs", kind) for kind in ("parameters", "artifacts")}
        for _, _, source in maps(task, "inputs", "parameters"):
            self._source(source, "parameters", "taskOutputParameter", "componentInputParameter")
        for _, _, source in maps(task, "inputs", "artifacts"):
            self._source(source, "artifacts", "taskOutputArtifact", "componentInputArtifact")
        callee = self.callees.get(key)
        if callee is None or _has_strays(task):
            return
        item = text(task, "parameterIterator", "itemInput") or text(task, "artifactIterator", "itemInput")
        for kind, known in given.items():
            for name, _, port in maps(callee, "inputDefinitions", kind):
                if name in known:
                    self._constant(name, port, known[name])
                elif name != item and not _is_optional(port):
                    help_ = f"give it under `inputs.{kind}`, or make it `isOptional`"
                    message = f"the task `{key}` is not given `{name}`"
                    self.faults.error("missing-input", message, place(task, "inputs"), help_)

    def _constant(self, name: str, port: Mapping, given: Entry) -> None:
        """A constant is of its input's type, but for placeholders, which are filled in later."""
        found = at(given.node, ("runtimeValue", "constant"))
        if found is None:
            return
        type_ = text(port, "parameterType")
        if not fits(found, type_):
            message = f"`{name}` takes {type_}, and this is none"
            self.faults.error("type-mismatch", message, found.span, "give a value of that type")

    def _source(self, source: Mapping, kind: str, output: str, own: str) -> None:
        name = scalar(source, own)
        known = entries(self.component, "inputDefinitions", kind)
        if (
            name is not None
            and str(name.value) not in known
            and is_well_formed(self.component, "inputDefinitions", kind)
        ):
            help_ = did_you_mean(str(name.value), known, what=f"its {kind}")
            what = "parameter" if kind == "parameters" else "artifact"
            self.faults.error(
                "unknown-input", f"`{self.name}` has no {what} `{name.value}`", name.span, help_
            )
        key = "outputParameterKey" if kind == "parameters" else "outputArtifactKey"
        self._output(scalar(source, output, "producerTask"), scalar(source, output, key), kind)

    def _output(self, producer: Scalar | None, output: Scalar | None, kind: str) -> None:
        callee = self.callees.get(str(producer.value)) if producer is not None else None
        if producer is None or output is None or callee is None:
            return
        known = entries(callee, "outputDefinitions", kind)
        if str(output.value) not in known and is_well_formed(callee, "outputDefinitions", kind):
            message = f"the task `{producer.value}` has no output `{output.value}` among its {kind}"
            help_ = did_you_mean(str(output.value), known, what=f"its {kind}")
            self.faults.error("unknown-output", message, output.span, help_)

    def _iterator(self, key: str, task: Mapping) -> None:
        for iterator, kind, source in (
            ("parameterIterator", "parameters", "inputParameter"),
            ("artifactIterator", "artifacts", "inputArtifact"),
        ):
            callee = self.callees.get(key)
            item, name = scalar(task, iterator, "itemInput"), scalar(task, iterator, "items", source)
            known = {*entries(task, "inputs", kind), *entries(callee or task, "inputDefinitions", kind)}
            for found in (name, item) if callee is not None else ():
                if found is not None and str(found.value) not in known:
                    help_ = did_you_mean(str(found.value), known, what="inputs of the task")
                    self.faults.error(
                        "unknown-input", f"the loop has no input `{found.value}`", found.span, help_
                    )

    # The whole.

    def _cycle(self, edges: MappingOf[str, MappingOf[str, Span]]) -> None:
        circle = _circle(edges)
        if circle:
            pairs = list(zip(circle, [*circle[1:], circle[0]], strict=True))
            related = tuple(Related(f"`{a}` waits for `{b}`", edges[a][b]) for a, b in pairs)
            shown = " → ".join((*circle, circle[0]))
            message = (
                f"tasks wait for each other: {shown}"
                if len(circle) > 1
                else f"`{circle[0]}` waits for itself"
            )
            help_ = "take one of the edges out"
            self.faults.error("cycle", message, related[0].span, help_, *related[1:])

    def _outputs(self) -> None:
        for kind, key in (("parameters", "outputParameterKey"), ("artifacts", "outputArtifactKey")):
            for name, span, given in maps(self.dag, "outputs", kind):
                for selector in _selectors(given):
                    producer = scalar(selector, "producerSubtask")
                    if producer is not None and self._task(producer):
                        self._output(producer, scalar(selector, key), kind)
                known = entries(self.component, "outputDefinitions", kind)
                if name not in known and is_well_formed(self.component, "outputDefinitions", kind):
                    help_ = did_you_mean(name, known, what=f"output {kind}")
                    message = f"`{self.name}` does not declare the output `{name}`"
                    self.faults.error("unknown-output", message, span, help_)


def _selectors(given: Mapping) -> Iterator[Node]:
    yield from items(given, "artifactSelectors")
    yield from items(given, "valueFromOneof", "parameterSelectors")
    found = at(given, ("valueFromParameter",))
    if found is not None:
        yield found


def _is_optional(port: Mapping) -> bool:
    flag = at(port, ("isOptional",))
    return (
        (isinstance(flag, Scalar) and flag.value is True)
        or "defaultValue" in port.entries
        or text(port, "parameterType") in _BACKEND_GIVEN
    )


def _has_strays(node: Mapping) -> bool:
    """Whether a key has no meaning, so that what seems to be missing may only be misspelt."""
    return any(key not in _KNOWN for key in node.entries)


_KNOWN = frozenset(
    "inputDefinitions outputDefinitions dag executorLabel singlePlatformSpecs taskConfigPassthroughs taskInfo inputs"
    " dependentTasks cachingOptions componentRef triggerPolicy artifactIterator parameterIterator retryPolicy"
    " iteratorPolicy taskOutputParameter runtimeValue componentInputParameter taskFinalStatus"
    " parameterExpressionSelector taskOutputArtifact componentInputArtifact".split()
)


def _circle(edges: MappingOf[str, MappingOf[str, Span]]) -> list[str]:
    """One circle, if there is one: what is left after taking out, again and again, what waits for nothing."""
    left = {name: set(upstream) for name, upstream in edges.items()}
    free = [name for name, upstream in left.items() if not upstream]
    users: dict[str, list[str]] = {name: [] for name in edges}
    for name, upstream in edges.items():
        for one in upstream:
            users[one].append(name)
    while free:
        done = free.pop()
        del left[done]
        for user in users[done]:
            left[user].discard(done)
            if not left[user]:
                free.append(user)
    if not left:
        return []
    walk = [next(iter(left))]
    while walk[-1] not in walk[:-1]:
        walk.append(next(one for one in edges[walk[-1]] if one in left))
    return walk[walk.index(walk[-1]) : -1]
