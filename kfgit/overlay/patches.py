"""Structural patches of an environment: partial documents and JSON patches (RFC 6902)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from kfgit.diagnostics import Diagnostic, did_you_mean
from kfgit.document import MAX_NODES, Entry, Mapping, Node, Scalar, Sequence, at, plain
from kfgit.overlay.located import KINDS, Located
from kfgit.overlay.merge import Removal, merge, removals
from kfgit.overlay.targets import Key, Targets
from kfgit.source import Span


def apply_patches(
    documents: dict[tuple[str, str], Located],
    environment: str,
    faults: list[Diagnostic],
    removed: dict[tuple[str, str], list[Removal]],
) -> dict[tuple[str, str], Located]:
    """The documents with the patches of their environment carried out; what they remove is put into `removed`."""
    home = documents.get(("Environment", environment))
    patches = at(home.node, ("spec", "patches")) if home is not None else None
    if not isinstance(patches, Sequence):
        return documents
    targets, work, changes = Targets(documents), 0, 0
    for patch in patches.items:
        if not isinstance(patch, Mapping):
            continue
        operations = patch.get("patch")
        count = len(operations.items) if isinstance(operations, Sequence) else 1
        work += count
        hits = _hits(patch, targets, faults) if work <= _MAX_OPERATIONS else ()
        changes += count * len(hits)
        if work > _MAX_OPERATIONS or changes > _MAX_CHANGES:
            faults.append(_too_many(patch.span, work))
            break
        for key in hits:
            _apply_patch(key, patch, targets, faults, removed)
    return targets.documents


# Each operation copies what it changes, and a copy of a copy doubles.
_MAX_OPERATIONS = 1_000
# A selector may mean every document.
_MAX_CHANGES = 50_000
_INDEX = re.compile(r"(?:0|[1-9][0-9]{0,8})\Z")


def _too_many(span: Span, work: int) -> Diagnostic:
    most = f"{_MAX_OPERATIONS:,} operations"
    if work <= _MAX_OPERATIONS:
        most = f"{_MAX_CHANGES:,} changes to make, each operation in each document that it is for"
    message = f"the patches of this environment have more than {most}"
    return Diagnostic(
        "patch-failed", message, span, "write what is different as overlays below `environments/NAME/`"
    )


def _hits(patch: Mapping, targets: Targets, faults: list[Diagnostic]) -> list[Key]:
    """The documents that a patch is for; it is told where it is for none."""
    target = patch.get("target")
    if not isinstance(target, Mapping):
        return []
    kind = target.get("kind")
    if not isinstance(kind, Scalar) or kind.value not in KINDS:
        return []  # the schema of Environment says so
    hits = targets.of(target)
    if not hits and ("name" in target.entries or "selector" in target.entries):
        name = target.get("name")
        if isinstance(name, Scalar):
            names = (name for found, name in targets.documents if found == kind.value)
            message, span = f"there is no {kind.value} `{name.value}` to patch", name.span
            help_ = did_you_mean(str(name.value), names, what=f"documents of kind {kind.value}")
        else:
            message, span = f"no {kind.value} matches this patch", target.span
            help_ = "the labels of `selector` must stand in `metadata.labels`"
        faults.append(Diagnostic("patch-without-target", message, span, help_))
    return hits


def _apply_patch(
    key: Key,
    patch: Mapping,
    targets: Targets,
    faults: list[Diagnostic],
    removed: dict[Key, list[Removal]],
) -> None:
    old, before = targets.documents[key], len(faults)
    node = _patched(old.node, patch, faults, removed.setdefault(key, []))
    if isinstance(node, Mapping):
        targets.put(key, replace(old, node=node, unsound=old.unsound or len(faults) > before))


def _patched(node: Node, patch: Mapping, faults: list[Diagnostic], gone: list[Removal]) -> Node:
    partial = patch.get("merge")
    if isinstance(partial, Mapping):
        other = (
            at(partial, path) for path in _IDENTITY if _text(partial, path) not in {None, _text(node, path)}
        )
        merged = _same(node, merge(node, partial), (next(other, None) or partial).span, faults)
        gone += removals(node, partial) if merged is not node else ()
        return merged
    operations = patch.get("patch")
    if isinstance(operations, Sequence):
        for operation in operations.items:
            if not isinstance(operation, Mapping) or _is_incomplete(operation, faults):
                continue
            result = _operate(node, operation)
            if (
                not isinstance(result, Failure)
                and operation.get("from") is not None
                and size(result) > MAX_NODES
            ):
                result = Failure(f"the document would have more than {MAX_NODES:,} values", "copy less")
            span = operation.entries["path"].node.span if "path" in operation.entries else operation.span
            if isinstance(result, Failure):
                faults.append(Diagnostic("patch-failed", result.message, span, result.help))
            else:
                before, node = node, _same(node, result, span, faults)
                gone += _taken_away(before, operation, span) if node is not before else ()
    return node


def _taken_away(node: Node, operation: Mapping, span: Span) -> Iterator[Removal]:
    """The place that an operation empties."""
    op = operation.get("op")
    key = {"remove": "path", "move": "from"}.get(str(op.value)) if isinstance(op, Scalar) else None
    pointer = _pointer(plain(operation.entries[key].node)) if key is not None else None
    path = _resolved(node, pointer) if pointer is not None else ()
    was = at(node, path)
    if path and was is not None:
        yield Removal(path, span, was.span)


def size(node: Node) -> int:
    """The values below a node, those of shared parts as often as they occur; each part is looked at once."""
    known: dict[int, int] = {}

    def count(node: Node) -> int:
        if isinstance(node, Scalar):
            return 1
        if id(node) not in known:
            below = node.items if isinstance(node, Sequence) else [e.node for e in node.entries.values()]
            known[id(node)] = 1 + sum(map(count, below))
        return known[id(node)]

    return count(node)


_IDENTITY = (("kind",), ("metadata", "name"))


def _same(old: Node, new: Node, span: Span, faults: list[Diagnostic]) -> Node:
    """The patched document, if it still is the one that it was."""
    if all(_text(old, path) == _text(new, path) for path in _IDENTITY):
        return new
    message = "a patch cannot rename a document or change its kind"
    faults.append(
        Diagnostic("patch-failed", message, span, "write the other document below `environments/NAME/`")
    )
    return old


def _text(node: Node, path: tuple[str, ...]) -> object:
    found = at(node, path)
    return found.value if isinstance(found, Scalar) else None


class Failure(NamedTuple):
    """Why an operation cannot be done."""

    message: str
    help: str = "see RFC 6902 for the form of a JSON patch"


_NEEDS = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from"}


def _is_incomplete(operation: Mapping, faults: list[Diagnostic]) -> bool:
    op = operation.get("op")
    needed = _NEEDS.get(str(op.value)) if isinstance(op, Scalar) else None
    if needed is None or needed in operation.entries:
        return False
    message = f"`{needed}` is missing in an operation that shall {plain(op)}" if op is not None else ""
    faults.append(Diagnostic("missing-key", message, operation.span, f"add `{needed}`"))
    return True


def _operate(node: Node, operation: Mapping) -> Node | Failure:
    """One operation of RFC 6902."""
    fields = plain(Mapping({k: e for k, e in operation.entries.items() if k != "value"}, operation.span))
    path = _pointer(fields.get("path"))
    op = fields.get("op")
    if path is None:
        return Failure("the path of a patch begins with `/`")
    match op:
        case "add" | "replace":
            return _put(node, path, operation.entries["value"].node, replace=op == "replace")
        case "remove":
            return _put(node, path, None, replace=True)
        case "test":
            found = at(node, _resolved(node, path))
            same = found is not None and plain(found) == plain(operation.entries["value"].node)
            help_ = "the document has changed since the patch was written; mend the patch"
            return node if same else Failure(f"the test of `{fields['path']}` fails", help_)
        case "copy" | "move":
            source = _pointer(fields.get("from"))
            found = at(node, _resolved(node, source)) if source is not None else None
            if source is None or found is None:
                return Failure(f"there is nothing at `{fields.get('from')}`")
            rest = _put(node, source, None, replace=True) if op == "move" else node
            return rest if isinstance(rest, Failure) else _put(rest, path, found, replace=False)
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
        steps.append(int(step) if isinstance(here, Sequence) and _INDEX.match(step) else step)
    return tuple(steps)


def _put(node: Node, path: tuple[str, ...], value: Node | None, *, replace: bool) -> Node | Failure:
    """`value` at `path`; None removes what is there."""
    step, rest = path[0], path[1:]
    match node:
        case Mapping():
            entry = node.entries.get(step)
            if rest:
                if entry is None:
                    return _nothing_at(step, node)
                below = _put(entry.node, rest, value, replace=replace)
                return below if isinstance(below, Failure) else with_entry(node, step, below)
            if entry is None and replace:
                return _nothing_at(step, node)
            if value is None:
                return Mapping({k: e for k, e in node.entries.items() if k != step}, node.span)
            return with_entry(node, step, value)
        case Sequence():
            return _put_item(node, step, rest, value, replace=replace)
        case _:
            return _nothing_at(step, node)


def _nothing_at(step: str, node: Node) -> Failure:
    known = node.entries if isinstance(node, Mapping) else ()
    return Failure(f"there is nothing at `{step}`", did_you_mean(step, known, what="keys there"))


def with_entry(node: Mapping, key: str, value: Node) -> Mapping:
    """The map with another value under a key."""
    old = node.entries.get(key)
    return Mapping({**node.entries, key: Entry(old.key_span if old else value.span, value)}, node.span)


def _put_item(
    node: Sequence, step: str, rest: tuple[str, ...], value: Node | None, *, replace: bool
) -> Node | Failure:
    items = list(node.items)
    if step == "-" and not rest and not replace and value is not None:
        return Sequence((*items, value), node.span)
    limit = len(items) if replace or rest else len(items) + 1
    if not _INDEX.match(step) or int(step) >= limit:
        return Failure(f"there is no item `{step}`", f"the list has {len(items)} items, counted from 0")
    index = int(step)
    if rest:
        below = _put(items[index], rest, value, replace=replace)
        if isinstance(below, Failure):
            return below
        items[index] = below
    elif value is None:
        del items[index]
    elif replace:
        items[index] = value
    else:
        items.insert(index, value)
    return Sequence(tuple(items), node.span)
