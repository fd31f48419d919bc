"""One environment's view of the documents: base, overlay, patches, then Jinja.

Nodes that an environment does not touch stay the same objects, so what is not changed is neither copied nor
checked twice. Every value keeps the span of the text it came from, and rendered ones remember their variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping as MappingOf
from dataclasses import dataclass
from typing import Any

from kfgit import template
from kfgit.diagnostics import Checked, Diagnostic, Related, did_you_mean, nearest
from kfgit.document import Entry, Mapping, Node, Origin, Scalar, Sequence, at, plain
from kfgit.source import Span

API_VERSION = "kfgit.dev/v1"
KINDS = ("Component", "Pipeline", "Schedule", "Run", "Experiment", "ResourceProfile", "Environment", "Project")


@dataclass(frozen=True, slots=True)
class Located:
    """A kfgit document: what it is, where it stands, and for whom (`environment` None = for all)."""

    kind: str
    name: str
    node: Mapping
    file: str
    environment: str | None = None

    @property
    def name_span(self) -> Span:
        """Where the name stands."""
        found = at(self.node, ("metadata", "name"))
        return found.span if found is not None else self.node.span


@dataclass(frozen=True, slots=True)
class View:
    """The documents as one environment sees them. `additions` are those that have no base."""

    environment: str
    documents: tuple[Located, ...]
    additions: frozenset[tuple[str, str]]


def view(documents: Iterable[Located], environment: str, git: MappingOf[str, Any]) -> Checked[View]:
    """What `environment` sees: its overlays merged, its patches applied, its templates rendered."""
    faults: list[Diagnostic] = []
    base = _unique((d for d in documents if d.environment is None), faults)
    own = _unique((d for d in documents if d.environment == environment), faults)
    merged, additions = _merge_overlays(base, own, faults)
    patched = _apply_patches(merged, environment, faults)
    scope, spans = _scope(patched, environment, git)
    rendered = tuple(_rendered(document, scope, spans, faults) for document in patched.values())
    return Checked(View(environment, rendered, additions), tuple(faults))


def _unique(documents: Iterable[Located], faults: list[Diagnostic]) -> dict[tuple[str, str], Located]:
    unique: dict[tuple[str, str], Located] = {}
    for document in documents:
        key = (document.kind, document.name)
        first = unique.setdefault(key, document)
        if first is not document:
            message = f"the {document.kind} `{document.name}` is written twice"
            related = (Related("first written here", first.name_span),)
            faults.append(Diagnostic("duplicate-document", message, document.name_span, "rename or remove one of them", related=related))
    return unique


def _merge_overlays(
    base: dict[tuple[str, str], Located], own: dict[tuple[str, str], Located], faults: list[Diagnostic]
) -> tuple[dict[tuple[str, str], Located], frozenset[tuple[str, str]]]:
    merged = dict(base)
    additions = set()
    for key, document in own.items():
        target = base.get(key)
        if target is not None:
            node = merge(target.node, document.node)
            if isinstance(node, Mapping):
                merged[key] = Located(document.kind, document.name, node, target.file, document.environment)
            continue
        if document.kind not in {"Environment", "Project"}:
            names = [name for kind, name in base if kind == document.kind]
            fault = _addition_fault(document, names)
            if fault is not None:
                faults.append(fault)
                if fault.severity == "error":
                    continue
            additions.add(key)
        merged[key] = document
    return merged, frozenset(additions)


def _addition_fault(document: Located, names: list[str]) -> Diagnostic | None:
    what = f"{document.kind} `{document.name}`"
    if "apiVersion" not in document.node.entries or "spec" not in document.node.entries:
        help_ = did_you_mean(document.name, names, what=f"documents of kind {document.kind}")
        return Diagnostic("overlay-without-target", f"there is no {what} to lay this over", document.name_span, help_)
    close = nearest(document.name, names)
    if close is None or _distance_is_large(document.name, close):
        return None
    message = f"the {what} is new here, and one typo away from `{close}`"
    return Diagnostic("addition-near-base", message, document.name_span, f"write `{close}` to change that one", severity="warning")


def _distance_is_large(one: str, other: str) -> bool:
    """More than one letter added, dropped, changed or swapped."""
    if abs(len(one) - len(other)) > 1:
        return True
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    return not (a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:]))


def merge(target: Node, overlay: Node) -> Node:
    """RFC 7386: maps by key, `null` deletes, lists and scalars replace."""
    if not isinstance(overlay, Mapping):
        return overlay
    entries: dict[str, Entry] = dict(target.entries) if isinstance(target, Mapping) else {}
    for key, entry in overlay.entries.items():
        if _is_null(entry.node):
            entries.pop(key, None)
        elif key in entries:
            old = entries[key]
            new = merge(old.node, entry.node)
            entries[key] = Entry(entry.key_span if not isinstance(new, Mapping) else old.key_span, new)
        else:
            entries[key] = Entry(entry.key_span, merge(Mapping({}, entry.node.span), entry.node))
    span = target.span if isinstance(target, Mapping) else overlay.span
    return Mapping(entries, span)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _apply_patches(
    documents: dict[tuple[str, str], Located], environment: str, faults: list[Diagnostic]
) -> dict[tuple[str, str], Located]:
    home = documents.get(("Environment", environment))
    patches = at(home.node, ("spec", "patches")) if home is not None else None
    if not isinstance(patches, Sequence):
        return documents
    patched = dict(documents)
    for patch in patches.items:
        if isinstance(patch, Mapping):
            _apply_patch(patch, patched, faults)
    return patched


def _apply_patch(patch: Mapping, documents: dict[tuple[str, str], Located], faults: list[Diagnostic]) -> None:
    target = patch.get("target")
    if not isinstance(target, Mapping):
        return
    kind = target.get("kind")
    if not isinstance(kind, Scalar) or kind.value not in KINDS:
        return  # the schema of Environment says so
    hits = [key for key, document in documents.items() if _is_target(document, target)]
    if not hits:
        name = target.get("name")
        names = [name for found, name in documents if found == kind.value]
        if isinstance(name, Scalar):
            message, span = f"there is no {kind.value} `{name.value}` to patch", name.span
            help_ = did_you_mean(str(name.value), names, what=f"documents of kind {kind.value}")
        else:
            message, span = f"no {kind.value} matches this patch", target.span
            help_ = "the labels of `selector` must stand in `metadata.labels`"
        faults.append(Diagnostic("patch-without-target", message, span, help_))
    for key in hits:
        old = documents[key]
        node = _patched(old.node, patch, faults)
        if isinstance(node, Mapping):
            documents[key] = Located(old.kind, old.name, node, old.file, old.environment)


def _is_target(document: Located, target: Mapping) -> bool:
    wanted = plain(target)
    if document.kind != wanted.get("kind") or ("name" in wanted and wanted["name"] != document.name):
        return False
    selector = wanted.get("selector")
    if isinstance(selector, str):
        selector = dict(pair.split("=", 1) for pair in selector.replace(" ", "").split(",") if "=" in pair)
    if not isinstance(selector, dict):
        return "name" in wanted
    labels = at(document.node, ("metadata", "labels"))
    have = plain(labels) if labels is not None else {}
    return isinstance(have, dict) and all(have.get(key) == value for key, value in selector.items())


def _patched(node: Node, patch: Mapping, faults: list[Diagnostic]) -> Node:
    partial = patch.get("merge")
    if isinstance(partial, Mapping):
        return merge(node, partial)
    operations = patch.get("patch")
    if isinstance(operations, Sequence):
        for operation in operations.items:
            if not isinstance(operation, Mapping):
                continue
            result = _operate(node, operation)
            if isinstance(result, str):
                span = operation.entries["path"].node.span if "path" in operation.entries else operation.span
                faults.append(Diagnostic("patch-failed", result, span, "see RFC 6902 for the form of a JSON patch"))
            else:
                node = result
    return node


def _operate(node: Node, operation: Mapping) -> Node | str:
    """One operation of RFC 6902; a text tells why it cannot be done."""
    fields = plain(Mapping({k: e for k, e in operation.entries.items() if k != "value"}, operation.span))
    path = _pointer(fields.get("path"))
    op = fields.get("op")
    if path is None:
        return "the path of a patch begins with `/`"
    match op:
        case "add" | "replace" if "value" in operation.entries:
            return _put(node, path, operation.entries["value"].node, replace=op == "replace")
        case "remove":
            return _put(node, path, None, replace=True)
        case "test" if "value" in operation.entries:
            found = at(node, _resolved(node, path))
            same = found is not None and plain(found) == plain(operation.entries["value"].node)
            return node if same else f"the test of `{fields['path']}` fails"
        case "copy" | "move":
            source = _pointer(fields.get("from"))
            found = at(node, _resolved(node, source)) if source is not None else None
            if source is None or found is None:
                return f"there is nothing at `{fields.get('from')}`"
            rest = _put(node, source, None, replace=True) if op == "move" else node
            return rest if isinstance(rest, str) else _put(rest, path, found, replace=False)
        case _:
            return f"`{op}` is no operation of a JSON patch, or lacks its `value`"


def _pointer(text: Any) -> tuple[str, ...] | None:
    if not isinstance(text, str) or not text.startswith("/"):
        return None
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))


def _resolved(node: Node, path: tuple[str, ...]) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for step in path:
        here = at(node, tuple(steps))
        steps.append(int(step) if isinstance(here, Sequence) and step.isdigit() else step)
    return tuple(steps)


def _put(node: Node, path: tuple[str, ...], value: Node | None, *, replace: bool) -> Node | str:
    """`value` at `path`; None removes what is there."""
    step, rest = path[0], path[1:]
    missing = f"there is nothing at `{step}`"
    match node:
        case Mapping():
            entry = node.entries.get(step)
            if rest:
                if entry is None:
                    return missing
                below = _put(entry.node, rest, value, replace=replace)
                return below if isinstance(below, str) else _with(node, step, below)
            if entry is None and replace:
                return missing
            if value is None:
                return Mapping({k: e for k, e in node.entries.items() if k != step}, node.span)
            return _with(node, step, value)
        case Sequence():
            return _put_item(node, step, rest, value, replace=replace)
        case _:
            return missing


def _with(node: Mapping, key: str, value: Node) -> Mapping:
    old = node.entries.get(key)
    return Mapping({**node.entries, key: Entry(old.key_span if old else value.span, value)}, node.span)


def _put_item(node: Sequence, step: str, rest: tuple[str, ...], value: Node | None, *, replace: bool) -> Node | str:
    items = list(node.items)
    if step == "-" and not rest and not replace and value is not None:
        return Sequence((*items, value), node.span)
    limit = len(items) if replace or rest else len(items) + 1
    if not step.isdigit() or int(step) >= limit:
        return f"there is no item `{step}`"
    index = int(step)
    if rest:
        below = _put(items[index], rest, value, replace=replace)
        if isinstance(below, str):
            return below
        items[index] = below
    elif value is None:
        del items[index]
    elif replace:
        items[index] = value
    else:
        items.insert(index, value)
    return Sequence(tuple(items), node.span)


def _scope(
    documents: MappingOf[tuple[str, str], Located], environment: str, git: MappingOf[str, Any]
) -> tuple[dict[str, Any], dict[str, Node]]:
    """What templates see, and the nodes of the variables, for their provenance."""
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
    return scope, {"vars": variables}


def _about(home: Located | None, environment: str) -> dict[str, Any]:
    spec = plain(home.node).get("spec") if home is not None else None
    spec = spec if isinstance(spec, dict) else {}
    labels = plain(at(home.node, ("metadata", "labels")) or Mapping({}, home.node.span)) if home is not None else {}
    target = spec.get("target")
    namespace = target.get("namespace") if isinstance(target, dict) else None
    return {"name": environment, "mode": spec.get("mode", "production"), "namespace": namespace, "labels": labels}


def _rendered(document: Located, scope: MappingOf[str, Any], spans: MappingOf[str, Node], faults: list[Diagnostic]) -> Located:
    if document.kind == "Project":
        return document
    renderer = _Renderer(scope, spans, faults)
    if document.kind == "Environment":
        node = renderer.environment(document.node)
    else:
        node = renderer.node(document.node)
    if node is document.node or not isinstance(node, Mapping):
        return document
    return Located(document.kind, document.name, node, document.file, document.environment)


class _Renderer:
    """Renders the scalars of one document; keeps what needs no rendering."""

    def __init__(self, scope: MappingOf[str, Any], spans: MappingOf[str, Node], faults: list[Diagnostic]) -> None:
        self._scope, self._spans, self._faults = scope, spans, faults

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
        return _with(node, "spec", Mapping(order, spec.span))

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
                self._faults.append(Diagnostic("template-in-key", "a key cannot be a template", entry.key_span, help_))
            new = self.node(entry.node)
            if new is not entry.node:
                changed[key] = Entry(entry.key_span, new)
        return Mapping({**node.entries, **changed}, node.span) if changed else node

    def _scalar(self, node: Scalar, text: str) -> Node:
        result = template.render(text, self._scope)
        if isinstance(result, template.TemplateFault):
            self._faults.append(Diagnostic(result.code, result.message, node.span, result.help))
            return Scalar(None, node.span, plain=True, origins=(Origin("a template that failed", node.span),))
        origins = tuple(self._origin(path, node.span) for path in result.used)
        return _lifted(result.value, node.span, origins)

    def _origin(self, path: str, template_span: Span) -> Origin:
        root, *steps = path.split(".")
        found = self._spans.get(root)
        for step in steps:
            found = found.get(step) if isinstance(found, Mapping) else None
        return Origin(path, found.span if found is not None and steps else template_span)


def _lifted(value: Any, span: Span, origins: tuple[Origin, ...]) -> Node:
    """A native value as a node that stands where its template stands."""
    if isinstance(value, list):
        return Sequence(tuple(_lifted(item, span, origins) for item in value), span)
    if isinstance(value, dict):
        return Mapping({str(k): Entry(span, _lifted(v, span, origins)) for k, v in value.items()}, span)
    return Scalar(value, span, plain=False, origins=origins)
