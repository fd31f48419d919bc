"""The driver's part: what goes into a task, what comes out of a DAG or a loop.

Follows `driver/resolve.go` of KFP 2.17: constants with placeholders, the parent's inputs, upstream outputs, selectors,
then the type check. Where it deviates, a cluster merely fails or leaves text as it is: job placeholders are also
replaced inside a longer constant; a nested pipeline's default also counts where its caller passes on an optional input
without a value; a task with ALL_UPSTREAM_TASKS_COMPLETED takes the outputs of upstreams that failed as not given; an
iteration still has the whole list; an empty loop collects empty lists; and the final status tells its error.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kfgit import cel
from kfgit.backends.local.engine.program import (
    Broken,
    Component,
    Constant,
    Dag,
    Expression,
    FinalStatus,
    FromInput,
    FromTask,
    Parameter,
    Program,
    Source,
    Task,
)
from kfgit.backends.local.engine.state import (
    Closed,
    Fan,
    Group,
    Leaf,
    Loop,
    Node,
    RunContext,
    Values,
    Vector,
    callee,
    ended,
    outputs_of,
)
from kfgit.backends.local.engine.values import (
    Mismatch,
    check_literals,
    coerce,
    kind,
    normal,
    substitute,
    text,
)
from kfgit.events import Artifact


class Unresolved(Exception):
    """Inputs that cannot be had; the text is the task's error."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a task's inputs are resolved in: the instance of its DAG, and the key of the task for its placeholders."""

    program: Program
    context: RunContext
    group: Group
    task: Task
    key: str

    @property
    def component(self) -> Component:
        """The component that the task runs."""
        return callee(self.program, self.task)


def inputs(scope: Scope) -> Values:
    """All inputs of a task, a loop's item aside; raises `Unresolved`."""
    parameters = _parameters(scope)
    item = scope.task.items.item if scope.task.items is not None else None
    checked = {name: typed(scope.component, name, value) for name, value in parameters.items()}
    for name, parameter in scope.component.parameters.items():
        if name not in checked and name != item:
            if parameter.required:
                raise Unresolved(f"input `{name}` has neither a value nor a default")
            if parameter.has_default and isinstance(scope.component.body, Dag):
                checked[name] = typed(scope.component, name, parameter.default)
    return Values(checked, _artifacts(scope, item))


def typed(component: Component, name: str, value: Any) -> Any:
    """A value as the component declares it; raises `Unresolved`. An undeclared input passes as it is."""
    parameter = component.parameters.get(name)
    if parameter is None:
        return normal(value)
    try:
        value = coerce(parameter.type, value)
        check_literals(parameter.literals, value)
    except Mismatch as fault:
        raise Unresolved(f"input `{name}` {fault}") from fault
    return value


def triggered(condition: Expression, values: Values) -> bool:
    """Whether a task's condition lets it run; raises `Unresolved` where the condition cannot be evaluated."""
    if isinstance(condition, Broken):
        raise Unresolved(f"its condition cannot be read: {condition.error}")
    try:
        return cel.evaluate(condition, values.parameters)
    except (cel.CelEvaluationError, cel.CelTypeError, cel.CelSyntaxError) as fault:
        raise Unresolved(f"its condition cannot be evaluated: {fault}") from fault


def items(task: Task, values: Values) -> tuple[Any, ...]:
    """What a loop runs over; raises `Unresolved`."""
    loop = task.items
    if loop is None or loop.raw is not None:
        return () if loop is None or loop.raw is None else loop.raw
    if loop.artifacts:
        return values.artifacts.get(loop.source, ())
    if loop.source not in values.parameters:
        raise Unresolved(f"the loop has nothing to run over: input `{loop.source}` has no value")
    value = values.parameters[loop.source]
    if isinstance(value, str):
        try:
            value = normal(json.loads(value))
        except ValueError as fault:
            raise Unresolved(
                f"the loop runs over `{loop.source}`, which is text and not a JSON list"
            ) from fault
    if not isinstance(value, list | tuple):
        raise Unresolved(f"the loop runs over `{loop.source}`, which is {kind(value)} and not a list")
    return tuple(value)


