"""Where KFP's importer finds its URI: a constant, or an input of the DAG that the import stands in.

Anything else is looked for among those inputs under an empty name, and the task fails (kubeflow/pipelines,
backend/src/v2/component/importer_launcher.go, ImportSpecToArtifact).
"""

from __future__ import annotations

from kfgit.graph.binding import bind
from kfgit.graph.scope import Bound, BoundInput, BoundItem, BoundOutput, BoundRun, Scope
from kfgit.model import Composite, Literal_, Task, Value, Whole


def can_import(scope: Scope, task: Task, uri: Value) -> bool:
    """Whether a cluster can read the URI. What was told to be faulty counts as readable."""
    match uri:
        case Literal_():
            return True
        case Composite(references=references):
            return not references
        case Whole(ref=ref):
            bound = bind(scope, ref)
            return not isinstance(bound, Bound) or _is_input(bound, scope, task)


def _is_input(bound: Bound, scope: Scope, task: Task) -> bool:
    match bound:
        case BoundInput():
            return True
        case BoundItem(field=name):
            return name is None
        case BoundOutput(holder=holder):
            # From outside it comes in as an input of the group; a `when` makes a group of the task alone.
            return holder is not scope or task.when is not None
        case BoundRun():
            return False
