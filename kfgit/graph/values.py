"""What tasks are given: literals, references, texts and conditions."""

from __future__ import annotations

from collections.abc import Mapping

from kfgit import cel
from kfgit.graph.binding import references_of
from kfgit.graph.checker import Checker
from kfgit.graph.fitting import compatible, mismatch_help
from kfgit.graph.scope import Bound, BoundItem, BoundOutput, Scope, type_of
from kfgit.model import (
    ArtifactType,
    Composite,
    Condition,
    Input,
    Literal_,
    ParameterType,
    StatusType,
    Task,
    Value,
    Whole,
)
from kfgit.references import Ref, Text, show
from kfgit.resolve import WHEN_HELP, literal_faults, show_type
from kfgit.source import Span


class ValueChecker(Checker):
    """Checks of values against the inputs that take them."""

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
            case Composite():
                for ref, place in references_of(value):
                    if isinstance(port.type, ArtifactType):
                        self.bound(scope, ref, place)
                    else:
                        self.embedded(scope, ref, place)
                self._composite_fits(value, port)

    def _literal(self, value: Literal_, port: Input) -> None:
        if value.value is None:
            self.fault("null-input", f"`{port.name}` cannot be null", value.span, "leave the input out")
        elif isinstance(port.type, ArtifactType):
            help_ = "give it a task's output, or an `import` task's `artifact`"
            self.fault(
                "type-mismatch",
                f"`{port.name}` is {show_type(port.type)}, an artifact, and cannot be a literal",
                value.span,
                help_,
            )
        elif isinstance(port.type, StatusType):
            self.fault(
                "type-mismatch", f"`{port.name}` is the final status", value.span, "write `$(run.status)`"
            )
        else:
            for found in literal_faults(value.value, port):
                self.fault(found.code, found.message, found.place(value.span, value.items), found.help)

    def _fits(self, bound: Bound, port: Input, span: Span, ref: Ref) -> None:
        have = type_of(bound)
        if have is None or port.type is None or compatible(have, port.type):
            return
        message = f"`{port.name}` is {show_type(port.type)}, but `{show(ref)}` is {show_type(have)}"
        self.fault("type-mismatch", message, span, mismatch_help(have, port.type))

    def _survives(self, bound: Bound, port: Input, task: Task, span: Span) -> None:
        if task.ignore_upstream_failure and isinstance(bound, BoundOutput) and port.required:
            message = f"`{port.name}` has no default to fall back to when its producer failed"
            self.fault(
                "no-fallback", message, span, "give the input a default, or drop `ignoreUpstreamFailure`"
            )

    def embedded(self, scope: Scope, ref: Ref, span: Span) -> None:
        """A reference in a text."""
        bound = self.bound(scope, ref, span)
        type_ = type_of(bound) if bound is not None else None
        if isinstance(type_, ArtifactType):
            help_ = "pass the artifact as an input, and use its `.path` or `.uri` inside the component"
            self.fault(
                "artifact-in-text", f"`{show(ref)}` is an artifact and cannot stand in a text", span, help_
            )
        elif isinstance(type_, StatusType):
            self.fault(
                "status-in-text",
                "`$(run.status)` cannot stand in a text",
                span,
                "give it to an input of type TaskFinalStatus",
            )

    def _composite_fits(self, value: Composite, port: Input) -> None:
        if port.type is None or (value.value is None and not value.references):
            return
        shapes = {Text: "string", list: "list", dict: "dict"}
        have = shapes.get(type(value.value), "string")
        if not isinstance(port.type, ParameterType) or port.type.name != have:
            kind = {"string": "a text", "list": "a list", "dict": "a map"}[have]
            help_ = f"write a value of type {show_type(port.type)}"
            if isinstance(port.type, ArtifactType) and port.type.many:
                help_ = (
                    "KFP collects a list of artifacts from a loop only: `$(tasks.LOOP.TASK.outputs.NAME.*)`"
                )
            elif have == "string":
                help_ = "a value that is exactly one `$( … )` keeps its type"
            self.fault(
                "type-mismatch", f"`{port.name}` is {show_type(port.type)}, not {kind}", value.span, help_
            )

    def text_value(self, scope: Scope, value: Value, what: str) -> None:
        """A value that must be a text."""
        match value:
            case Literal_(value=str()):
                pass
            case Literal_(span=span):
                self.fault("type-mismatch", f"{what} is a string", span, "put it in quotes")
            case Whole(ref=ref, span=span):
                bound = self.bound(scope, ref, span)
                have = type_of(bound) if bound is not None else None
                if have is not None and have != ParameterType("string"):
                    self.fault(
                        "type-mismatch",
                        f"{what} is a string, but `{show(ref)}` is {show_type(have)}",
                        span,
                        "give it a string",
                    )
            case Composite():
                for ref, place in references_of(value):
                    self.embedded(scope, ref, place)

    def condition(self, scope: Scope, condition: Condition) -> None:
        """A `when`: its references mean something, and its types go together."""
        types: dict[str, str | None] = {}
        untyped: set[str] = set()
        for text, ref in condition.references.items():
            bound = self.bound(scope, ref, condition.span)
            type_ = type_of(bound) if bound is not None else None
            types[text] = show_type(type_) if isinstance(type_, ParameterType) else None
            if isinstance(bound, BoundItem) and bound.field is None and type_ is None:
                untyped.add(text)
            if isinstance(type_, ArtifactType | StatusType):
                message = f"`{show(ref)}` is {show_type(type_)} and cannot be compared"
                help_ = "compare a parameter, such as an output of type float"
                self.fault("artifact-in-condition", message, condition.span, help_)
        problems = cel.check_when(condition.expression, lambda leaf: types.get(leaf.text))
        for problem in problems:
            self.fault("bad-condition", problem.message, condition.span, problem.help or WHEN_HELP)
        if untyped and not problems:
            self._untyped_items(condition, types | dict.fromkeys(untyped, "string"))

    def _untyped_items(self, condition: Condition, types: Mapping[str, str | None]) -> None:
        """KFP makes a string of an item that has no type, whatever it is compared with."""
        for problem in cel.check_when(condition.expression, lambda leaf: types.get(leaf.text)):
            message = f"the items have no type, so KFP makes strings of them, and {problem.message}"
            help_ = "give the list its type, such as `list<float>`"
            self.warn("untyped-item", message, condition.span, help_)
