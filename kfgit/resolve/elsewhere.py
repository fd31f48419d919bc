"""What environments say of profiles, each for itself, as it stands in their documents.

An environment is checked alone. But a name that it does not map may be one that others do, and a task's `count` that
changes nothing here may be one of GPUs that only they have. Nothing is merged or rendered for that: where a text may
give a profile devices, it counts as if it did, since it takes away mistakes and makes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kfgit.document import Mapping, Node, Scalar, Sequence, at
from kfgit.model import Elsewhere
from kfgit.overlay import Located

_DEVICES = ("accelerator", "resource")
_POINTER = "/spec/accelerator"


def elsewhere(documents: Iterable[Located]) -> Elsewhere:
    """What all environments of a repository say of profiles, by the documents of all of them."""
    documents = tuple(documents)
    profiles = [each for each in documents if each.kind == "ResourceProfile"]
    homes = [each for each in documents if each.kind == "Environment"]
    meanings = [(home.name, *pair) for home in homes for pair in _mapped(home.node)]
    mapped: dict[str, list[str]] = {}
    for environment, name, _ in meanings:
        mapped.setdefault(name, []).append(environment)
    devices = {each.name for each in profiles if at(each.node, ("spec", *_DEVICES)) is not None}
    known = {each.name for each in profiles}
    devices |= {name for home in homes for name in _patched(home.node, known)}
    devices = _inheriting(profiles, devices)
    # A profile that no document has by this name may come out of a template.
    named = {name for _, name, meant in meanings if meant in devices or meant not in known}
    return Elsewhere(
        {name: tuple(sorted(set(found))) for name, found in mapped.items()}, frozenset(devices | named)
    )


def _mapped(home: Mapping) -> Iterator[tuple[str, str]]:
    found = at(home, ("spec", "profiles"))
    for name, entry in found.entries.items() if isinstance(found, Mapping) else ():
        yield name, _text(entry.node) or ""


def _patched(home: Mapping, known: Iterable[str]) -> Iterator[str]:
    """The profiles whose accelerator an environment's patches may change."""
    patches = at(home, ("spec", "patches"))
    for patch in patches.items if isinstance(patches, Sequence) else ():
        if _text(at(patch, ("target", "kind"))) != "ResourceProfile" or not _is_about_devices(patch):
            continue
        name = _text(at(patch, ("target", "name")))
        yield from known if name is None else (name,)


def _is_about_devices(patch: Node) -> bool:
    if at(patch, ("merge", "spec", *_DEVICES)) is not None:
        return True
    operations = at(patch, ("patch",))
    found = operations.items if isinstance(operations, Sequence) else ()
    return any((_text(at(each, ("path",))) or "").startswith(_POINTER) for each in found)


def _inheriting(profiles: Iterable[Located], devices: set[str]) -> set[str]:
    """The profiles with devices of their own, and those that extend them."""
    heirs: dict[str, list[str]] = {}
    for each in profiles:
        heirs.setdefault(_text(at(each.node, ("spec", "extends"))) or "", []).append(each.name)
    found, waiting = set[str](), list(devices)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += heirs.get(name, ())
    return found


def _text(node: Node | None) -> str | None:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None