def iteration(component: Component, loop: Loop, task: Task, index: int) -> Values:
    """The inputs of one iteration: those of the loop, and its item; raises `Unresolved`."""
    if task.items is None:
        return loop.inputs
    item, name = loop.items[index], task.items.item
    if task.items.artifacts:
        return Values(loop.inputs.parameters, {**loop.inputs.artifacts, name: (item,)})
    return Values({**loop.inputs.parameters, name: typed(component, name, item)}, loop.inputs.artifacts)


def parameter(scope: Scope, source: Source) -> Any:
    """The value of one source, None where there is none; raises `Unresolved`."""
    match source:
        case Constant(value):
            return value
        case FromInput(name):
            return scope.group.inputs.parameters.get(name)
        case FinalStatus(name):
            return _final_status(scope, name)
        case FromTask(name, output):
            value = outputs_of(scope.group.tasks.get(name)).parameters.get(output)
            if value is None:
                _missing(scope, name, output)
            return list(value.items) if isinstance(value, Fan) else value


def job_placeholders(context: RunContext, task: str, key: str) -> Mapping[str, str]:
    """The texts of KFP's job placeholders (`resolve.go`; a run without a schedule has its creation as both times)."""
    known = {
        "pipeline_job_name": context.run_name,
        "pipeline_job_resource_name": context.resource_name,
        "pipeline_job_uuid": context.run_id,
        "pipeline_task_name": task,
        "pipeline_task_uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{context.run_id}/{key}")),
        "pipeline_job_create_time_utc": _rfc3339(context.created_at),
        "pipeline_job_schedule_time_utc": _rfc3339(context.scheduled_at or context.created_at),
        "pipeline_root": context.pipeline_root,
    }
    if context.workspace is not None:
        known["workspace_path"] = context.workspace
    return {f"{{{{$.{name}}}}}": value for name, value in known.items()}


def with_placeholders(scope: Scope, value: Any, known: Mapping[str, Any]) -> Any:
    """A constant with its placeholders replaced by job facts and by the inputs in `known`."""
    declared = scope.component.parameters

    def lookup(name: str) -> str | None:
        if known.get(name) is not None:
            return text(known[name])
        return text(declared[name].default) if name in declared and declared[name].has_default else None

    job = job_placeholders(scope.context, scope.task.name, scope.key)
    return substitute(value, lookup, job)


def dag_outputs(component: Component, dag: Dag, tasks: Mapping[str, Node]) -> Values:
    """The outputs of a DAG that succeeded. An output whose producer was skipped is left out."""
    parameters: dict[str, Any] = {}
    for name, choices in dag.parameters.items():
        found = [outputs_of(tasks.get(one.task)).parameters.get(one.output) for one in choices]
        value = next((one for one in found if one is not None), None)
        if value is not None:
            parameters[name] = value
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, choices in dag.artifacts.items():
        given = [outputs_of(tasks.get(one.task)).artifacts.get(one.output) for one in choices]
        present = [one for one in given if one is not None]
        if present:
            slot = component.output_artifacts.get(name)
            many = slot is not None and slot.many
            artifacts[name] = tuple(one for several in present for one in several) if many else present[0]
    return Values(parameters, artifacts)


def loop_outputs(component: Component, iterations: Vector[Node]) -> Values:
    """What a loop collected, in iteration order; an iteration without a value is left out."""
    given = [outputs_of(node) for node in iterations]
    parameters = {name: Fan(tuple(_collected(given, name))) for name in component.output_parameters}
    artifacts = {
        name: tuple(one for values in given for one in values.artifacts.get(name, ()))
        for name in component.output_artifacts
    }
    return Values(parameters, artifacts)


def _collected(given: list[Values], name: str) -> list[Any]:
    flat: list[Any] = []
    for values in given:
        match values.parameters.get(name):
            case None:
                pass
            case Fan(several):
                flat.extend(several)
            case value:
                flat.append(value)
    return flat


def _parameters(scope: Scope) -> dict[str, Any]:
    found: dict[str, Any] = {}
    constants: dict[str, Constant] = {}
    for name, binding in scope.task.parameters.items():
        declared = scope.component.parameters.get(name)
        if declared is not None and declared.type == "TASK_CONFIG":
            continue
        if isinstance(binding.source, Constant):
            constants[name] = binding.source
            continue
        value = parameter(scope, binding.source)
        if value is not None and binding.selector is not None:
            value = _selected(name, binding.selector, value)
        if value is not None:
            found[name] = value
        elif isinstance(binding.source, FromInput):
            _unless_optional(name, binding.source.name, declared)
    # A job placeholder is an input of its own where another constant reads it, so those that read come last.
    for name, constant in sorted(constants.items(), key=lambda one: _reads_inputs(one[1].value)):
        if constant.value is None:
            continue
        value = _constant(scope, constant.value, found)
        selector = scope.task.parameters[name].selector
        found[name] = value if selector is None else _selected(name, selector, value)
    return found


