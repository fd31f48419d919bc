"""Kubernetes objects as kfgit writes and reads them: whose they are, and what of them is ours; pure.

An object has much that nobody asked for: defaults, what controllers write, fields of others. kfgit looks at what it
wants and at what it has set before, which the server keeps book of (managedFields, KEP-555). What is equal but written
otherwise (`0.5` and `500m`) only the server knows: what it says to an apply, or to a dry run of one, decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from kfgit.ir import Resource

Object: TypeAlias = Mapping[str, Any]

MANAGER = "kfgit"
MANAGED_BY = "app.kubernetes.io/managed-by"
SET = "kfgit.dev/set"
ID = "kfgit.dev/id"
DIGEST = "kfgit.dev/digest"
# The key of `remembered` words in `Entry.extra`.
SEEN = "seen"

# What the server writes, or what says which object it is.
_NOT_SAID = ("apiVersion", "kind", "status")
_OURS = {"labels": (MANAGED_BY, SET), "annotations": (ID, DIGEST)}


def selector(owner: str) -> str:
    """The labels of everything that a set owns."""
    return f"{MANAGED_BY}={MANAGER},{SET}={owner}"


def manifest(resource: Resource, owner: str, uid: str | None = None) -> dict[str, Any]:
    """What is applied so that a resource is live; with a `uid`, so that no other object of its name is changed.

    The annotation with the object's own kind and name tells it from its copies, which have the labels too.
    """
    said = resource.spec.get("metadata") or {}
    labels = {**(said.get("labels") or {}), MANAGED_BY: MANAGER, SET: owner}
    notes = {
        **(said.get("annotations") or {}),
        ID: identity(owner, resource.kind, resource.name),
        DIGEST: resource.digest,
    }
    metadata = {**said, "name": resource.name, "labels": labels, "annotations": notes}
    if uid is not None:
        metadata["uid"] = uid
    return {**resource.spec, "kind": resource.kind, "metadata": metadata}


def identity(owner: str, kind: str, name: str) -> str:
    """What an object of ours says of itself."""
    return f"{owner}:{kind}/{name}"


def owner_of(live: Object) -> str | None:
    """The set that an object belongs to, where it is the very one that was marked and no copy."""
    metadata = live["metadata"]
    owner = (metadata.get("labels") or {}).get(SET)
    said = (metadata.get("annotations") or {}).get(ID)
    return owner if owner and said == identity(owner, live["kind"], metadata["name"]) else None


def applied_digest(live: Object) -> str | None:
    """The digest of what an object was made of, as it says itself."""
    found = (live["metadata"].get("annotations") or {}).get(DIGEST)
    return found if isinstance(found, str) else None


def spec_of(live: Object, wanted: Object | None = None) -> dict[str, Any]:
    """A live object as the spec of a resource: what kfgit has set of it, and what is wanted of it (another spec)."""
    fields = _fields(live)
    body = _without_others({key: value for key, value in live.items() if key not in _NOT_SAID}, fields)
    # What kfgit has never applied has nothing of it.
    found = merged(_owned(body, fields) if fields else {}, _shaped(body, wanted or {}))
    metadata = _said(found.pop("metadata", {}))
    return {
        "apiVersion": live["apiVersion"],
        **({"metadata": metadata} if metadata else {}),
        **{key: found[key] for key in sorted(found)},
    }


def merged(one: Any, other: Any) -> Any:
    """Both values as one; where they differ the second counts."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {
            key: merged(one[key], other[key]) if key in one and key in other else other.get(key, one.get(key))
            for key in {**one, **other}
        }
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [merged(*each) for each in zip(one, other, strict=True)]
    return other


def remembered(answer: Object, resource: Resource) -> dict[str, Any]:
    """What an entry keeps beside the spec that was applied: the server's words for it, where they are others."""
    seen = spec_of(answer, resource.spec)
    return {} if seen == resource.spec else {SEEN: seen}


