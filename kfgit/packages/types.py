"""The types of v1 ports: what is declared, what the use of a port makes of it, and defaults of that type.

kfp 2.17.0 decides by the declared type alone (dsl/structures.py, from_v1_component_spec) and then refuses the ports
that are used in another way (dsl/pipeline_task.py, check_primitive_placeholder_is_used_for_correct_io_type): of the
299 v1 files of KFP 1.8.5, 109 load and cannot be used. Here the use decides, so that they run. What is read with
`inputValue` is a parameter, what is read with `inputPath` or `inputUri` is an artifact; the declared type stands
where both agree, and where KFP can use a port its type here is the same.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from kfgit.document import MAX_DEPTH, Entry, Mapping, Node, Scalar, Sequence
from kfgit.packages.faults import Faults, kind_of
from kfgit.packages.text import escaped, literal
from kfgit.source import Span

ARTIFACT = "Artifact"
STATUS = "TaskFinalStatus"
# kfp 2.17.0, dsl/types/type_utils.py: PARAMETER_TYPES_MAPPING and ARTIFACT_CLASSES_MAPPING; case does not count.
PARAMETERS = {
    "string": "string", "str": "string", "text": "string", "integer": "int", "int": "int", "double": "float",
    "float": "float", "bool": "bool", "boolean": "bool", "list": "list", "jsonarray": "list", "dict": "dict",
    "jsonobject": "dict",
}  # fmt: skip
_ARTIFACTS = {
    name.lower(): name
    for name in "Artifact Dataset Model Metrics ClassificationMetrics SlicedClassificationMetrics HTML Markdown".split()
}
_TITLE = re.compile(r"([A-Za-z_][\w-]*)\.([A-Za-z_][\w-]*)(?:@\d+\.\d+\.\d+)?\Z", re.ASCII)

BY_VALUE = frozenset({"inputValue"})
BY_FILE = frozenset({"inputPath", "inputUri"})
BY_PRESENCE = frozenset({"isPresent"})


class Declared(NamedTuple):
    """A written type: `type` as kfgit names it, `value` the same for a value, and how it was `written`.

    `known` tells that KFP knows the type, so that it is no accident if the port is used in another way.
    """

    type: str
    value: str
    written: str
    known: bool

    @property
    def is_value(self) -> bool:
        """Whether it is the type of a parameter."""
        return self.type in PARAMETERS.values()


def declared(faults: Faults, node: Node | None) -> Declared | None:
    """The type that a port declares; None after a fault."""
    match node:
        case None | Scalar(value=None):
            return Declared(ARTIFACT, "string", "nothing", known=False)
        case Scalar(value=str() as text):
            return _named(text)
        case Mapping() | Sequence():
            # KFP takes `{JsonObject: {data_type: …}}` for an artifact; read by value it can only be the JsonObject.
            first = next(iter(node.entries), "") if isinstance(node, Mapping) else ""
            return Declared(
                ARTIFACT, PARAMETERS.get(first.lower(), "string"), first or kind_of(node), known=False
            )
        case _:
            faults.wrong_type(node, "a type", "a string")
            return None


def _named(text: str) -> Declared:
    name = text.removeprefix("typing.")
    if name.lower().startswith(("list", "dict")):
        name = name.split("[", maxsplit=1)[0]
    if name == "PipelineTaskFinalStatus":
        return Declared(STATUS, STATUS, text, known=True)
    value = PARAMETERS.get(name.lower())
    if value is not None:
        return Declared(value, value, text, known=True)
    artifact = _artifact(name)
    return Declared(artifact or ARTIFACT, "string", text, known=artifact is not None)


def _artifact(name: str) -> str | None:
    """A type of KFP's, or one with a namespace, which KFP takes for an Artifact unless it is Google's."""
    title = _TITLE.match(name)
    if title is None:
        return _ARTIFACTS.get(name.lower())
    return _ARTIFACTS.get(title.group(2).lower()) if title.group(1) == "system" else name


def input_type(faults: Faults, name: str, found: Declared, uses: AbstractSet[str], span: Span) -> str:
    """The type of an input that is used in these ways."""
    if found.type == STATUS:
        return STATUS
    if found.is_value:
        if not uses & BY_FILE or uses & BY_VALUE:
            return found.type
        # The v1 meaning: the data arrive as a file. Only an artifact can on KFP 2, and then the file is what it was.
        message = f"`{name}` is declared {found.written} but read as a file, so it is an artifact here"
        faults.warn(
            "type-by-use", message, span, "give it an artifact; to give it a value, read it with `inputValue`"
        )
        return ARTIFACT
    if uses & BY_FILE or not uses & (BY_VALUE | BY_PRESENCE):
        return found.type
    # URI, GCSPath or nothing at all: v1 did not ask. Presence alone counts, as KFP decides it for values only.
    if found.known:
        message = f"`{name}` is declared {found.written} but read by value, so it is a {found.value} here"
        faults.warn(
            "type-by-use", message, span, "give it a value; to give it an artifact, read it with `inputPath`"
        )
    return found.value


def output_type(faults: Faults, name: str, found: Declared, uses: AbstractSet[str], span: Span) -> str:
    """The type of an output: an `outputPath` of String and the like is a parameter, written to its file."""
    if found.type == STATUS:
        return ARTIFACT
    if found.is_value and uses == {"outputUri"}:
        message = f"`{name}` is declared {found.written} but written by its URI, so it is an artifact here"
        faults.warn("type-by-use", message, span, "to give out a value, write it with `outputPath`")
        return ARTIFACT
    return found.type


class _NoValue(Exception):
    """A default is not of its type; never leaves this module."""


def default(faults: Faults, name: str, node: Node, type_: str) -> Node | None:
    """A default, cast to its type as KFP does it; None where there is none or a fault was told."""
    if isinstance(node, Scalar) and node.value is None:
        return None
    if type_ == STATUS:
        return None
    if type_ not in PARAMETERS.values():
        message = f"the default of `{name}` is left out: an artifact has none"
        faults.warn("default-left-out", message, node.span, "import the artifact in the pipeline")
        return None
    try:
        return _cast(node, type_)
    except (_NoValue, ValueError, OverflowError, RecursionError):
        shown = (
            f'"{node.value}"' if isinstance(node, Scalar) and isinstance(node.value, str) else kind_of(node)
        )
        message = (
            f"the default of `{name}` must be {type_}, not {shown if len(shown) < 60 else kind_of(node)}"
        )
        faults.error("type-mismatch", message, node.span, _HELP[type_])
        return None


_HELP = {
    "string": "write it as one string",
    "int": "write a whole number, or remove the default and write `optional: true`",
    "float": "write a number, or remove the default and write `optional: true`",
    "bool": "write `true` or `false`",
    "list": 'write it as JSON: \'["a", "b"]\'',
    "dict": "write it as JSON: '{\"a\": 1}'",
}
_WORDS = {
    **dict.fromkeys(("y", "yes", "t", "true", "on", "1"), True),
    **dict.fromkeys(("n", "no", "f", "false", "off", "0"), False),
}


def truth(value: Any) -> bool | None:
    """A boolean in one of Python's old words for it (kfp 2.17.0, type_utils.strtobool); None for any other value."""
    return _WORDS.get(str(value).lower()) if isinstance(value, str | int) else None


