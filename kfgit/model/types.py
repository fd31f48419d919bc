"""Types of parameters and artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ParameterName = Literal["string", "int", "float", "bool", "list", "dict"]


@dataclass(frozen=True, slots=True)
class ParameterType:
    """A value type; `item` is known for `list<float>`."""

    name: ParameterName
    item: ParameterName | None = None


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """An artifact type by its schema title (`system.Model`); `many` for `list<Model>`."""

    title: str
    version: str = "0.0.1"
    many: bool = False


@dataclass(frozen=True, slots=True)
class StatusType:
    """`TaskFinalStatus`: what an exit task may ask about the run."""


Type: TypeAlias = ParameterType | ArtifactType | StatusType
