"""Structural patches of an environment: partial documents and JSON patches (RFC 6902)."""

from __future__ import annotations

from typing import Any

from kfgit.diagnostics import Diagnostic, did_you_mean
from kfgit.document import Entry, Mapping, Node, Scalar, Sequence, at, plain
from kfgit.overlay.located import KINDS, Located
from kfgit.overlay.merge import merge
from kfgit.source import Span


def apply_patches(
    documents: dict[tuple[str, str], Located], environment: str, faults: list[Diagnostic]
) -> dict[tuple[str, str], Located]:
    """The documents with the patches of their environment carried out."""
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
    if not hits and ("name" in target.entries or "selector" in target.entries):
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
        return _same(node, merge(node, partial), partial.span, faults)
    operations = patch.get("patch")
    if isinstance(operations, Sequence):
        for operation in operations.items:
            if not isinstance(operation, Mapping):
                continue
            result = _operate(node, operation)
            span = operation.entries["path"].node.span if "path" in operation.entries else operation.span
            if isinstance(result, str):
                faults.append(
                    Diagnostic("patch-failed", result, span, "see RFC 6902 for the form of a JSON patch")
                )
            else:
                node = _same(node, result, span, faults)
    return node


def _same(old: Node, new: Node, span: Span, faults: list[Diagnostic]) -> Node:
    """The patched document, if it still is the one that it was."""
    if all(_text(old, path) == _text(new, path) for path in (("kind",), ("metadata", "name"))):
        return new
    message = "a patch cannot rename a document or change its kind"
    faults.append(
        Diagnostic("patch-failed", message, span, "write the other document below `environments/NAME/`")
    )
    return old


def _text(node: Node, path: tuple[str, ...]) -> object:
    found = at(node, path)
    return found.value if isinstance(found, Scalar) else None


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
            return node  # the schema of Environment says what is wrong


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
                return below if isinstance(below, str) else with_entry(node, step, below)
            if entry is None and replace:
                return missing
            if value is None:
                return Mapping({k: e for k, e in node.entries.items() if k != step}, node.span)
            return with_entry(node, step, value)
        case Sequence():
            return _put_item(node, step, rest, value, replace=replace)
        case _:
            return missing


def with_entry(node: Mapping, key: str, value: Node) -> Mapping:
    """The map with another value under a key."""
    old = node.entries.get(key)
    return Mapping({**node.entries, key: Entry(old.key_span if old else value.span, value)}, node.span)


def _put_item(
    node: Sequence, step: str, rest: tuple[str, ...], value: Node | None, *, replace: bool
) -> Node | str:
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
