"""Jinja over one environment's documents, scalar by scalar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping as MappingOf
from dataclasses import replace
from typing import Any

from kfgit import template
from kfgit.diagnostics import Diagnostic
from kfgit.document import Entry, Mapping, Node, Origin, Scalar, Sequence, at, failed, plain, texts
from kfgit.overlay.located import Located
from kfgit.overlay.merge import merge
from kfgit.overlay.patches import with_entry
from kfgit.overlay.provenance import Sources
from kfgit.source import Span


def scope_of(
    documents: MappingOf[tuple[str, str], Located], environment: str, git: MappingOf[str, Any]
) -> tuple[dict[str, Any], Sources]:
    """What templates see, and the nodes behind it, for their provenance."""
    project = next((d for (kind, _), d in documents.items() if kind == "Project"), None)
    home = documents.get(("Environment", environment))
    common = at(project.node, ("spec", "vars")) if project is not None else None
    special = at(home.node, ("spec", "vars")) if home is not None else None
    variables: Node = Mapping({}, Span("", 1, 1, 1, 1))
    for part in (common, special):
        if isinstance(part, Mapping):
            variables = merge(variables, part)
    scope = {
        "vars": plain(variables),
        "env": _about(home, environment),
        "git": {"sha": None, "branch": None, "tag": None, **git},
        "project": {"name": project.name if project is not None else None},
    }
    return scope, Sources(variables, home, project)


def template_variables(node: Node) -> Iterator[Diagnostic]:
    """Variables are what templates are filled with: none of them is a template."""
    for text, leaf in texts(node):
        if template.is_template(text):
            help_ = "write the value out, or put the template where the variable is used"
            yield Diagnostic("template-not-allowed", "a variable cannot hold a template", leaf.span, help_)


def _about(home: Located | None, environment: str) -> dict[str, Any]:
    spec = plain(home.node).get("spec") if home is not None else None
    spec = spec if isinstance(spec, dict) else {}
    labels = (
        plain(at(home.node, ("metadata", "labels")) or Mapping({}, home.node.span))
        if home is not None
        else {}
    )
    target = spec.get("target")
    namespace = target.get("namespace") if isinstance(target, dict) else None
    return {
        "name": environment,
        "mode": spec.get("mode", "production"),
        "namespace": namespace,
        "labels": labels,
    }


def rendered(
    document: Located,
    scope: MappingOf[str, Any],
    sources: Sources,
    faults: list[Diagnostic],
    work: template.Work,
) -> Located:
    """The document with its templates rendered; the same object where there are none."""
    if document.kind == "Project":
        return document
    before = len(faults)
    renderer = _Renderer(scope, sources, faults, work)
    render = renderer.environment if document.kind == "Environment" else renderer.node
    node = render(document.node)
    unsound = document.unsound or len(faults) > before
    if not isinstance(node, Mapping) or (node is document.node and unsound == document.unsound):
        return document
    return replace(document, node=node, unsound=unsound)


class _Renderer:
    """Renders the scalars of one document; keeps what needs no rendering."""

    def __init__(
        self,
        scope: MappingOf[str, Any],
        sources: Sources,
        faults: list[Diagnostic],
        work: template.Work,
    ) -> None:
        self._scope, self._sources, self._faults, self._work = scope, sources, faults, work

    def environment(self, node: Mapping) -> Node:
        """An Environment may use the variables, but they themselves and its patches are plain."""
        spec = node.get("spec")
        if not isinstance(spec, Mapping):
            return node
        kept = {key: entry for key, entry in spec.entries.items() if key in {"vars", "patches"}}
        rest = self.node(Mapping({k: e for k, e in spec.entries.items() if k not in kept}, spec.span))
        if not isinstance(rest, Mapping):
            return node
        order = {key: kept.get(key) or rest.entries[key] for key in spec.entries}
        return with_entry(node, "spec", Mapping(order, spec.span))

    def node(self, node: Node) -> Node:
        match node:
            case Scalar():
                if isinstance(node.value, str) and "{" in node.value and template.is_template(node.value):
                    return self._scalar(node, node.value)
                return node
            case Sequence():
                items = tuple(self.node(item) for item in node.items)
                same = all(new is old for new, old in zip(items, node.items, strict=True))
                return node if same else Sequence(items, node.span)
            case Mapping():
                return self._mapping(node)

    def _mapping(self, node: Mapping) -> Node:
        changed: dict[str, Entry] = {}
        for key, entry in node.entries.items():
            if "{" in key and template.is_template(key):
                help_ = "use an overlay or a patch to change keys"
                self._faults.append(
                    Diagnostic("template-in-key", "a key cannot be a template", entry.key_span, help_)
                )
            new = self.node(entry.node)
            if new is not entry.node:
                changed[key] = Entry(entry.key_span, new)
        return Mapping({**node.entries, **changed}, node.span) if changed else node

    def _scalar(self, node: Scalar, text: str) -> Node:
        result = template.render(text, self._scope, self._work)
        if isinstance(result, template.TemplateFault):
            self._faults.append(Diagnostic(result.code, result.message, node.span, template.remedy(result)))
            return failed(node.span, "a template that failed")
        handed_on = self._sources.whole(result.used, result.value)
        if handed_on is not None:
            return _handed_on(*handed_on, node.span)
        return _lifted(result.value, node.span, self._sources.origins(result.used))


def _handed_on(name: str, node: Node, span: Span) -> Node:
    """A variable's map or list where a template put it: each value in it knows its own place."""
    match node:
        case Scalar():
            return Scalar(node.value, span, plain=False, origins=(Origin(name, node.span),))
        case Sequence():
            items = enumerate(node.items)
            return Sequence(tuple(_handed_on(f"{name}.{i}", item, span) for i, item in items), span)
        case Mapping():
            entries = node.entries.items()
            return Mapping(
                {k: Entry(span, _handed_on(f"{name}.{k}", e.node, span)) for k, e in entries}, span
            )


def _lifted(value: Any, span: Span, origins: tuple[Origin, ...]) -> Node:
    """A native value as a node that stands where its template stands."""
    if isinstance(value, list):
        return Sequence(tuple(_lifted(item, span, origins) for item in value), span)
    if isinstance(value, dict):
        return Mapping({str(k): Entry(span, _lifted(v, span, origins)) for k, v in value.items()}, span)
    return Scalar(value, span, plain=False, origins=origins)
