"""Checks of one task: what it names exists, what it is given fits, and how it runs makes sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from kfgit import cel
from kfgit.diagnostics import Diagnostic, did_you_mean, nearest
from kfgit.graph.scope import (
    Bound,
    BoundOutput,
    Problem,
    Scope,
    Unknown,
    below,
    bind,
    component_of,
    item_type,
    outputs_of,
    references_of,
    type_of,
)
from kfgit.model import (
    ArtifactType,
    Component,
    Composite,
    Condition,
    Import,
    Input,
    Literal_,
    Loop,
    Name,
    ParameterType,
    Pipeline,
    Project,
    Resources,
    Settings,
    StatusType,
    Switch,
    Task,
    Type,
    UseComponent,
    UsePipeline,
    Value,
    Whole,
)
from kfgit.references import Ref, Text, show
from kfgit.resolve import literal_fault, show_type
from kfgit.source import Span

_CPU = re.compile(r"(\d+|\d*\.\d+)m?\Z")
_MEMORY = re.compile(r"\d+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki|k)?\Z")
_UNITS = {"": 1, "K": 1e3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)}


class TaskChecker:
    """Checks the tasks of one pipeline, collecting what is wrong."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.faults: list[Diagnostic] = []

    def fault(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        """Tells an error."""
        self.faults.append(Diagnostic(code, message, span, help_))

    def warn(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        """Tells a warning."""
        self.faults.append(Diagnostic(code, message, span, help_, severity="warning"))

    def known(self, kind: str, name: Name, names: Mapping[str, object]) -> bool:
        """Whether a named document is there, or was told to be broken."""
        if name.text in names:
            return True
        if (kind, name.text) not in self.project.faulty and ("*", name.text) not in self.project.faulty:
            what = kind.lower()
            known = did_you_mean(name.text, names, what=f"{what}s")
            self.fault(f"unknown-{what}", f"there is no {what} `{name.text}`", name.span, known)
        return False

    def bound(self, scope: Scope, ref: Ref, span: Span) -> Bound | None:
        """What a reference means; a problem is told at `span`."""
        found = bind(scope, ref)
        match found:
            case Problem(code, message, help_):
                self.fault(code, message, span, help_)
                return None
            case Unknown():
                return None
            case _:
                return found

    def task(self, scope: Scope, task: Task) -> None:
        """Everything about one task, but not the tasks in it."""
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
                self._loop(scope, task, loop)
            case Switch() as switch:
                self._switch(scope, task, switch)
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

    def _pipeline(self, scope: Scope, task: Task, name: Name) -> None:
        if not self.known("Pipeline", name, self.project.pipelines):
            self._references_only(scope, task)
            return
        inner = self.project.pipelines[name.text]
        self._inputs(scope, task, inner, f"the pipeline `{name.text}`")
        if inner.on_exit is not None:
            help_ = "KFP knows one exit task, at the root; move it to the outer pipeline"
            self.fault("nested-exit", f"the pipeline `{name.text}` has an exit task and cannot be nested", name.span, help_)

    def _references_only(self, scope: Scope, task: Task) -> None:
        """What the task is given must exist even where nobody knows what it takes."""
        for value in task.inputs.values():
            for ref in references_of(value):
                self.bound(scope, ref, value.span)

    def _inputs(self, scope: Scope, task: Task, called: Component | Pipeline, who: str) -> None:
        ports = called.inputs
        missing = [name for name, port in ports.items() if port.required and name not in task.input_spans]
        meant = set()
        for name, value in task.inputs.items():
            port = ports.get(name)
            if port is None:
                if not called.unclear:
                    meant.add(nearest(name, missing))
                    span = task.input_spans.get(name, value.span)
                    self.fault("unknown-input", f"{who} has no input `{name}`", span, did_you_mean(name, ports, what="its inputs"))
                for ref in references_of(value):
                    self.bound(scope, ref, value.span)
                continue
            self.given(scope, value, port, task)
        for name, port in ports.items():
            if name in missing and name not in meant and not (task.unclear or called.unclear):
                span = task.settings.spans.get("inputs", task.span)
                self.fault("missing-input", f"{who} needs the input `{name}`", span, f"give it: `{name}: …` ({show_type(port.type)})")
            if isinstance(port.type, StatusType):
                self._status(scope, task, name, port)

    def _status(self, scope: Scope, task: Task, name: str, port: Input) -> None:
        if scope.kind != "exit" and not task.ignore_upstream_failure:
            span = task.input_spans.get(name, task.span)
            message = f"`{name}` asks for the final status, which only an exit task may"
            self.fault("status-outside-exit", message, span, "use the component in `onExit`")

    def given(self, scope: Scope, value: Value, port: Input, task: Task) -> None:
        """One value for one input."""
        match value:
            case Literal_():
                self._literal(value, port)
            case Whole(ref=ref, span=span):
                bound = self.bound(scope, ref, span)
                if bound is not None:
                    self._fits(bound, port, span, ref)
                    self._survives(bound, port, task, span)
            case Composite(references=refs, span=span):
                for ref in refs:
                    if isinstance(port.type, ArtifactType):
                        self.bound(scope, ref, span)
                    else:
                        self._embedded(scope, ref, span)
                self._composite_fits(value, port)

    def _literal(self, value: Literal_, port: Input) -> None:
        if value.value is None:
            self.fault("null-input", f"`{port.name}` cannot be null", value.span, "leave the input out")
        elif isinstance(port.type, ArtifactType):
            help_ = "give it a task's output, or an `import` task's `artifact`"
            self.fault("type-mismatch", f"`{port.name}` is {show_type(port.type)}, an artifact, and cannot be a literal", value.span, help_)
        elif isinstance(port.type, StatusType):
            self.fault("type-mismatch", f"`{port.name}` is the final status", value.span, "write `$(run.status)`")
        else:
            found = literal_fault(value.value, port)
            if found is not None:
                self.fault(found[0], found[1], value.span, found[2])

    def _fits(self, bound: Bound, port: Input, span: Span, ref: Ref) -> None:
        have = type_of(bound)
        if have is None or port.type is None or compatible(have, port.type):
            return
        message = f"`{port.name}` is {show_type(port.type)}, but `{show(ref)}` is {show_type(have)}"
        self.fault("type-mismatch", message, span, _mismatch_help(have, port.type))

    def _survives(self, bound: Bound, port: Input, task: Task, span: Span) -> None:
        if task.ignore_upstream_failure and isinstance(bound, BoundOutput) and port.required:
            message = f"`{port.name}` has no default to fall back to when its producer failed"
            self.fault("no-fallback", message, span, "give the input a default, or drop `ignoreUpstreamFailure`")

    def _embedded(self, scope: Scope, ref: Ref, span: Span) -> None:
        bound = self.bound(scope, ref, span)
        type_ = type_of(bound) if bound is not None else None
        if isinstance(type_, ArtifactType):
            help_ = "pass the artifact as an input, and use its `.path` or `.uri` inside the component"
            self.fault("artifact-in-text", f"`{show(ref)}` is an artifact and cannot stand in a text", span, help_)
        elif isinstance(type_, StatusType):
            self.fault("status-in-text", "`$(run.status)` cannot stand in a text", span, "give it to an input of type TaskFinalStatus")

    def _composite_fits(self, value: Composite, port: Input) -> None:
        if port.type is None or (value.value is None and not value.references):
            return
        shapes = {Text: "string", list: "list", dict: "dict"}
        have = shapes.get(type(value.value), "string")
        if not isinstance(port.type, ParameterType) or port.type.name != have:
            kind = {"string": "a text", "list": "a list", "dict": "a map"}[have]
            help_ = None
            if isinstance(port.type, ArtifactType) and port.type.many:
                help_ = "KFP collects a list of artifacts from a loop only: `$(tasks.LOOP.TASK.outputs.NAME.*)`"
            elif have == "string":
                help_ = "a value that is exactly one `$( … )` keeps its type"
            self.fault("type-mismatch", f"`{port.name}` is {show_type(port.type)}, not {kind}", value.span, help_)

    def _import(self, scope: Scope, task: Task, action: Import) -> None:
        self._text_value(scope, action.uri, "the uri of an import")
        if action.metadata is not None:
            for ref in references_of(action.metadata):
                self._embedded(scope, ref, action.metadata.span)

    def _text_value(self, scope: Scope, value: Value, what: str) -> None:
        match value:
            case Literal_(value=str()):
                pass
            case Literal_(span=span):
                self.fault("type-mismatch", f"{what} is a string", span)
            case Whole(ref=ref, span=span):
                bound = self.bound(scope, ref, span)
                have = type_of(bound) if bound is not None else None
                if have is not None and have != ParameterType("string"):
                    self.fault("type-mismatch", f"{what} is a string, but `{show(ref)}` is {show_type(have)}", span)
            case Composite(references=refs, span=span):
                for ref in refs:
                    self._embedded(scope, ref, span)

    def _loop(self, scope: Scope, task: Task, loop: Loop) -> None:
        match loop.items:
            case Literal_(value=list() as values, span=span):
                if not values:
                    self.warn("empty-loop", "the loop has no items and runs nothing", span)
                elif any(v is None for v in values):
                    self.fault("null-input", "an item cannot be null", span)
            case Literal_(span=span):
                self.fault("type-mismatch", "`forEach` needs a list", span, "write a list, or a reference to one")
            case Whole(ref=ref, span=span):
                bound = self.bound(scope, ref, span)
                have = type_of(bound) if bound is not None else None
                if have is not None and not _is_list(have):
                    self.fault("type-mismatch", f"`forEach` needs a list, but `{show(ref)}` is {show_type(have)}", span)
            case Composite(references=refs, span=span, value=items):
                for ref in refs:
                    self._embedded(scope, ref, span)
                if refs and not isinstance(items, list):
                    self.fault("type-mismatch", "`forEach` needs a list", span, "a loop over a reference is exactly one `$( … )`")
                elif refs:
                    self.fault("not-supported", "a list with references in it cannot be looped over yet", span, "make the list in a task, and loop over its output")
        (body,) = below(scope, task)
        if isinstance(item_type(body), ArtifactType) and self.project.environment.target == "cluster":
            message = "KFP's backend cannot loop over a list of artifacts"
            self.fault("loop-over-artifacts", message, loop.items.span, "loop over parameters, or run it on a local target")

    def _switch(self, scope: Scope, task: Task, switch: Switch) -> None:
        scopes = below(scope, task)
        seen: dict[str, Span] = {}
        for inner, branch in zip(scopes, switch.branches, strict=True):
            if branch.when is not None:
                self.condition(scope, branch.when)
            for name, found in branch.tasks.items():
                if name in seen:
                    self.fault("duplicate-task", f"two branches of `{task.name}` have a task `{name}`", found.span, "rename one of them")
                seen.setdefault(name, found.span)
            for output in branch.outputs.values():
                self._branch_output(inner, output.value)
        self._switch_outputs(scope, task, switch)

    def _branch_output(self, scope: Scope, value: Value) -> None:
        if not isinstance(value, Whole):
            self.fault("bad-output", "an output of a branch is exactly one `$(tasks.…)`", value.span)
            return
        bound = self.bound(scope, value.ref, value.span)
        if bound is not None and (not isinstance(bound, BoundOutput) or bound.holder is not scope):
            self.fault("bad-output", f"`{show(value.ref)}` is no output of this branch's tasks", value.span, "KFP gives out what a task of the branch made")

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
            if any(branch.unclear for branch in branches):
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

    def condition(self, scope: Scope, condition: Condition) -> None:
        """A `when`: its references mean something, and its types go together."""
        types: dict[str, str | None] = {}
        for text, ref in condition.references.items():
            bound = self.bound(scope, ref, condition.span)
            type_ = type_of(bound) if bound is not None else None
            types[text] = type_.name if isinstance(type_, ParameterType) else None
            if isinstance(type_, ArtifactType | StatusType):
                self.fault("artifact-in-condition", f"`{show(ref)}` is {show_type(type_)} and cannot be compared", condition.span,
                           "compare a parameter, such as an output of type float")  # fmt: skip
        for problem in cel.check_when(condition.expression, lambda leaf: types.get(leaf.text)):
            self.fault("bad-condition", problem.message, condition.span, problem.help)

    def _settings(self, scope: Scope, task: Task) -> None:
        settings = task.settings
        for key in ("retry", "cache"):
            if key in settings.spans and isinstance(task.action, Loop | Switch):
                message = f"`{key}` is not for a group of tasks"
                self.fault("setting-not-possible", message, settings.spans[key], "set it on the tasks inside")
        self.settings(settings)
        if isinstance(task.action, UseComponent) and scope.kind != "exit":
            self._with_defaults(settings, scope.pipeline.defaults)
        for name in task.after:
            self._after(scope, task, name)

    def settings(self, settings: Settings) -> None:
        """Settings by themselves, of a task or of `defaults`."""
        if settings.profile is not None:
            self._profile(settings.profile)
        if settings.resources is not None:
            self.resources(settings.resources, settings.spans["resources"])
        self._patience(settings, settings, "retry", settings.spans)

    def _with_defaults(self, own: Settings, defaults: Settings) -> None:
        """What a task says itself, together with a default that it leaves as it is."""
        if own.timeout is not None and own.retry is None:
            self._patience(defaults, own, "timeout", own.spans)
        elif own.retry is not None and own.timeout is None:
            self._patience(own, defaults, "retry", own.spans)

    def _patience(self, retrying: Settings, timed: Settings, key: str, spans: Mapping[str, Span]) -> None:
        retry = retrying.retry
        if retry is None or retry.max_duration is None or timed.timeout is None or timed.timeout <= retry.max_duration:
            return
        message = "one attempt may take longer than all attempts together: `timeout` is more than `retry.maxDuration`"
        self.warn("retry-shorter-than-timeout", message, spans[key], "raise `maxDuration`, or lower the timeout")

    def _profile(self, name: Name) -> None:
        environment = self.project.environment
        mapped = environment.profiles.get(name.text)
        wanted = mapped or name
        found = self.project.profiles.get(wanted.text)
        if found is None:
            if ("ResourceProfile", wanted.text) in self.project.faulty:
                return
            known = [*self.project.profiles, *environment.profiles]
            if mapped is not None:
                self.fault("unknown-profile", f"there is no ResourceProfile `{mapped.text}`", mapped.span, did_you_mean(mapped.text, self.project.profiles, what="profiles"))
            else:
                help_ = did_you_mean(name.text, known, what="profiles")
                self.fault("unknown-profile", f"there is no profile `{name.text}` here", name.span, help_)
            return
        if environment.target == "cluster" and found.cluster_only:
            what = ", ".join(f"`{n.text}`" for n in found.cluster_only)
            message = f"{what} of the profile `{found.name}` cannot be compiled for a cluster yet"
            self.fault("not-supported", message, found.cluster_only[0].span, "leave it out of profiles that KFP tasks use")

    def resources(self, resources: Resources, span: Span) -> None:
        """Quantities have units that KFP reads, and requests are within limits."""
        for which, quantities in (("requests", resources.requests), ("limits", resources.limits)):
            for name, text in quantities.items():
                pattern = {"cpu": _CPU, "memory": _MEMORY}.get(name)
                if pattern is not None and not pattern.match(text):
                    example = "such as `500m` or `2`" if name == "cpu" else "such as `512Mi` or `2Gi`"
                    place = resources.spans.get(f"{which}.{name}", span)
                    self.fault("bad-quantity", f"`{text}` is no quantity of {name} that KFP reads", place, f"write {example}")
        for name in ("cpu", "memory"):
            low, high = quantity(resources.requests.get(name)), quantity(resources.limits.get(name))
            if low is not None and high is not None and low > high:
                message = f"the request of {name} ({resources.requests[name]}) is above its limit ({resources.limits[name]})"
                place = resources.spans.get(f"requests.{name}", span)
                self.fault("request-above-limit", message, place, "raise the limit, or lower the request")

    def _after(self, scope: Scope, task: Task, name: Name) -> None:
        if scope.kind == "exit":
            self.fault("exit-reads-task", "the exit task runs last anyway", name.span, "remove `after`")
            return
        for outer in scope.outwards():
            if name.text in outer.tasks:
                return
        if any(outer.unclear for outer in scope.outwards()):
            return
        known = [known for outer in scope.outwards() for known in outer.tasks]
        for outer in scope.outwards():
            for group in outer.tasks.values():
                if any(name.text in inner.tasks for inner in below(outer, group)):
                    message = f"the task `{name.text}` stands in `{group.name}`"
                    self.fault("after-into-group", message, name.span, f"write `after: [{group.name}]`")
                    return
        self.fault("unknown-task", f"there is no task `{name.text}`", name.span, did_you_mean(name.text, known, what="tasks"))


def quantity(text: str | None) -> float | None:
    """A Kubernetes quantity as a number, in cores or bytes; None where there is none or it is bad."""
    match = re.match(r"([0-9.]+)(m|[kKMGTPE]i?)?\Z", text or "")
    if match is None:
        return None
    try:
        number = float(match.group(1))
    except ValueError:
        return None
    return number / 1000 if match.group(2) == "m" else number * _UNITS[match.group(2) or ""]


def compatible(have: Type, wanted: Type) -> bool:
    """KFP's rule: parameters exactly (`list` and `list<T>` fit), artifacts by title and major version."""
    match have, wanted:
        case ParameterType(one, item), ParameterType(other, wanted_item):
            return one == other and (item is None or wanted_item is None or item == wanted_item)
        case ArtifactType(title, version, many), ArtifactType(other_title, other_version, other_many):
            if many != other_many:
                return False
            if "system.Artifact" in {title, other_title}:
                return True
            return title == other_title and version.split(".")[0] == other_version.split(".")[0]
        case StatusType(), StatusType():
            return True
        case _:
            return False


def _is_list(type_: Type) -> bool:
    return (isinstance(type_, ParameterType) and type_.name == "list") or (isinstance(type_, ArtifactType) and type_.many)


def _mismatch_help(have: Type, wanted: Type) -> str | None:
    match have, wanted:
        case ArtifactType(), ParameterType():
            return "an artifact is a file; give a parameter, or make the input an artifact"
        case ParameterType(), ArtifactType():
            return "give it a task's artifact, or bring one in with `import`"
        case ArtifactType(many=True), ArtifactType(many=False):
            return "loop over the list, or make the input a `list<…>`"
        case ArtifactType(many=False), ArtifactType(many=True):
            return "collect from a loop: `$(tasks.LOOP.TASK.outputs.NAME.*)`"
        case ParameterType(), ParameterType():
            return f"make one of them the other's type: KFP converts nothing between {show_type(have)} and {show_type(wanted)}"
        case _:
            return None


def used_references(scope: Scope, task: Task) -> Iterator[tuple[Scope, Ref, Span]]:
    """Every reference that a task and what stands in it makes, with the scope it is read in."""
    for value in task.inputs.values():
        yield from ((scope, ref, value.span) for ref in references_of(value))
    if task.when is not None:
        yield from ((scope, ref, task.when.span) for ref in task.when.references.values())
    match task.action:
        case Import(uri=uri, metadata=metadata):
            for given in (uri, metadata):
                yield from ((scope, ref, uri.span) for ref in references_of(given))
        case Loop(items=items):
            yield from ((scope, ref, items.span) for ref in references_of(items))
        case Switch(branches=branches):
            for branch in branches:
                if branch.when is not None:
                    yield from ((scope, ref, branch.when.span) for ref in branch.when.references.values())
        case _:
            pass
    for inner in below(scope, task):
        for child in inner.tasks.values():
            yield from used_references(inner, child)


Visit = Callable[[Scope, Task], None]


def walk(scope: Scope, visit: Visit) -> None:
    """Visits every task of a scope and of those inside it."""
    for task in scope.tasks.values():
        visit(scope, task)
        for inner in below(scope, task):
            walk(inner, visit)

