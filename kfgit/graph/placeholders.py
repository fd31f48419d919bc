"""Texts whose references a KFP server does not fill in, though the compiler writes them as the SDK does.

A placeholder is filled in where a component's program is given the text: by the driver and the launcher, in arguments
and in the executor input (kubeflow/pipelines, backend/src/v2/driver/util.go and component/launcher_v2.go). A nested
pipeline has no program, so its input is the text with the placeholder in it, and so is what its tasks read. An importer
has none either: its metadata are copied as they stand (component/importer_launcher.go). Only the path of the workspace
is put in by whoever resolves an input (driver/resolve.go).
"""

from __future__ import annotations

from collections.abc import Iterator

from kfgit.diagnostics import Diagnostic
from kfgit.graph.binding import references_of
from kfgit.model import Composite, Import, Name, Task
from kfgit.references import Text, WorkspaceRef, show


def check_metadata(action: Import) -> Iterator[Diagnostic]:
    """References in the metadata of an import."""
    for ref, place in references_of(action.metadata):
        message = f"KFP keeps `{show(ref)}` as a text here, and puts no value in"
        help_ = "choose it with `{{ vars.… }}`, or write the metadata in a component that makes the artifact"
        yield Diagnostic("metadata-as-text", message, place, help_, severity="warning")


def check_handed_on(task: Task, pipeline: Name) -> Iterator[Diagnostic]:
    """Texts, lists and maps with references, given to a nested pipeline."""
    for name, value in task.inputs.items():
        if not isinstance(value, Composite):
            continue
        for ref, place in references_of(value):
            if not (isinstance(ref, WorkspaceRef) and isinstance(value.value, Text)):
                message = f"KFP hands `{name}` to `{pipeline.text}` without the value of `{show(ref)}` in it"
                help_ = "give the pipeline the values, and put them together where its tasks use them"
                yield Diagnostic("text-into-pipeline", message, place, help_, severity="warning")
                break
