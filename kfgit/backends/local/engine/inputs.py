"""Whether a run's inputs fit its pipeline: every problem at once, each as one sentence.

Nothing is converted: a caller that reads text (a flag, a file) makes it the declared type first. A whole double stands
for an integer, since JSON has one kind of number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfgit.backends.local.engine.program import Component, Parameter, Program
from kfgit.backends.local.engine.values import Mismatch, check_literals, coerce, kind
from kfgit.diagnostics import did_you_mean
from kfgit.events import Artifact


def check_inputs(
    program: Program, parameters: Mapping[str, Any], artifacts: Mapping[str, Sequence[Artifact]]
) -> tuple[str, ...]:
    """What is wrong with the inputs of a run, in the order of their names; empty if they fit."""
    root = program.root
    return (
        *_unknown(root, parameters, artifacts),
        *_parameters(root, parameters),
        *_artifacts(root, artifacts),
    )


def _unknown(root: Component, parameters: Mapping[str, Any], artifacts: Mapping[str, Any]) -> Iterator[str]:
    known = (*root.parameters, *root.artifacts)
    for name in sorted({*parameters, *artifacts}):
        if name in parameters and name in root.artifacts:
            yield f"the input `{name}` is an artifact, not a parameter"
        elif name in artifacts and name in root.parameters:
            yield f"the input `{name}` is a parameter, not an artifact"
        elif name not in known:
            yield f"the pipeline has no input `{name}`; {did_you_mean(name, known, what='its inputs')}"


def _parameters(root: Component, given: Mapping[str, Any]) -> Iterator[str]:
    for name, declared in sorted(root.parameters.items()):
        value = given.get(name)
        if value is None:
            if declared.required:
                yield f"the input `{name}` is required and was not given"
            continue
        problem = _problem(declared, value)
        if problem is not None:
            yield f"the input `{name}` {problem}"


def _problem(declared: Parameter, value: Any) -> str | None:
    if declared.type == "STRING" and not isinstance(value, str):
        return f"expects a string, got {kind(value)}"
    try:
        check_literals(declared.literals, coerce(declared.type, value))
    except Mismatch as fault:
        return str(fault)
    except RecursionError:
        return "is nested too deeply"
    return None


def _artifacts(root: Component, given: Mapping[str, Sequence[Artifact]]) -> Iterator[str]:
    for name, slot in sorted(root.artifacts.items()):
        count = len(given.get(name, ()))
        if not slot.optional and name not in given:
            yield f"the input artifact `{name}` is required and was not given"
        elif name in given and not slot.many and count != 1:
            yield f"the input artifact `{name}` takes one artifact, got {count}"
