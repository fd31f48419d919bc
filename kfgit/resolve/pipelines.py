"""Pipelines: tasks and how they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kfgit.document import Mapping, Node, Scalar
from kfgit.model import (
    UNCLEAR,
    Action,
    ArtifactType,
    Branch,
    BranchOutput,
    Composite,
    Import,
    Loop,
    Name,
    Pipeline,
    PipelineOutput,
    Retry,
    Settings,
    Switch,
    Task,
    Unclear,
    UseComponent,
    UsePipeline,
    Value,
)
from kfgit.resolve.claims import CLAIM_TASKS, claim_inputs, claim_task
from kfgit.resolve.components import component
from kfgit.resolve.env import env_of
from kfgit.resolve.files import Files
from kfgit.resolve.kubernetes import kubernetes
from kfgit.resolve.packaged import packaged
from kfgit.resolve.ports import input_
from kfgit.resolve.reader import Reader
from kfgit.resolve.resources import resources
from kfgit.resolve.run_policy import run_policy
from kfgit.resolve.types import type_of
from kfgit.resolve.values import condition, value
from kfgit.source import Span

ACTIONS = ("component", "pipeline", "import", "forEach", "switch", *CLAIM_TASKS)


@dataclass(frozen=True, slots=True)
class PipelineReader:
    """Reads one pipeline; `files` gives what documents name.

    `ignoring` says whether component tasks ignore upstream failures unless they say otherwise.
    """

    reader: Reader
    files: Files
    ignoring: bool = False

    def pipeline(self, name: str, document: Mapping, span: Span) -> Pipeline:
        """The pipeline of a document."""
        reader = self.reader
        spec = reader.mapping(document.get("spec")) or Mapping({}, span)
        metadata = reader.mapping(document.get("metadata")) or Mapping({}, span)
        on_exit = spec.entries.get("onExit")
        policy = run_policy(reader, spec)
        pipeline = Pipeline(
            name,
            span,
            inputs={
                key: input_(reader, key, e.key_span, e.node) for key, e in reader.entries(spec.get("inputs"))
            },
            outputs={
                key: self._output(key, e.key_span, e.node) for key, e in reader.entries(spec.get("outputs"))
            },
            tasks=self._with_defaults(spec.get("defaults")).tasks(spec.get("tasks")),
            defaults=self.settings(spec.get("defaults")),
            on_exit=self.task("onExit", on_exit.key_span, on_exit.node) if on_exit is not None else None,
            description=reader.string(metadata.get("description")) or "",
            display_name=reader.string(spec.get("displayName")),
            external_name=reader.string(spec.get("externalName")),
            pipeline_root=reader.string(spec.get("pipelineRoot")),
            labels=reader.texts(metadata.get("labels")) if "labels" in metadata.entries else {},
            whole=not reader.broken,
            unclear=UNCLEAR
            if "package" in spec.entries or "spec" not in document.entries
            else reader.unclear(document.get("spec"), "inputs", "outputs", "tasks"),
            labels_span=_labels_span(document),
            run_policy=policy,
        )
        if "package" not in spec.entries:
            return pipeline
        return packaged(reader, pipeline, spec, self.files)

    def _with_defaults(self, node: Node | None) -> PipelineReader:
        """The reader of the tasks below, which know the one default that is no setting."""
        found = self.reader.mapping(node)
        ignoring = found is not None and self.reader.boolean(found.get("ignoreUpstreamFailure"))
        return replace(self, ignoring=bool(ignoring))

    def _ignores(self, node: Mapping) -> bool:
        own = self.reader.boolean(node.get("ignoreUpstreamFailure"))
        return own if own is not None else self.ignoring and "component" in node.entries

    def _output(self, name: str, span: Span, node: Node) -> PipelineOutput:
        found = self.reader.mapping(node)
        if found is None:
            return PipelineOutput(name, None, None, span)
        source = found.get("from")
        given = value(self.reader, source) if source is not None else None
        type_ = type_of(self.reader, found.get("type")) if "type" in found.entries else None
        return PipelineOutput(name, type_, given, span, self.reader.string(found.get("description")) or "")

    def tasks(self, node: Node | None) -> dict[str, Task]:
        """The tasks of one scope."""
        return {
            name: self.task(name, entry.key_span, entry.node) for name, entry in self.reader.entries(node)
        }

    def task(self, name: str, span: Span, node: Node) -> Task:
        """One task; without an action where that is faulty."""
        reader = self.reader
        given_task = reader.mapping(node)
        if given_task is None:
            return Task(name, None, span, unclear=UNCLEAR)
        found = reader.without_strays(given_task)
        inputs: dict[str, Value] = {}
        for key, entry in reader.entries(found.get("inputs")):
            given = value(reader, entry.node)
            if given is not None:
                inputs[key] = given
        given_inputs = found.get("inputs")
        keys = given_inputs.entries if isinstance(given_inputs, Mapping) else {}
        spans = {key: entry.key_span for key, entry in keys.items()}
        for key in CLAIM_TASKS:
            if key in found.entries:
                inputs, spans = claim_inputs(reader, key, found.get(key))
        return Task(
            name,
            self._action(name, found),
            span,
            inputs,
            spans,
            when=condition(reader, found.get("when")),
            after=tuple(n for n in map(reader.name, reader.items(found.get("after"))) if n is not None),
            settings=self.settings(found),
            display_name=reader.string(found.get("displayName")),
            ignore_upstream_failure=self._ignores(found),
            unclear=self._unclear(given_task),
        )

    def _unclear(self, node: Mapping) -> Unclear:
        """What nobody knows of a task: anything where it does two things, or where a claim has a stray key."""
        claims = [found for key in CLAIM_TASKS if isinstance(found := node.get(key), Mapping)]
        if sum(key in node.entries for key in ACTIONS) > 1 or any(
            any(self.reader.strays_in(claim)) for claim in claims
        ):
            return UNCLEAR
        return self.reader.unclear(node, "inputs", "tasks", *CLAIM_TASKS)

    def _action(self, name: str, node: Mapping) -> Action | None:
        chosen = [key for key in ACTIONS if key in node.entries]
        if len(chosen) != 1:
            self.reader.broken = True
            return None
        make: dict[str, Callable[[str, Mapping], Action | None]] = {
            "component": self._component, "pipeline": self._pipeline, "import": self._import,
            "forEach": self._loop, "switch": self._switch,
        }  # fmt: skip
        if chosen[0] in CLAIM_TASKS:
            return claim_task(chosen[0], node.entries[chosen[0]])
        return make[chosen[0]](name, node)

    def _component(self, name: str, node: Mapping) -> Action | None:
        entry = node.entries["component"]
        if isinstance(entry.node, Mapping):
            inline = component(self.reader, name, entry.node, entry.key_span, self.files)
            if not inline.whole:
                self.reader.broken = True
            return UseComponent(Name(name, entry.key_span), inline)
        named = self.reader.name(entry.node)
        return UseComponent(named) if named is not None else None

    def _pipeline(self, _name: str, node: Mapping) -> Action | None:
        named = self.reader.name(node.get("pipeline"))
        return UsePipeline(named) if named is not None else None

    def _import(self, _name: str, node: Mapping) -> Action | None:
        spec = self.reader.mapping(node.get("import"))
        if spec is None or "uri" not in spec.entries:
            self.reader.broken = True
            return None
        uri = value(self.reader, spec.entries["uri"].node) or _unknown(spec.entries["uri"].node)
        type_ = (
            type_of(self.reader, spec.get("type"))
            if "type" in spec.entries
            else ArtifactType("system.Artifact")
        )
        if type_ is not None and (not isinstance(type_, ArtifactType) or type_.many):
            self.reader.fault(
                "bad-import",
                "an import brings in one artifact",
                spec.entries["type"].node.span,
                "name an artifact type such as `Dataset`",
            )
            type_ = None
        metadata = value(self.reader, spec.entries["metadata"].node) if "metadata" in spec.entries else None
        reimport = self.reader.boolean(spec.get("reimport")) or False
        return Import(uri, type_ if isinstance(type_, ArtifactType) else None, reimport, metadata, spec.span)

    def _loop(self, _name: str, node: Mapping) -> Action | None:
        items = value(self.reader, node.entries["forEach"].node)
        tasks = self.tasks(node.get("tasks"))
        if items is None:
            return Loop(_unknown(node.entries["forEach"].node), None, tasks)
        return Loop(items, self.reader.integer(node.get("parallelism")), tasks)

    def _switch(self, _name: str, node: Mapping) -> Action | None:
        branches = tuple(b for b in map(self._branch, self.reader.items(node.get("switch"))) if b is not None)
        return Switch(branches) if branches else None

    def _branch(self, node: Node) -> Branch | None:
        found = self.reader.mapping(node)
        if found is None:
            return None
        when = condition(self.reader, found.get("when"))
        outputs = {}
        for key, entry in self.reader.entries(found.get("outputs")):
            given = value(self.reader, entry.node)
            if given is not None:
                outputs[key] = BranchOutput(key, given, entry.key_span)
        unclear = self.reader.unclear(found, "tasks", "outputs")
        given_outputs = found.get("outputs")
        if isinstance(given_outputs, Mapping):
            unread = given_outputs.entries.keys() - outputs.keys()
            unclear = replace(unclear, names=unclear.names | unread)
        misspelt = any(isinstance(entry.node, Scalar) for _, entry in self.reader.strays_in(found))
        bad_condition = when is None and ("when" in found.entries or misspelt)
        return Branch(when, self.tasks(found.get("tasks")), outputs, found.span, bad_condition, unclear)

    def settings(self, node: Node | None) -> Settings:
        """How a task runs, from the task itself or from `defaults`."""
        given = self.reader.mapping(node)
        if given is None:
            return Settings()
        reader = self.reader
        found = reader.without_strays(given)
        cache, key = self._cache(found.get("cache"))
        variables = env_of(reader, found.get("env")) if "env" in found.entries else None
        return Settings(
            cache=cache,
            cache_key=key,
            retry=self._retry(found.get("retry")),
            timeout=self._timeout(found.get("timeout")),
            profile=reader.name(found.get("profile")),
            resources=resources(reader, found.get("resources")),
            env=variables,
            spans={key: entry.key_span for key, entry in found.entries.items()},
            kubernetes=kubernetes(reader, found.get("kubernetes"), variables or ()),
        )

    def _timeout(self, node: Node | None) -> int | None:
        seconds = self.reader.duration(node)
        if seconds == 0 and node is not None:
            message, help_ = (
                "`timeout` must be at least one second",
                "write a duration such as `30m`, or remove it",
            )
            self.reader.fault("out-of-range", message, node.span, help_)
        return seconds

    def _cache(self, node: Node | None) -> tuple[bool | None, str | None]:
        if isinstance(node, Mapping):
            return True, self.reader.string(node.get("key"))
        return self.reader.boolean(node), None

    def _retry(self, node: Node | None) -> Retry | None:
        found = self.reader.mapping(node)
        most = self.reader.integer(found.get("max")) if found is not None else None
        if found is None or most is None:
            return None
        reader = self.reader
        return Retry(
            most,
            reader.duration(found.get("backoff")),
            reader.number(found.get("factor")),
            reader.duration(found.get("maxDuration")),
        )


def _labels_span(document: Mapping) -> Span | None:
    """The key that holds the labels, or would."""
    holder = document.entries.get("metadata")
    labels = (
        holder.node.entries.get("labels") if holder is not None and isinstance(holder.node, Mapping) else None
    )
    found = labels or holder
    return found.key_span if found is not None else None


def _unknown(node: Node) -> Value:
    return Composite(None, (), node.span)
