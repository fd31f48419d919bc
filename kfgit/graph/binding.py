"""Names and what they mean: the binding of references in the scopes of a pipeline.

A scope is one DAG: the pipeline itself, the body of a loop, a branch of a switch, or the exit task. A name is looked
for in its own scope, then outwards. From outside, a loop shows its tasks only through `.*`, and a branch only
through the outputs of its switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kfgit.diagnostics import did_you_mean
from kfgit.graph.hidden import into_branch, into_loop, missing_task, no_loop
from kfgit.graph.lists import collected_type, common_type
from kfgit.graph.scope import (
    Binding,
    BoundInput,
    BoundItem,
    BoundOutput,
    BoundRun,
    Problem,
    Scope,
    Unknown,
    below,
    type_of,
)
from kfgit.model import (
    ArtifactType,
    Component,
    Composite,
    Import,
    Literal_,
    Loop,
    ParameterType,
    StatusType,
    Switch,
    Task,
    Type,
    UseComponent,
    UsePipeline,
    Value,
    Whole,
)
from kfgit.references import InputRef, ItemRef, OutputRef, Ref, RunRef, TaskRef, WorkspaceRef, show
from kfgit.source import Span

NO_WORKSPACE = (
    "give it one, such as `workspace: {size: 10Gi}`; a nested pipeline takes the path as an input of its own"
)


def bind(scope: Scope, ref: Ref) -> Binding:
    """What a reference means in a scope.

    Types are looked up and never followed from pipeline to pipeline, so one reference costs no more than its own
    groups are deep.
    """
    match ref:
        case InputRef():
            return _input(scope, ref)
        case TaskRef():
            return _task(scope, ref)
        case ItemRef():
            return _item(scope, ref)
        case RunRef(field="status"):
            if scope.kind == "exit":
                return BoundRun(ref, StatusType())
            return Problem(
                "status-outside-exit",
                "`$(run.status)` is read in `onExit` only",
                "ask for it in the exit task",
            )
        case RunRef():
            return BoundRun(ref, ParameterType("string"))
        case OutputRef():
            return Problem(
                "reference-not-allowed",
                f"`{show(ref)}` is written inside a component",
                "write `$(tasks.TASK.outputs.NAME)`",
            )
        case WorkspaceRef():
            return _workspace(scope, ref)


def _workspace(scope: Scope, ref: WorkspaceRef) -> Binding:
    if scope.pipeline.run_policy.workspace is None:
        return Problem("no-workspace", "this pipeline has no workspace", NO_WORKSPACE)
    return BoundRun(ref, ParameterType("string"))


def _input(scope: Scope, ref: InputRef) -> Binding:
    port = scope.pipeline.inputs.get(ref.name)
    if port is None and scope.pipeline.unclear.covers(ref.name, "inputs"):
        return Unknown()
    if port is None:
        known = list(scope.pipeline.inputs)
        return Problem(
            "unknown-input",
            f"the pipeline has no input `{ref.name}`",
            did_you_mean(ref.name, known, what="its inputs"),
        )
    if ref.part:
        return _part(ref, ref.part)
    # What the exit task of another pipeline is told is a struct like any other to the tasks in it.
    type_ = ParameterType("dict") if isinstance(port.type, StatusType) else port.type
    return BoundInput(ref.name, type_) if type_ is not None else Unknown()


def _part(ref: Ref, part: str) -> Problem:
    help_ = f"pass the artifact itself, and use `$(inputs.NAME.{part})` inside the component"
    return Problem("part-outside-component", f"`{show(ref)}` asks for the {part} outside a component", help_)


def _item(scope: Scope, ref: ItemRef) -> Binding:
    loops = [s for s in scope.outwards() if s.kind == "loop"]
    if not loops:
        return Problem(
            "item-outside-loop", f"`{show(ref)}` stands in no loop", "use it in the tasks of a `forEach`"
        )
    chosen = next((s for s in loops if ref.loop is None or s.path[-1] == ref.loop), None)
    if chosen is None or chosen.loop is None or chosen.parent is None:
        known = [s.path[-1] for s in loops]
        return Problem(
            "unknown-loop",
            f"no loop `{ref.loop}` is around this task",
            did_you_mean(ref.loop or "", known, what="loops around it"),
        )
    if _is_unknown(chosen.loop.items):
        return Unknown()
    type_ = item_type(chosen)
    if ref.field is None:
        return BoundItem(chosen.path, None, type_)
    return _item_field(chosen, ref.field, type_)


def _item_field(scope: Scope, name: str, type_: Type | None) -> Binding:
    items = scope.loop.items if scope.loop is not None else None
    if isinstance(items, Literal_) and isinstance(items.value, list) and items.value:
        if not all(isinstance(item, dict) for item in items.value):
            return Problem(
                "item-has-no-fields", f"the items have no `{name}`: they are no maps", "write `$(item)`"
            )
        lacking = [item for item in items.value if name not in item]
        if lacking:
            known = sorted({str(key) for item in items.value for key in item})
            help_ = did_you_mean(name, known, what="fields of the items")
            if name in known:
                help_ = f"give each item a `{name}`: {len(lacking)} of {len(items.value)} have none"
            return Problem("unknown-item-field", f"not every item has `{name}`", help_)
        return BoundItem(scope.path, name, common_type([item[name] for item in items.value]))
    if type_ is not None and not (isinstance(type_, ParameterType) and type_.name == "dict"):
        return Problem(
            "item-has-no-fields", f"the items have no `{name}`: they are no maps", "write `$(item)`"
        )
    return BoundItem(scope.path, name, None)


def item_type(scope: Scope) -> Type | None:
    """The type of a loop's items; None where it is not known."""
    if scope.loop is None or scope.parent is None:
        return None
    items = scope.loop.items
    match items:
        case Literal_(value=list() as values):
            return common_type(values)
        case Whole(ref=ref):
            type_ = type_of(bind(scope.parent, ref))
        case Composite(value=list()):
            return None
        case _:
            return None
    match type_:
        case ParameterType("list", item) if item is not None:
            return ParameterType(item)
        case ArtifactType(title, version, True):
            return ArtifactType(title, version)
        case _:
            return None