def _unless_optional(name: str, source: str, declared: Parameter | None) -> None:
    if declared is not None and declared.required:
        raise Unresolved(f"input `{name}` has no value: `{source}` was not given")


def _constant(scope: Scope, value: Any, found: Mapping[str, Any]) -> Any:
    if scope.context.workspace is None and "{{$.workspace_path}}" in json.dumps(value, default=str):
        raise Unresolved("it uses the workspace, and the pipeline has none")
    return with_placeholders(scope, value, found)


def _reads_inputs(value: Any) -> bool:
    return "{{$.inputs." in json.dumps(value, default=str)


def _selected(name: str, selector: Expression, value: Any) -> Any:
    """KFP binds the JSON text of any value to `string_value` (`expression.go`, Select)."""
    if isinstance(selector, Broken):
        raise Unresolved(f"the selector of input `{name}` cannot be read: {selector.error}")
    try:
        return normal(cel.evaluate_any(selector, {"string_value": text(value), **_fields(value)}))
    except (cel.CelEvaluationError, cel.CelTypeError, cel.CelSyntaxError) as fault:
        raise Unresolved(f"the selector of input `{name}` failed: {fault}") from fault


def _fields(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"bool_value": value}
        case int() | float():
            return {"number_value": value}
        case Mapping():
            return {"struct_value": value}
        case list():
            return {"list_value": value}
        case _:
            return {}


def _artifacts(scope: Scope, item: str | None) -> dict[str, tuple[Artifact, ...]]:
    given = {name: _artifact(scope, source) for name, source in scope.task.artifacts.items()}
    found = {name: several for name, several in given.items() if several is not None}
    for name, slot in scope.component.artifacts.items():
        if not slot.optional and name != item and not (slot.many and name in found) and not found.get(name):
            raise Unresolved(f"input artifact `{name}` has no value")
    return found


def _artifact(scope: Scope, source: FromInput | FromTask) -> tuple[Artifact, ...] | None:
    match source:
        case FromInput(name):
            return scope.group.inputs.artifacts.get(name)
        case FromTask(producer, output):
            given = outputs_of(scope.group.tasks.get(producer)).artifacts.get(output)
            if given is None:
                _missing(scope, producer, output)
            return given


def _missing(scope: Scope, producer: str, output: str) -> None:
    """An upstream that did not give what the task reads; only a task that runs whatever happens goes on without."""
    if scope.task.always:
        return
    raise Unresolved(
        f"output `{output}` of task `{producer}` has no value: what makes it was skipped or gave none"
    )


_STATES: Final[Mapping[str, str]] = {"SUCCEEDED": "COMPLETE", "FAILED": "FAILED"}
# google.rpc.Code: what KFP's struct would carry if its driver filled it (it leaves `error` empty).
_CODES: Final[Mapping[str, int]] = {"FAILED": 2, "CANCELED": 1}


def _final_status(scope: Scope, name: str) -> dict[str, Any]:
    """`PipelineTaskFinalStatus` with the words of a cluster: MLMD's, so COMPLETE and not SUCCEEDED."""
    node = scope.group.tasks.get(name)
    state = "CANCELED" if node is None or not ended(node) else node.state
    word = "CACHED" if isinstance(node, Leaf) and node.cached else _STATES.get(state, "CANCELED")
    error: dict[str, Any] = {}
    if word in _CODES:
        message = None if node is None else node.error
        error = {"code": _CODES[word], "message": message or _told(node)}
    return {
        "state": word,
        "pipelineTaskName": name,
        "pipelineJobResourceName": scope.context.resource_name,
        "error": error,
    }


def _told(node: Node | None) -> str:
    if node is None or (isinstance(node, Closed) and node.state == "SKIPPED"):
        return "it did not run"
    return "it was canceled" if node.state == "CANCELED" else "it failed"


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