def settled(spec: Any, seen: Any, told: Any, words: Any) -> Any:
    """`spec`, with `words` for all of which the server says the same now (`seen`) as it would for them (`told`).

    `spec` is what was seen, perhaps settled with other words before.
    """
    if seen == told:
        return words
    if all(isinstance(each, Mapping) for each in (spec, seen, told, words)):
        return dict(_settled_keys(spec, seen, told, words))
    if all(isinstance(each, list) and len(each) == len(seen) for each in (spec, seen, told, words)):
        return [settled(*each) for each in zip(spec, seen, told, words, strict=True)]
    return spec


def _settled_keys(spec: Object, seen: Object, told: Object, words: Object) -> Iterator[tuple[str, Any]]:
    for key in sorted({*spec, *words}):
        if key in words and key not in seen and key not in told:
            # The server leaves it out either way: an empty list, null.
            yield key, words[key]
        elif key in spec and key in seen and key in told and key in words:
            yield key, settled(spec[key], seen[key], told[key], words[key])
        elif key in spec:
            yield key, spec[key]


def _said(metadata: Object) -> dict[str, Any]:
    """Metadata without what kfgit adds."""
    said: dict[str, Any] = {}
    for key in sorted(metadata):
        own = _OURS.get(key, ())
        value = metadata[key]
        kept = {k: v for k, v in value.items() if k not in own} if isinstance(value, Mapping) else value
        if kept and key != "name":
            said[key] = kept
    return said


def _fields(live: Object) -> Object:
    """What kfgit has applied, as the server keeps book of it: FieldsV1."""
    for each in live["metadata"].get("managedFields") or ():
        if (
            each.get("manager") == MANAGER
            and each.get("operation") == "Apply"
            and not each.get("subresource")
        ):
            fields: Object = each.get("fieldsV1") or {}
            return fields
    return {}


def _without_others(value: Any, fields: Object) -> Any:
    """A value without the items that others have put into lists of which kfgit has set some items.

    FieldsV1 (structured-merge-diff, fieldpath/serialize.go) names a key by `f:`, an item of a list by some of its keys
    (`k:`) or by its value (`v:`). A list that is one value has no names below its own.
    """
    if isinstance(value, Mapping):
        return {key: _without_others(each, fields.get(f"f:{key}", {})) for key, each in value.items()}
    if isinstance(value, list) and any(path != "." for path in fields):
        return [_without_others(item, below) for item, below in _items(value, fields)]
    return value


def _owned(value: Any, fields: Object) -> Any:
    """The part of a value that FieldsV1 names; where nothing stands below a name it is all that is there."""
    if not fields or set(fields) == {"."}:
        return value
    if isinstance(value, Mapping):
        return {key: _owned(value[key], fields[f"f:{key}"]) for key in value if f"f:{key}" in fields}
    if isinstance(value, list):
        return [_owned(item, below) for item, below in _items(value, fields)]
    return value


def _items(value: Sequence[Any], fields: Object) -> Iterator[tuple[Any, Object]]:
    """The items that kfgit has set, and what of them."""
    for item in value:
        for path, below in fields.items():
            if path != "." and _is_item(item, path):
                yield item, below


def _is_item(item: Any, path: str) -> bool:
    sort, _, text = path.partition(":")
    try:
        key = json.loads(text)
    except ValueError:
        return False
    match sort:
        case "v":
            return bool(item == key)
        case "k":
            return isinstance(item, Mapping) and all(item.get(name) == of for name, of in key.items())
        case _:
            return False


def _shaped(value: Any, wanted: Any) -> Any:
    """The part of a value that has a counterpart in what is wanted."""
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return {key: _shaped(value[key], wanted[key]) for key in value if key in wanted}
    if isinstance(value, list) and isinstance(wanted, list) and len(value) == len(wanted):
        return [_shaped(one, other) for one, other in zip(value, wanted, strict=True)]
    return value
