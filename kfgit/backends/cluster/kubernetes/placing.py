"""Kubernetes objects, put where they are wanted: applied by the server, and to the very object that was seen."""

from __future__ import annotations

from typing import Any

from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster.changes.applying import Context
from kfgit.backends.cluster.kubernetes import manifests
from kfgit.backends.cluster.kubernetes.manifests import Object
from kfgit.ir import Resource
from kfgit.plan import LiveObject


def put_object(context: Context, desired: Resource, live: LiveObject | None) -> tuple[str, dict[str, Any]]:
    """Makes an object be what is desired; returns its uid and what is to be remembered of it."""
    uid = live.id if live is not None else _uid_of_ours(context, desired)
    if live is not None and live.recreate:
        _remove(context, live)
        uid = None
    context.held()
    answer = context.kube.apply(manifests.manifest(desired, context.owner, uid))
    return str(answer["metadata"]["uid"]), manifests.remembered(answer, desired)


def find_object(context: Context, live: LiveObject) -> Object | None:
    """The very object that was seen, if it is still there."""
    found = context.kube.get(str(live.spec["apiVersion"]), live.kind, live.name)
    return found if found is not None and found["metadata"]["uid"] == live.id else None


def delete_object(context: Context, live: LiveObject) -> None:
    """Removes the very object that was seen."""
    context.held()
    context.kube.delete(str(live.spec["apiVersion"]), live.kind, live.name, live.id)


def _uid_of_ours(context: Context, desired: Resource) -> str | None:
    """The uid of the object that an apply which was cut off has made; None where there is none yet."""
    found = context.kube.get(str(desired.spec["apiVersion"]), desired.kind, desired.name)
    if found is not None and found["metadata"].get("deletionTimestamp"):
        _wait(context, desired.spec, desired.kind, desired.name, str(found["metadata"]["uid"]))
        return None
    if found is None:
        return None
    uid = str(found["metadata"]["uid"])
    if manifests.owner_of(found) != context.owner and context.entry(desired.kind, uid) is None:
        raise Refused(
            f"there is a {desired.kind} `{desired.name}` already, and this project did not make it: rename one of the "
            "two, or take it over with `kfgit adopt`"
        )
    return uid


def _remove(context: Context, live: LiveObject) -> None:
    """Removes an object that cannot be changed in place, and waits until its name is free."""
    delete_object(context, live)
    _wait(context, live.spec, live.kind, live.name, live.id)


def _wait(context: Context, spec: Object, kind: str, name: str, uid: str) -> None:
    """Waits, and not for ever, until an object is gone that is being deleted."""

    def gone() -> bool | None:
        found = context.kube.get(str(spec["apiVersion"]), kind, name)
        return True if found is None or found["metadata"]["uid"] != uid else None

    if context.settled(gone, context.looks) is None:
        raise MachineFault(
            f"{kind} `{name}` is being deleted, and something still holds it (its finalizers say what); "
            "apply again when it is gone"
        )
