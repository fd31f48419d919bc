"""Where a runtime reference may not stand: what decides a task before it runs cannot wait for a value."""

from __future__ import annotations

from collections.abc import Iterator

from kfgit import references
from kfgit.document import Mapping, Node, Scalar, Sequence
from kfgit.resolve.reader import Reader

# Below these keys references are allowed, or told about by those who read them.
_ELSEWHERE = frozenset(
    "inputs outputs when forEach command args script source uri metadata from description default image env"
    " kubernetes createPvc deletePvc".split()
)


def check_places(reader: Reader, spec: Node | None) -> None:
    """Tells of references in keys that hold none, such as `displayName`."""
    for key, node in _texts("", spec, reader) if spec is not None else ():
        if isinstance(node.value, str) and references.scan_shell(node.value)[0].references:
            message = f"`{key}` cannot hold a reference"
            reader.fault("reference-not-allowed", message, node.span, "choose it with `{{ vars.… }}`")


def _texts(key: str, node: Node, reader: Reader) -> Iterator[tuple[str, Scalar]]:
    match node:
        case Scalar():
            if isinstance(node.value, str) and "$(" in node.value:
                yield key, node
        case Sequence():
            for item in node.items:
                yield from _texts(key, item, reader)
        case Mapping():
            for inner, entry in node.entries.items():
                if inner not in _ELSEWHERE and entry.key_span not in reader.strays:
                    yield from _texts(inner, entry.node, reader)
