"""Kinds that servers have in one of several versions: said in the newest, sent as the server has them; pure.

Everything above the API knows the newest version only, so that an upgrade of the server is no difference to any object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfgit.backends.cluster.kubernetes.faults import Object


@dataclass(frozen=True, slots=True)
class Older:
    """The version before one, and what fields of `spec` were called there, by kind and the newer name."""

    api_version: str
    renamed: Mapping[str, Mapping[str, str]]


# Kueue has v1beta2 since 0.15 (apis/kueue/v1beta1/*_conversion.go there has all that differs).
_OLDER = {
    "kueue.x-k8s.io/v1beta2": Older("kueue.x-k8s.io/v1beta1", {"ClusterQueue": {"cohortName": "cohort"}})
}


def older(api_version: str) -> str | None:
    """The version to ask for where a server does not have one."""
    found = _OLDER.get(api_version)
    return found.api_version if found is not None else None


def sent(manifest: Object, served: str) -> Object:
    """A manifest as a server takes it that has its kind in the version `served`."""
    found = _OLDER.get(manifest["apiVersion"])
    if found is None or served != found.api_version:
        return manifest
    names = found.renamed.get(manifest["kind"], {})
    spec = manifest.get("spec")
    said = {"spec": _renamed(spec, names)} if isinstance(spec, Mapping) else {}
    return {**manifest, **said, "apiVersion": served}


def told(found: Object, api_version: str) -> dict[str, Any]:
    """An object in the version that it was asked for, with what the server says of who set its fields."""
    older_one = _OLDER.get(api_version)
    if older_one is None:
        return dict(found)
    names = {old: new for new, old in older_one.renamed.get(found["kind"], {}).items()}
    told = {**found, "apiVersion": api_version}
    if names and isinstance(found.get("spec"), Mapping):
        told["spec"] = _renamed(found["spec"], names)
    entries = found["metadata"].get("managedFields")
    if names and isinstance(entries, list):
        told["metadata"] = {**found["metadata"], "managedFields": [_entry(each, names) for each in entries]}
    return told


def _entry(entry: Any, names: Mapping[str, str]) -> Any:
    """Who set what; each entry is in the version that it was set in."""
    fields = entry.get("fieldsV1") if isinstance(entry, Mapping) else None
    spec = fields.get("f:spec") if isinstance(fields, Mapping) else None
    if not isinstance(fields, Mapping) or not isinstance(spec, Mapping):
        return entry
    renamed = _renamed(spec, {f"f:{old}": f"f:{new}" for old, new in names.items()})
    return {**entry, "fieldsV1": {**fields, "f:spec": renamed}}


def _renamed(spec: Object, names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in spec.items()}
