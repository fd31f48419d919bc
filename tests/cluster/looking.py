"""What is on both servers, asked of them directly, in a form that two cases may be compared by.

Ids are told as the names of what they belong to, and times of the case itself as `now`. Nothing here is kfgit's code,
so that no mistake of it hides itself.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.stand import Stand

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
# The last word of a mark tells one making of an object from the next.
_OPERATION = re.compile(r"(\[kfgit [0-9a-f]{16} [0-9a-f]{12}) [0-9a-f]{8}\]")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What changes with each apply, whatever it does.
_PASSING = {"created_at", "updated_at", "history", "number", "resourceVersion", "last_run_created_at"}
# Of what KFP keeps: the collection, its key in a list, and the word for one of it.
_KINDS = (
    ("pipelines", "pipelines", "pipeline"),
    ("experiments", "experiments", "experiment"),
    ("recurringruns", "recurringRuns", "recurring_run"),
    ("runs", "runs", "run"),
)

Seen = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Strangers:
    """What somebody else made, whole: it must stay as it is, to the last field."""

    ids: frozenset[str]
    whole: Seen


def strangers(stand: Stand, *ids: str) -> Strangers:
    """Remembers how these objects are now."""
    known = frozenset(ids)
    return Strangers(known, _strangers(stand, known))


def touched(stand: Stand, before: Strangers) -> list[str]:
    """What is not as it was of what somebody else made."""
    return list(differences(before.whole, _strangers(stand, before.ids), "foreign"))


def times(stand: Stand) -> frozenset[str]:
    """All times that stand anywhere, before a case begins: they are the same ones in each case that begins there."""
    found, _ = _found(stand, frozenset())
    return frozenset(_TIME.findall(json.dumps(found)))


def look(stand: Stand, before: Strangers, known: frozenset[str]) -> Seen:
    """All that is ours. Times that are not `known` from before are told as `now`."""
    found, names = _found(stand, before.ids)
    seen: Seen = _plain(found, names, known)
    return seen


def _found(stand: Stand, foreign: frozenset[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What is on the servers, and the names of what has ids there."""
    names = dict[str, str]()
    found: dict[str, Any] = {"pipelines": [], "experiments": [], "schedules": [], "runs": []}
    for kind, key, word in _KINDS:
        for each in stand.kfp.every(kind, key):
            id_ = each[f"{word}_id"]
            # What a client chose is the same in every case.
            if word != "run":
                names[id_] = f"<{word} {each.get('name') or each['display_name']}>"
            if id_ not in foreign:
                found["schedules" if word == "recurring_run" else kind].append(each)
    for each in found["pipelines"]:
        versions = stand.kfp.every(f"pipelines/{each['pipeline_id']}/versions", "pipeline_versions")
        names.update({v["pipeline_version_id"]: f"<version {each['name']} {v['name']}>" for v in versions})
        each["versions"] = versions
    found |= _kubernetes(stand, names)
    return found, names


def _strangers(stand: Stand, ids: frozenset[str]) -> Seen:
    whole: dict[str, Any] = {}
    for kind, key, word in _KINDS:
        for each in stand.kfp.every(kind, key):
            if each[f"{word}_id"] in ids:
                # Whoever starts a run in an experiment writes that down there.
                whole[each[f"{word}_id"]] = {k: v for k, v in each.items() if k != "last_run_created_at"}
    for each in stand.kube.get(f"/api/v1/namespaces/{stand.name}/configmaps")["items"]:
        if each["metadata"]["uid"] in ids:
            whole[each["metadata"]["uid"]] = each
    return whole


def _kubernetes(stand: Stand, names: dict[str, str]) -> dict[str, Any]:
    maps = stand.kube.get(f"/api/v1/namespaces/{stand.name}/configmaps")["items"]
    leases = stand.kube.get(f"/apis/coordination.k8s.io/v1/namespaces/{stand.name}/leases")["items"]
    kept = {path: _kept(stand, path) for path in _kept_paths(stand.name)}
    for each in (each for found in kept.values() for each in found):
        names[each["metadata"]["uid"]] = (
            f"<{each['metadata']['name']} of {each['metadata'].get('namespace')}>"
        )
    return {
        "records": [_record(each) for each in maps if each["metadata"]["name"].startswith("kfgit-")],
        "leases": [bool(each["spec"].get("holderIdentity")) for each in leases],
        "kept": {path: [_said(each) for each in found] for path, found in kept.items()},
    }


def _kept_paths(namespace: str) -> Iterator[str]:
    """Where the objects are that profiles bring."""
    for of, plural in (
        ("api/v1", "resourcequotas"),
        ("api/v1", "limitranges"),
        ("apis/resource.k8s.io/v1", "resourceclaimtemplates"),
    ):
        yield f"/{of}/namespaces/{namespace}/{plural}"
    yield "/apis/scheduling.k8s.io/v1/priorityclasses"
    yield "/apis/resource.k8s.io/v1/deviceclasses"


def _kept(stand: Stand, path: str) -> list[dict[str, Any]]:
    """Those of the stand; what has no namespace has its name."""
    found: list[dict[str, Any]] = stand.kube.get(path)["items"]
    return [each for each in found if "/namespaces/" in path or each["metadata"]["name"].endswith(stand.name)]


def _said(found: Mapping[str, Any]) -> dict[str, Any]:
    parts = ("spec", "value", "globalDefault", "description", "preemptionPolicy")
    return {
        **{key: found.get(key) for key in parts},
        **{key: found["metadata"].get(key) for key in ("name", "labels", "annotations")},
        "managers": sorted({field["manager"] for field in found["metadata"]["managedFields"]}),
    }


def _record(configmap: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        key: json.loads(gzip.decompress(base64.b64decode(value)))
        for key, value in configmap.get("binaryData", {}).items()
    }
    return {"name": configmap["metadata"]["name"], "labels": configmap["metadata"].get("labels"), **values}


def _plain(found: Any, names: Mapping[str, str], known: frozenset[str]) -> Any:
    match found:
        case dict():
            return {k: _plain(v, names, known) for k, v in sorted(found.items()) if k not in _PASSING}
        case list():
            told = [_plain(each, names, known) for each in found]
            return sorted(told, key=lambda each: json.dumps(each, sort_keys=True))
        case str():
            text = _ID.sub(lambda match: names.get(match[0], match[0]), found)
            text = _OPERATION.sub(r"\1 …]", text)
            return _TIME.sub(lambda match: match[0] if match[0] in known else "now", text)
        case _:
            return found


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What differs, for people."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if key not in before or key not in after:
                what = "is missing" if key in before else "is new"
                yield f"{path}.{key} {what}: {json.dumps(before.get(key, after.get(key)))[:300]}"
            else:
                yield from differences(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        gone, new = _without(before, after), _without(after, before)
        if len(gone) == len(new):
            for one, other in zip(gone, new, strict=True):
                yield from differences(one, other, f"{path}[…]")
        else:
            yield from (f"{path} lacks {json.dumps(each)[:300]}" for each in gone)
            yield from (f"{path} has besides {json.dumps(each)[:300]}" for each in new)
    elif before != after:
        yield f"{path} is {json.dumps(after)[:600]}, not {json.dumps(before)[:600]}"


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    left = [json.dumps(each, sort_keys=True) for each in others]
    found = []
    for each in some:
        text = json.dumps(each, sort_keys=True)
        if text in left:
            left.remove(text)
        else:
            found.append(each)
    return found
