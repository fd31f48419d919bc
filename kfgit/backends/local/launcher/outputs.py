"""What a program left: its executor output, and a file for each parameter."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kfgit.backends.local.launcher.failures import TaskFailure
from kfgit.backends.local.launcher.given import output_artifacts, output_parameters
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.events import Artifact

# An output travels on through the next task's arguments; what is larger than this does not on a cluster either.
OUTPUT_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What the program said in its executor output file."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def parse_output(data: bytes | None) -> Written:
    """Reads an executor output as strictly as protojson does; absent is fine. Raises `TaskFailure`."""
    if data is None:
        return Written()
    if len(data) > OUTPUT_LIMIT:
        raise TaskFailure(f"its executor output is larger than {OUTPUT_LIMIT >> 20} MiB")
    try:
        found = _strict(data)
    except (ValueError, RecursionError) as error:
        raise TaskFailure(f"its executor output is not JSON: {error}") from None
    top = _message(found, "", {"parameterValues", "artifacts"})
    parameters = _map(top.get("parameterValues"), "parameterValues")
    lists = _map(top.get("artifacts"), "artifacts")
    first = {name: _first_artifact(name, each) for name, each in lists.items()}
    return Written(parameters, {name: each for name, each in first.items() if each is not None})


def collect(
    command: Execute, given: Mapping[str, Any], written: Written, read: Callable[[str], bytes | None]
) -> Outputs:
    """The outputs of a task that ended well. `read` returns a file's bytes, or None if there is none."""
    parameters = {n: _parameter(n, s, given, written, read) for n, s in output_parameters(command).items()}
    artifacts = {n: (_artifact(n, given, written.artifacts.get(n, {})),) for n in output_artifacts(command)}
    return Outputs(parameters, artifacts)


def value_of(name: str, text: bytes, kind: str) -> Any:
    """A parameter from its file, by its declared type (`component/util.go`, `textToPbValue`). Raises `TaskFailure`."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise TaskFailure(f"its output parameter `{name}` is not UTF-8 text") from None
    if kind == "STRING":
        return decoded
    try:
        return _READERS[kind](decoded)
    except KeyError:
        raise TaskFailure(
            f"its output parameter `{name}` has the type {kind}, which no task can write"
        ) from None
    except (ValueError, RecursionError):
        shown = decoded.strip() if len(decoded.strip()) <= 60 else decoded.strip()[:60] + "…"
        raise TaskFailure(
            f"its output parameter `{name}` should be {_WORDS[kind]}, but is {shown!r}"
        ) from None


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text.strip()) or not -(2**63) <= int(text) < 2**63:
        raise ValueError
    return int(float(int(text)))


def _float(text: str) -> float:
    if "_" in text or not math.isfinite(float(text)):
        raise ValueError
    return float(text)


def _bool(text: str) -> bool:
    words = {**dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)}
    words |= dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)
    if text.strip() not in words:
        raise ValueError
    return words[text.strip()]


def _list(text: str) -> Any:
    found = _strict(text)
    if type(found) is not list:
        raise ValueError
    return found


def _struct(text: str) -> Any:
    found = _strict(text)
    if type(found) is not dict:
        raise ValueError
    return found


_READERS: Mapping[str, Callable[[str], Any]] = {
    "NUMBER_INTEGER": _integer,
    "NUMBER_DOUBLE": _float,
    "BOOLEAN": _bool,
    "LIST": _list,
    "STRUCT": _struct,
}
_WORDS = {
    "NUMBER_INTEGER": "a whole number", "NUMBER_DOUBLE": "a finite number", "BOOLEAN": "`true` or `false`",
    "LIST": "a JSON list", "STRUCT": "a JSON object",
}  # fmt: skip


def _parameter(
    name: str,
    spec: Mapping[str, Any],
    given: Mapping[str, Any],
    written: Written,
    read: Callable[[str], bytes | None],
) -> Any:
    kind = spec.get("parameterType", "STRING")
    if name in written.parameters:
        value = written.parameters[name]
        return (
            int(value)
            if kind == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer()
            else value
        )
    data = read(given["outputs"]["parameters"][name]["outputFile"])
    if data is None:
        raise TaskFailure(f"it did not write its output parameter `{name}`")
    if len(data) > OUTPUT_LIMIT:
        raise TaskFailure(
            f"its output parameter `{name}` is larger than {OUTPUT_LIMIT >> 20} MiB: make it an artifact"
        )
    return value_of(name, data, kind)


def _artifact(name: str, given: Mapping[str, Any], written: Mapping[str, Any]) -> Artifact:
    provisioned = given["outputs"]["artifacts"][name]["artifacts"][0]
    kind = provisioned["type"]
    return Artifact(
        id=uuid.uuid4().hex,
        name=name,
        type=kind.get("schemaTitle") or kind.get("instanceSchema") or "system.Artifact",
        uri=written.get("uri") or provisioned["uri"],
        metadata={**provisioned["metadata"], **(written.get("metadata") or {})},
        version=kind.get("schemaVersion") or "0.0.1",
        custom_path=written.get("customPath") or "",
    )


_ARTIFACT_FIELDS = {"name", "type", "uri", "properties", "customProperties", "metadata", "customPath"}


def _first_artifact(name: str, value: Any) -> Mapping[str, Any] | None:
    many = _message(value, f"artifacts.{name}", {"artifacts"}).get("artifacts") or []
    if not isinstance(many, list):
        raise TaskFailure(f"its executor output has no list at `artifacts.{name}.artifacts`")
    all_fields = [_message(each, f"artifacts.{name}", _ARTIFACT_FIELDS) for each in many]
    for fields in all_fields:
        wrong = [f for f in ("name", "uri", "customPath") if not isinstance(fields.get(f) or "", str)]
        if wrong or not isinstance(fields.get("metadata") or {}, dict):
            raise TaskFailure(
                f"its executor output has a wrong value at `artifacts.{name}.{(wrong or ['metadata'])[0]}`"
            )
    return all_fields[0] if all_fields else None


def _message(value: Any, where: str, known: set[str]) -> dict[str, Any]:
    """A protobuf message: its fields in camelCase or snake_case, and none but these."""
    fields = {
        re.sub(r"_([a-z])", lambda m: m[1].upper(), name): each for name, each in _map(value, where).items()
    }
    for unknown in fields.keys() - known:
        raise TaskFailure(f"its executor output has an unknown field `{f'{where}.{unknown}'.lstrip('.')}`")
    return fields


def _map(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TaskFailure(f"its executor output has no object at `{where or 'the top'}`")
    return value


def _strict(text: str | bytes) -> Any:
    """JSON without Python's liberties: no NaN, no infinity (also not as 1e999), no key twice."""
    return json.loads(text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_no_duplicates)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text} is not a JSON value")
    return float(text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
