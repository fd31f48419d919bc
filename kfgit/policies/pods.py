"""Quotas that no pod of KFP gets past: containers beside the task's own ask for something too, or do not say what.

Each pod of a task has an init container that asks for 100m of cpu, and for as much memory as it may use, 256Mi in KFP
2.17 (launcherResources in backend/src/v2/compiler/argocompiler/argo.go). Kueue admits no pod that asks for what its
ClusterQueue has no quota for (pkg/scheduler/flavorassigner). A ResourceQuota for cpu or memory refuses pods with a
container that asks for none, and Argo's own says nothing of them (manifests/kustomize/third-party/argo/base).
"""

from __future__ import annotations

from collections.abc import Iterator

from kfgit.demand import Quotas
from kfgit.diagnostics import Diagnostic
from kfgit.model import Project
from kfgit.policies.wanted import EACH_POD
from kfgit.source import Span


def check(project: Project, found: Quotas) -> Iterator[Diagnostic]:
    """What is missing beside the quotas of an environment; warnings, since a cluster may be set up otherwise."""
    yield from _queues(found)
    yield from _namespace(project, found)


def _queues(found: Quotas) -> Iterator[Diagnostic]:
    spans: dict[str | None, list[Span]] = {}
    for quota in found.all:
        spans.setdefault(quota.queue, []).append(quota.span)
    for queue, covered in found.covered.items():
        missing = [name for name in EACH_POD if name not in covered]
        if missing and queue in spans:
            what = " and ".join(missing)
            message = (
                f"the ClusterQueue `{queue}` has no quota for {what}, and Kueue admits no pod that asks for it: each "
                "pod of KFP does"
            )
            keys = ", ".join(f"`{name}`" for name in missing)
            help_ = f"add {keys} to the quota, unless Kueue's configuration excludes it"
            yield Diagnostic("quota-incomplete", message, min(spans[queue]), help_, "warning")


def _namespace(project: Project, found: Quotas) -> Iterator[Diagnostic]:
    limits = [p.limit_range for p in project.profiles.values() if p.limit_range is not None]
    defaults = {name for each in limits for name in (*each.default, *each.default_request)}
    for quota in found.all:
        if quota.queue is None and quota.resource in EACH_POD and quota.resource not in defaults:
            message = (
                f"a namespace with a quota for {quota.resource} refuses each pod with a container that does not say "
                "how much it asks for, and Argo's container beside each task does not"
            )
            example = {"cpu": "100m", "memory": "128Mi"}[quota.resource]
            default = f"limitRange: {{defaultRequest: {{{quota.resource}: {example}}}}}"
            help_ = f"add `{default}` to a profile, unless the namespace has such a default"
            yield Diagnostic("quota-incomplete", message, quota.span, help_, "warning")
