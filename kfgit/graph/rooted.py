"""What belongs to a whole run: a root pipeline says it, and the components of any pipeline may read some of it.

A workspace is one volume of the run, which KFP mounts where the value of an input holds its path (kubeflow/pipelines,
backend/src/v2/driver/driver.go, needsWorkspaceMount).
"""

from __future__ import annotations

from collections.abc import Iterator

from kfgit.diagnostics import Diagnostic, Related
from kfgit.graph.binding import NO_WORKSPACE
from kfgit.graph.scope import Scope
from kfgit.model import Component, Name, Pipeline, UseComponent
from kfgit.references import WorkspaceRef, show


def check_use(scope: Scope, use: UseComponent, component: Component) -> Iterator[Diagnostic]:
    """A component that reads the path of a workspace needs a pipeline that has one."""
    if scope.pipeline.run_policy.workspace is not None:
        return
    place = next((span for ref, span in component.run_facts if isinstance(ref, WorkspaceRef)), None)
    if place is None:
        return
    if use.inline is not None:
        yield Diagnostic("no-workspace", "this pipeline has no workspace", place, NO_WORKSPACE)
        return
    path = show(WorkspaceRef())
    message = f"the component `{component.name}` reads `{path}`, and this pipeline has no workspace"
    related = (Related(f"`{component.name}` reads it", place),)
    yield Diagnostic("no-workspace", message, use.name.span, NO_WORKSPACE, related=related)


def check_nested(inner: Pipeline, use: Name) -> Iterator[Diagnostic]:
    """KFP drops what a nested pipeline says of the whole run."""
    spans = inner.run_policy.spans
    if not spans:
        return
    what = " and ".join(f"`{key}`" for key in spans)
    message = f"the pipeline `{inner.name}` has {what}, which only a root pipeline can have"
    related = tuple(Related(f"`{key}` of `{inner.name}`", span) for key, span in spans.items())
    help_ = "say it in the pipeline that is run; a path or a time that is needed here goes in as an input"
    yield Diagnostic("nested-run-policy", message, use.span, help_, related=related)


def check_policy(pipeline: Pipeline, target: str) -> Iterator[Diagnostic]:
    """What KFP's server may refuse of a workspace when a run begins (argocompiler/argo.go, GetWorkspacePVC)."""
    workspace = pipeline.run_policy.workspace
    if workspace is None or target != "cluster":
        return
    if workspace.size and not workspace.claim.get("accessModes"):
        message = (
            "the workspace names no access modes, which a KFP server without a default of its own refuses"
        )
        help_ = (
            "write `kubernetes: {pvcSpecPatch: {accessModes: [ReadWriteMany]}}`, so that tasks can share it"
        )
        yield Diagnostic("no-access-modes", message, workspace.span, help_, severity="warning")