def _cast(node: Node, type_: str) -> Node:
    """As kfp 2.17.0 does (type_utils.deserialize_v1_component_yaml_default), but for what it passes on unchecked."""
    if type_ in {"list", "dict"}:
        return _structure(node, type_)
    if not isinstance(node, Scalar):
        raise _NoValue
    match type_:
        case "int":
            return node._replace(value=_integer(node.value))
        case "float":
            return node._replace(value=_finite(node.value))
        case "bool":
            found = truth(node.value)
            if found is None:
                raise _NoValue
            return node._replace(value=found)
        case _:
            return literal(escaped(str(node.value)), node.span)


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise _NoValue
    return int(value)


def _finite(value: Any) -> float:
    number = value if isinstance(value, int) and not isinstance(value, bool) else float(value)
    if not math.isfinite(number):
        raise _NoValue
    return number


def _structure(node: Node, type_: str) -> Node:
    """JSON in a string. KFP passes an empty one on as a string, which is no list; the nearest that is one is empty."""
    if isinstance(node, Scalar):
        if not isinstance(node.value, str):
            raise _NoValue
        text = node.value.strip() or {"list": "[]", "dict": "{}"}[type_]
        node = _lifted(json.loads(text, parse_constant=_refused), node.span, 0)
    else:
        node = _as_it_stands(node)
    if not isinstance(node, Sequence if type_ == "list" else Mapping):
        raise _NoValue
    return node


def _as_it_stands(node: Node) -> Node:
    """A list or map whose texts mean nothing to Jinja or as references."""
    match node:
        case Mapping(entries=entries):
            made = {
                escaped(key): entry._replace(node=_as_it_stands(entry.node)) for key, entry in entries.items()
            }
            return Mapping(made, node.span)
        case Sequence(items=items):
            return Sequence(tuple(map(_as_it_stands, items)), node.span)
        case Scalar(value=str() as text):
            return literal(escaped(text), node.span)
        case Scalar():
            return node


def _refused(_constant: str) -> Any:
    raise _NoValue


def _lifted(value: Any, span: Span, depth: int) -> Node:
    """A JSON value as a node that stands where its text does."""
    if depth > MAX_DEPTH:
        raise _NoValue
    match value:
        case dict():
            return Mapping(
                {escaped(key): Entry(span, _lifted(item, span, depth + 1)) for key, item in value.items()},
                span,
            )
        case list():
            return Sequence(tuple(_lifted(item, span, depth + 1) for item in value), span)
        case str():
            return literal(escaped(value), span)
        case float() if not math.isfinite(value):
            raise _NoValue
        case _:
            return Scalar(value, span)
