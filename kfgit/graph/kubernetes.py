"""References in a `kubernetes` block: what KFP's driver can look up when a task starts, and of which type.

It takes a whole value from an input of the DAG that the task stands in or from a task beside it, and nothing else:
texts with references in them and fields of items it leaves as they are (kubeflow/pipelines,
backend/src/v2/driver/resolve.go, resolveInputParameter).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kfgit.graph.binding import bind
from kfgit.graph.checker import Checker
from kfgit.graph.scope import Bound, BoundItem, BoundOutput, Scope, type_of
from kfgit.model import Composite, Kubernetes, ParameterName, ParameterType, Task, Value, Whole
from kfgit.references import InputRef, RunRef, show
from kfgit.resolve import show_type


class _Setting(NamedTuple):
    """A value, what it is, and the types that it may have."""

    value: Value
    what: str
    types: tuple[ParameterName, ...]


def _settings(block: Kubernetes) -> Iterator[_Setting]:
    for source in block.secrets:
        yield _Setting(source.name, "the name of a Secret", ("string",))
    for source in block.config_maps:
        yield _Setting(source.name, "the name of a ConfigMap", ("string",))
    for claim in block.claims:
        yield _Setting(claim.name, "the name of a claim", ("string",))
    for name in block.image_pull_secrets:
        yield _Setting(name, "the name of a Secret", ("string",))
    if block.node_selector is not None:
        yield _Setting(block.node_selector, "a node selector", ("dict",))
    for term in block.node_affinity or ():
        yield _Setting(term, "a node affinity", ("dict",))
    for toleration in block.tolerations or ():
        yield _Setting(toleration, "a toleration", ("dict", "list"))


def looked_up(block: Kubernetes | None) -> tuple[Value, ...]:
    """The values of a block that may be references."""
    return tuple(setting.value for setting in _settings(block)) if block is not None else ()


class KubernetesChecker(Checker):
    """Checks of `kubernetes` blocks."""

    def kubernetes(self, scope: Scope, task: Task) -> None:
        """The block of a task."""
        if task.settings.kubernetes is not None:
            for setting in _settings(task.settings.kubernetes):
                self._looked_up(scope, setting, in_group=task.when is not None)
                if task.ignore_upstream_failure:
                    self._outlives(scope, setting)

    def kubernetes_default(self, scope: Scope, block: Kubernetes) -> None:
        """The block of `defaults`, which every task reads in its own place."""
        for setting in _settings(block):
            value = setting.value
            if isinstance(value, Whole) and not isinstance(value.ref, InputRef | RunRef):
                message = f"`{show(value.ref)}` means another thing in each task, or nothing"
                help_ = "in `defaults`, read pipeline inputs only"
                self.fault("reference-not-allowed", message, value.span, help_)
            else:
                self._looked_up(scope, setting, in_group=True)

    def _looked_up(self, scope: Scope, setting: _Setting, *, in_group: bool) -> None:
        match setting.value:
            case Whole(ref=ref, span=span):
                bound = self.bound(scope, ref, span)
                if bound is None:
                    return
                if isinstance(bound, BoundItem) and bound.field and bound.loop == scope.path and not in_group:
                    message = f"KFP cannot read a field of the item for {setting.what}"
                    help_ = "loop over the values themselves, and write `$(item)`"
                    self.fault("not-supported", message, span, help_)
                    return
                self._fits_setting(setting, bound, show(ref))
            case Composite(references=(_, *_), span=span):
                message = f"KFP looks {setting.what} up as a whole, and puts nothing into a text or map"
                help_ = "write exactly one `$( … )`; a task can put the value together"
                self.fault("not-supported", message, span, help_)
            case _:
                pass

    def _outlives(self, scope: Scope, setting: _Setting) -> None:
        value = setting.value
        if isinstance(value, Whole) and isinstance(bind(scope, value.ref), BoundOutput):
            message = f"{setting.what} has no default to fall back to when its producer failed"
            self.fault("no-fallback", message, value.span, "give it a constant or an input of the pipeline")

    def _fits_setting(self, setting: _Setting, bound: Bound, shown: str) -> None:
        have = type_of(bound)
        wanted = " or ".join(setting.types)
        if have is None and "string" not in setting.types and isinstance(bound, BoundItem):
            message = f"{setting.what} is a {wanted}, and KFP makes strings of items without a type"
            help_ = f"give the list its type, such as `list<{setting.types[0]}>`"
            self.fault("type-mismatch", message, setting.value.span, help_)
        elif have is not None and not (isinstance(have, ParameterType) and have.name in setting.types):
            message = f"{setting.what} is a {wanted}, but `{shown}` is {show_type(have)}"
            self.fault("type-mismatch", message, setting.value.span, f"give it a {wanted}")
