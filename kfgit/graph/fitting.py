"""Which types go together, as KFP has it."""

from __future__ import annotations

from kfgit.model import (
    ArtifactType,
    ParameterType,
    StatusType,
    Type,
)
from kfgit.resolve import show_type


def compatible(have: Type, wanted: Type) -> bool:
    """KFP's rule: parameters exactly (`list` and `list<T>` fit), artifacts by title and major version."""
    match have, wanted:
        case ParameterType(one, item), ParameterType(other, wanted_item):
            return one == other and (item is None or wanted_item is None or item == wanted_item)
        case ArtifactType(title, version, many), ArtifactType(other_title, other_version, other_many):
            if many != other_many:
                return False
            if "system.Artifact" in {title, other_title}:
                return True
            return title == other_title and version.split(".")[0] == other_version.split(".")[0]
        case StatusType(), StatusType():
            return True
        case _:
            return False


def is_list(type_: Type) -> bool:
    """Whether one can loop over it."""
    return (isinstance(type_, ParameterType) and type_.name == "list") or (
        isinstance(type_, ArtifactType) and type_.many
    )


def mismatch_help(have: Type, wanted: Type) -> str:
    """The way out where two types do not go together."""
    match have, wanted:
        case ArtifactType(), ParameterType():
            return "an artifact is a file; give a parameter, or make the input an artifact"
        case ParameterType(), ArtifactType():
            return "give it a task's artifact, or bring one in with `import`"
        case ArtifactType(many=True), ArtifactType(many=False):
            return "loop over the list, or make the input a `list<…>`"
        case ArtifactType(many=False), ArtifactType(many=True):
            return "collect from a loop: `$(tasks.LOOP.TASK.outputs.NAME.*)`"
        case ParameterType(), ParameterType():
            types = f"{show_type(have)} and {show_type(wanted)}"
            return f"make one of them the other's type: KFP converts nothing between {types}"
        case StatusType(), _:
            return "only an input of type TaskFinalStatus takes the final status"
        case _:
            return f"give it what is {show_type(wanted)}, or make the input {show_type(have)}"
