"""Resource profiles, each with what it extends folded in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping as MappingOf, Sequence as SequenceOf
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Any

from kfgit.diagnostics import Related, did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence, at
from kfgit.model import Cost, Name, Path, Placement, Profile, Resources
from kfgit.resolve import kept
from kfgit.resolve.kubernetes import number_as_text
from kfgit.resolve.reader import Reader
from kfgit.resolve.resources import resources
from kfgit.resolve.scheduling import check_affinity, check_fixed, check_tolerations
from kfgit.source import Span

# No hour costs more; and a number without an end costs nothing.
_MOST = 1e12
# Of nodes so much is more than anybody writes; each task of a profile has all of it.
_MOST_PLACES = 500
# Nobody follows more; and each profile is looked at together with all that it extends.
_DEEPEST = 32


def read_profiles(
    reader: Reader, documents: MappingOf[str, Mapping], devices: Collection[str] = ()
) -> dict[str, Profile]:
    """All profiles with what they extend folded in; without those that extend nothing or each other, which is told.

    `devices` are those that have an accelerator in some environment: where they have none, nobody misses its resource.
    """
    found: dict[str, Profile] = {}
    told: set[str] = set()
    depths: dict[str, int] = {}
    for start in documents:
        if start in found or start in told:
            continue
        chain, missing = _ancestors(start, documents, found, told)
        if missing is None or missing.text in found:
            base = found[missing.text] if missing is not None else None
            depth = depths[missing.text] if missing is not None else 0
            too_deep = len(chain) + depth - _DEEPEST
            if too_deep > 0:
                _tell_depth(reader, chain[too_deep - 1], documents)
                told.update(chain[:too_deep])
                chain = chain[too_deep:]
            depths |= {name: depth + number for number, name in enumerate(reversed(chain), start=1)}
            for name in reversed(chain):
                base = found[name] if name in found else _folded(reader, name, documents[name], base)
                if name in devices:
                    base = replace(base, resources=base.resources.settled())
                found[name] = base
        elif missing.text in chain:
            circle = chain[chain.index(missing.text) :]
            first = _parent(documents[circle[0]]) or missing
            message = f"profiles extend each other: {' → '.join([*circle, circle[0]])}"
            if len(circle) == 1:
                message = f"the profile `{circle[0]}` extends itself"
            related = (_extension(name, documents[name]) for name in (circle if len(circle) > 1 else ()))
            reader.fault("profile-cycle", message, first.span, "break the circle", *related)
            told.update(chain)
        else:
            if missing.text not in told:
                help_ = did_you_mean(missing.text, documents, what="profiles")
                message = f"there is no ResourceProfile `{missing.text}`"
                reader.fault("unknown-profile", message, missing.span, help_)
            told.update(chain)
    return found


def _tell_depth(reader: Reader, name: str, documents: MappingOf[str, Mapping]) -> None:
    parent = _parent(documents[name])
    assert parent is not None, name
    message = f"`{name}` extends `{parent.text}`, and so on for more than {_DEEPEST} profiles"
    reader.fault("profile-too-deep", message, parent.span, "extend the one whose values it takes")


def _parent(document: Mapping) -> Name | None:
    node = at(document, ("spec", "extends"))
    return Name(node.value, node.span) if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _extension(name: str, document: Mapping) -> Related:
    parent = _parent(document)
    assert parent is not None, name
    return Related(f"`{name}` extends `{parent.text}`", parent.span)


def _ancestors(
    start: str, documents: MappingOf[str, Mapping], found: MappingOf[str, Profile], told: Collection[str]
) -> tuple[list[str], Name | None]:
    """A profile and what it extends, up to one that is known; and what the last extends, known or in vain."""
    chain, last = {start: None}, start
    while True:
        parent = _parent(documents[last])
        if parent is None or parent.text not in documents or parent.text in chain:
            return list(chain), parent
        if parent.text in found or parent.text in told:
            return list(chain), parent
        chain[parent.text], last = None, parent.text


def _folded(reader: Reader, name: str, document: Mapping, base: Profile | None) -> Profile:
    spec = reader.mapping(document.get("spec")) or Mapping({}, document.span)
    base = base or Profile("", document.span, Resources(), Placement())
    own = resources(reader, spec) or Resources()
    placement = _placement(reader, spec, base.placement)
    value = reader.integer(at(spec, ("priority", "value")))
    if value is None and placement.priority == base.placement.priority:
        value = base.priority_value
    return Profile(
        name,
        document.span,
        own.over(base.resources),
        placement,
        _impossible(spec, own, placement, base),
        frozenset(own.spans),
        value,
        _cost(reader, spec) or base.cost,
        kept.queue(reader, spec, base.queue),
        kept.quota(reader, spec, base.quota),
        kept.limit_range(reader, spec, base.limit_range),
        kept.device_class(reader, spec, base.device_class),
        kept.claim(reader, spec, name, base.claim),
        base.name or None,
        dict(_said(spec)),
    )


def _impossible(spec: Mapping, own: Resources, placement: Placement, base: Profile) -> tuple[Name, ...]:
    """What KFP's KubernetesExecutorConfig has no field for; a queue has a priority of its own."""
    inherited = (each for each in base.cluster_only if each.text != "priority" or placement.queue is None)
    found = [Name(key, span) for key, span in own.spans.items() if key.endswith(".ephemeralStorage")]
    # What is no map was told by the schema.
    if placement.queue is None and isinstance(spec.get("priority"), Mapping):
        found.append(Name("priority", spec.entries["priority"].key_span))
    if isinstance(spec.get("claim"), Mapping):
        found.append(Name("claim", spec.entries["claim"].key_span))
    return (*inherited, *found)


