"""Looks a cluster over for `kfgit doctor`: what can be reached, as whom, what is missing, and what to do about it.

Each look stands alone: what one of them cannot see is told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from kfgit.backend import Finding, MachineFault
from kfgit.backends.cluster import nodes, queues, rights
from kfgit.backends.cluster.backend import ClusterBackend
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.kubernetes import lacking, references
from kfgit.backends.cluster.kubernetes.objects import is_kubernetes
from kfgit.backends.cluster.rights import Right
from kfgit.ir import Resource
from kfgit.model import Project

# How KFP is installed (manifests/kustomize/base/pipeline/ml-pipeline-scheduledworkflow-deployment.yaml).
_CONTROLLER = "ml-pipeline-scheduledworkflow"
_ZONE_VARIABLE = "CRON_SCHEDULE_TIMEZONE"


def examine(
    backend: ClusterBackend, desired: Sequence[Resource], project: Project | None, *, secrets: bool
) -> Iterator[Finding]:
    """Everything that is found; `desired` is empty and there is no `project` where the source has mistakes."""
    reached = list(_kubernetes(backend))
    yield from reached
    if not any(found.state == "problem" for found in reached):
        yield from _looked("rights", lambda: _rights(backend, desired))
        yield from _looked("accounts", lambda: _accounts(backend, desired))
        yield from _looked("kinds", lambda: _kinds(backend, desired))
        yield from _looked("queues", lambda: queues.examine(backend.kube, desired))
        yield from _looked("references", lambda: _references(backend, desired, secrets=secrets))
        yield from _looked("inventory", lambda: _inventory(backend))
        yield from _looked("lock", lambda: _lock(backend))
        if project is not None:
            yield from _looked("nodes", lambda: nodes.examine(backend.kube, project))
    yield from _looked("kfp", lambda: _kfp(backend))
    yield from _looked("time zone", lambda: _zone(backend))


def _looked(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from list(look())
    except MachineFault as fault:
        yield Finding(name, "problem", str(fault))


def _kubernetes(backend: ClusterBackend) -> Iterator[Finding]:
    kube, namespace = backend.connection.kube, backend.connection.namespace
    try:
        version = kube.read("GET", "/version").json()
    except MachineFault as fault:
        help_ = "see `target.context` of the environment, and the kubeconfig (KUBECONFIG)"
        yield Finding("kubernetes", "problem", str(fault), help_)
        return
    release = version.get("gitVersion", "?") if isinstance(version, Mapping) else "?"
    yield Finding("kubernetes", "ok", f"{kube.place} answers, {release}{_as_whom(backend)}")
    try:
        uid = backend.uid
    except MachineFault as fault:
        yield Finding(
            "namespace",
            "problem",
            str(fault),
            f"kubectl create namespace {namespace}, or ask for rights in it",
        )
        return
    yield Finding("namespace", "ok", f"{namespace} (uid {uid})")


def _as_whom(backend: ClusterBackend) -> str:
    try:
        user = rights.who(backend.connection.kube)
    except MachineFault:  # before Kubernetes 1.28
        return ""
    return f", as {user}" if user else ""


def _rights(backend: ClusterBackend, desired: Sequence[Resource]) -> Iterator[Finding]:
    kinds = {resource.kind for resource in desired}
    theirs = lacking.of_others(desired)
    wanted = rights.needed(backend.settings.target, backend.connection.namespace, kinds, theirs)
    denied = rights.missing(backend.connection.kube, wanted)
    if not denied:
        yield Finding("rights", "ok", f"all {len(wanted)} that kfgit needs")
    for right in denied:
        yield Finding(
            "rights", "problem", f"may not {right.verb} {right.resource} {_where(right)}", _grant(right)
        )


def _where(right: Right) -> str:
    return "in the whole cluster" if right.namespace is None else f"in {right.namespace}"


def _grant(right: Right) -> str:
    role = "a ClusterRole" if right.namespace is None else f"a Role in {right.namespace}"
    return f"add the rule `{right.rule}` to {role}; deploy/ has all of them"


def _kinds(backend: ClusterBackend, desired: Sequence[Resource]) -> Iterator[Finding]:
    """What profiles want that the cluster has no kinds for, and the queues of others that tasks name in vain."""
    kube = backend.kube
    wanted = {(str(each.spec["apiVersion"]), each.kind) for each in desired if is_kubernetes(each.spec)}
    told = lacking.of_queues(desired, kube)
    found = dict.fromkeys((*lacking.of_kinds(kube, wanted).values(), *told.lacks))
    queued = lacking.goes_through_queues(desired)
    for lack in found:
        is_needed = queued and lack.group == lacking.GROUP
        yield Finding("kinds", "problem" if is_needed else "note", lack.message, lack.help)
    for remark in told.remarks:
        yield Finding("kinds", "note", remark)
    if wanted and not found:
        yield Finding("kinds", "ok", f"it has all that are wanted: {', '.join(sorted(k for _, k in wanted))}")


def _kfp(backend: ClusterBackend) -> Iterator[Finding]:
    can, kfp = backend.can, backend.kfp
    health = can.health
    users = "for many users" if health.multi_user else "for one user"
    release = "of unknown release" if health.tag_name == "unknown" else health.tag_name
    yield Finding(
        "kfp", "ok", f"{kfp.wire.place} answers, {release}, {users}, pipelines in the {health.pipeline_store}"
    )
    features = {"tags": can.tags, "propagation policies": can.orphan}
    for remark in can.remarks():
        yield Finding("kfp", "note", remark)
    if all(features.values()):
        yield Finding("kfp", "ok", f"it can all that kfgit uses: {', '.join(features)}")
    kfp.experiments()  # raises what is missing


def _zone(backend: ClusterBackend) -> Iterator[Finding]:
    server = backend.settings.target.kfp
    said = server.timezone
    path = f"/apis/apps/v1/namespaces/{quote(server.service_namespace, safe='')}/deployments/{_CONTROLLER}"
    wanted = f"{said}, says the environment (`target.kfp.timezone`)"
    look = f"kubectl -n {server.service_namespace} get deployment {_CONTROLLER} -o yaml | grep -A1 {_ZONE_VARIABLE}"
    try:
        answer = backend.connection.kube.read("GET", path)
        found = _told_zone(answer.json()) if answer.status == 200 else None
    except MachineFault:
        found = None
    if found is None:
        yield Finding(
            "time zone", "note", f"{wanted}; KFP does not tell its controller's, and it must be that", look
        )
    elif found == said:
        yield Finding("time zone", "ok", f"{wanted}, and so does KFP's controller")
    else:
        help_ = f"write `timezone: {found}` there, or change {_ZONE_VARIABLE} of {_CONTROLLER}"
        yield Finding("time zone", "problem", f"{wanted}, but KFP's controller has {found}", help_)


def _told_zone(deployment: Any) -> str | None:
    """The variable where it stands in the deployment itself; None where it comes from elsewhere."""
    try:
        containers = deployment["spec"]["template"]["spec"]["containers"]
        found = [
            each for one in containers for each in one.get("env") or () if each["name"] == _ZONE_VARIABLE
        ]
    except (KeyError, TypeError, AttributeError):
        return None
    if not found:
        return "UTC"
    value = found[0].get("value")
    return str(value) if value else None


def _accounts(backend: ClusterBackend, desired: Sequence[Resource]) -> Iterator[Finding]:
    named = {str(account) for each in desired if (account := each.spec.get("serviceAccount"))}
    own = backend.settings.target.service_account
    namespace = backend.connection.namespace
    for name in sorted({*named, *([own] if own else [])}):
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}"
        try:
            status = backend.connection.kube.read("GET", path).status
        except Forbidden:
            yield Finding(
                "account", "note", f"runs are to be {name}, which kfgit may not look for in {namespace}"
            )
            continue
        if status == 200:
            yield Finding("account", "ok", f"runs are {name} of {namespace}")
        else:
            yield Finding(
                "account",
                "problem",
                f"runs are to be {name}, and {namespace} has no such service account",
                f"kubectl -n {namespace} create serviceaccount {name}, with the rights that pipelines need",
            )


def _references(backend: ClusterBackend, desired: Sequence[Resource], *, secrets: bool) -> Iterator[Finding]:
    for (_, pipeline), notes in sorted(references.missing(desired, backend.kube, secrets=secrets).items()):
        for note in notes:
            yield Finding("references", "problem", f"{pipeline}: {note}")


def _inventory(backend: ClusterBackend) -> Iterator[Finding]:
    inventory = backend.ledger.read()
    if inventory.version is None:
        yield Finding("inventory", "ok", "none yet; the first apply makes it")
        return
    count = len(inventory.entries)
    yield Finding("inventory", "ok", f"{count} object{'' if count == 1 else 's'} of this project are known")
    if inventory.journal is not None:
        help_ = f"kfgit apply -e {backend.environment} ends what it began, if it is not still at it"
        yield Finding("inventory", "note", f"the apply by {inventory.journal.who} has not ended", help_)


def _lock(backend: ClusterBackend) -> Iterator[Finding]:
    holder = backend.applying()
    yield Finding("lock", "ok", "free") if holder is None else Finding("lock", "note", holder)