def _is_unknown(value: Value) -> bool:
    return isinstance(value, Composite) and value.value is None and not value.references


def _task(scope: Scope, ref: TaskRef) -> Binding:
    if ref.part:
        return _part(ref, ref.part)
    if scope.kind == "exit":
        return Problem(
            "exit-reads-task",
            "the exit task cannot read another task",
            "give it pipeline inputs and `$(run.status)`",
        )
    first, *rest = ref.path
    holder = next((s for s in scope.outwards() if first in s.tasks), None)
    if holder is None:
        return missing_task(scope, ref, first)
    task, here = holder.tasks[first], holder
    for name in rest:
        if task.action is None:
            return Unknown()
        if not isinstance(task.action, Loop):
            return no_loop(task, ref)
        (here,) = below(here, task)
        if name not in here.tasks and here.unclear.covers(name, "tasks"):
            return Unknown()
        if name not in here.tasks:
            way = (*here.path[len(holder.path) :],)
            deeper = into_loop(here.tasks, name, ref, way) if name == rest[-1] else None
            elsewhere = into_branch(here, name) or deeper
            known = did_you_mean(name, here.tasks, what=f"tasks of `{task.name}`")
            return elsewhere or Problem("unknown-task", f"the loop `{task.name}` has no task `{name}`", known)
        task = here.tasks[name]
    return _output(scope, holder, here, task, ref)