def _said(node: Mapping, above: Path = ()) -> Iterator[tuple[Path, Span]]:
    """Everything that a document says itself, each value with its place; a list is one value."""
    for key, entry in node.entries.items():
        if isinstance(entry.node, Mapping) and entry.node.entries:
            yield from _said(entry.node, (*above, key))
        else:
            yield (*above, key), entry.node.span


def _cost(reader: Reader, spec: Mapping) -> Cost | None:
    """What an hour costs; as it is written, and not as a binary fraction."""
    price = reader.number(at(spec, ("cost", "perHour")))
    if price is None or not 0 <= price < _MOST:
        return None
    return Cost(Decimal(str(price)), reader.string(at(spec, ("cost", "currency"))) or "USD")


def _placement(reader: Reader, spec: Mapping, base: Placement) -> Placement:
    """What a profile says of nodes and queues, over what it extends: each key replaces."""
    node = _nodes(reader, spec)
    selector = reader.texts(node.get("selector")) if "selector" in node.entries else None
    check_affinity(reader, node.get("affinity"))
    check_tolerations(reader, node.get("tolerations"))
    check_fixed(reader, node.get("affinity"))
    check_fixed(reader, node.get("tolerations"))
    affinity = reader.plain(node.get("affinity"))
    tolerations = reader.plain(node.get("tolerations"))
    memory = spec.get("sharedMemory")
    return Placement(
        number_as_text(memory) or reader.string(memory) or base.shared_memory,
        base.node_selector if selector is None else selector,
        base.affinity if not isinstance(affinity, list) else _maps(affinity),
        base.tolerations if not isinstance(tolerations, list) else _maps(tolerations),
        _word(reader, spec, "queue", "localQueue") or base.queue,
        _word(reader, spec, "priority", "class") or base.priority,
    )


def _maps(found: SequenceOf[Any]) -> tuple[dict[str, Any], ...]:
    """The maps of a list; what has another form was told by the schema."""
    return tuple(each for each in found if isinstance(each, dict))


def _nodes(reader: Reader, spec: Mapping) -> Mapping:
    """What it says of nodes; nothing of more than anybody writes."""
    found = reader.mapping(spec.get("node"))
    if found is None:
        return Mapping({}, spec.span)
    size = sum(1 for _ in islice(_leaves(found), _MOST_PLACES + 1))
    if size <= _MOST_PLACES:
        return found
    message = f"what is said of nodes has more than {_MOST_PLACES} values"
    reader.fault(
        "placement-too-large", message, spec.entries["node"].key_span, "give the nodes a label for it"
    )
    return Mapping({}, found.span)


def _leaves(node: Node) -> Iterator[Node]:
    match node:
        case Mapping(entries=entries):
            for entry in entries.values():
                yield from _leaves(entry.node)
        case Sequence(items=items):
            for item in items:
                yield from _leaves(item)
        case _:
            yield node


def _word(reader: Reader, spec: Mapping, group: str, key: str) -> str | None:
    found = reader.mapping(spec.get(group))
    return reader.string(found.get(key)) if found is not None else None
