"""A python function as KFP's lightweight component carries it, and the words its annotations may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kfgit.source import Span

PARAMETER_TYPES = {
    "str": "string", "int": "int", "float": "float", "bool": "bool", "list": "list", "dict": "dict",
    "List": "list", "Dict": "dict",
}  # fmt: skip
ARTIFACT_TYPES = (
    "Artifact", "Dataset", "Model", "Metrics", "ClassificationMetrics", "SlicedClassificationMetrics", "HTML",
    "Markdown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the signature has it. `type` is written as in kfgit's documents."""

    name: str
    type: str
    span: Span
    default: Any = None
    has_default: bool = False
    optional: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that can travel: its text and its ports."""

    name: str
    source: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    span: Span
    whole: bool = True