def _output(scope: Scope, holder: Scope, here: Scope, task: Task, ref: TaskRef) -> Binding:
    through_loop = len(ref.path) > 1
    if through_loop and scope.path[: len(holder.path) + 1] == (*holder.path, ref.path[0]):
        fixed = show(TaskRef(ref.path[1:], ref.output, collected=len(ref.path) > 2))
        what = "collects" if ref.collected else "names"
        return Problem(
            "reference-into-loop",
            f"`{show(ref)}` stands in the loop that it {what}",
            f"write `{fixed}` in the same iteration",
        )
    if through_loop and not ref.collected:
        fixed = show(TaskRef(ref.path, ref.output, collected=True))
        return Problem(
            "reference-into-loop",
            f"`{show(ref)}` reads one of many iterations",
            f"write `{fixed}` for the list of all",
        )
    if isinstance(task.action, Loop):
        help_ = f"write `$(tasks.{'.'.join(ref.path)}.TASK.outputs.{ref.output}.*)`"
        return Problem("unknown-output", f"the loop `{task.name}` has no outputs of its own", help_)
    if ref.collected and not through_loop:
        return Problem(
            "not-a-loop",
            f"`{task.name}` runs once, there is nothing to collect",
            f"write `{show(TaskRef(ref.path, ref.output))}`",
        )
    types = outputs_of(here, task, ref.output)
    if types is None:
        return Unknown()
    if ref.output not in types:
        if _outputs_are_unclear(here, task, ref.output):
            return Unknown()
        if isinstance(task.action, Switch) and not types:
            help_ = "list them under `outputs` of every branch; the last branch must be an else"
            return Problem("unknown-output", f"the switch `{task.name}` has no outputs", help_)
        message = f"the task `{task.name}` has no output `{ref.output}`"
        return Problem("unknown-output", message, did_you_mean(ref.output, types, what="its outputs"))
    type_ = types[ref.output]
    path = (*holder.path, *ref.path)
    seen = collected_type(type_) if through_loop else type_
    return BoundOutput(path, ref.output, seen, holder, through_loop, type_)


def component_of(scope: Scope, task: Task) -> Component | None:
    """The component of a task, if it has one and it is known."""
    if not isinstance(task.action, UseComponent):
        return None
    return task.action.inline or scope.project.components.get(task.action.name.text)


def outputs_of(scope: Scope, task: Task, wanted: str) -> Mapping[str, Type | None] | None:
    """The outputs of a task by name; None where they are not known because something is faulty.

    Of a switch only the `wanted` one has its type: switches in switches would be walked through for each of them.
    """
    match task.action:
        case UseComponent():
            found = component_of(scope, task)
            if found is None:
                return None
            return {name: port.type for name, port in found.outputs.items()}
        case UsePipeline(name=name):
            inner = scope.project.pipelines.get(name.text)
            return {o.name: o.type for o in inner.outputs.values()} if inner is not None else None
        case Import(type=type_):
            return {"artifact": type_}
        case Switch():
            return _switch_outputs(scope, task, wanted)
        case Loop():
            return {}
        case None:
            return None


def _outputs_are_unclear(scope: Scope, task: Task, name: str) -> bool:
    """Whether an output that is not there may be missing because of a fault that was told."""
    match task.action:
        case UseComponent():
            found = component_of(scope, task)
            return found is None or found.unclear.covers(name, "outputs")
        case UsePipeline(name=used):
            inner = scope.project.pipelines.get(used.text)
            return inner is None or inner.unclear.covers(name, "outputs")
        case Switch(branches=branches):
            return any(branch.unclear.covers(name, "outputs") or branch.bad_condition for branch in branches)
        case _:
            return False


def _switch_outputs(scope: Scope, task: Task, wanted: str) -> Mapping[str, Type | None]:
    branches = task.action.branches if isinstance(task.action, Switch) else ()
    if not branches or branches[-1].when is not None or branches[-1].bad_condition:
        return {}
    names = [name for name in branches[0].outputs if all(name in branch.outputs for branch in branches)]
    return {name: _given_out(below(scope, task)[0], name) if name == wanted else None for name in names}


def _given_out(branch: Scope, name: str) -> Type | None:
    """The type of what a branch gives out, if that is made in it."""
    switch = branch.parent.tasks[branch.path[-1]].action if branch.parent is not None else None
    value = switch.branches[branch.branch].outputs[name].value if isinstance(switch, Switch) else None
    if isinstance(value, Whole) and isinstance(value.ref, TaskRef) and value.ref.path[0] in branch.tasks:
        return type_of(bind(branch, value.ref))
    return None


def references_of(value: Value | None) -> Iterable[tuple[Ref, Span]]:
    """All references in a given value, each with the scalar that contains it."""
    match value:
        case Whole(ref=ref, span=span):
            return ((ref, span),)
        case Composite(references=found, span=span, places=places):
            return zip(found, places or [span] * len(found), strict=True)
        case Literal_() | None:
            return ()
