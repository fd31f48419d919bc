"""What KFP's driver and launcher do around a program, as pure functions: its input, its arguments, its outputs.

Follows `backend/src/v2/component/launcher_v2.go` (`addDefaultParams`, `compileCmdAndArgs`, `getPlaceholders`,
`collectOutputParameters`, `mergeRuntimeArtifacts`) and `backend/src/v2/driver/util.go` (`resolveContainerArgs`). On a
cluster the pod's args are the component's `command` and `args` joined: the driver resolves `IfPresent` in `args`,
kubelet expands `$(NAME)` and `$$` in all of them, and the launcher then takes the first as the program, in which it
replaces only `{{$}}`, and the rest as arguments, in which it replaces every placeholder. An image's own entrypoint
never runs. Here the same happens in the same order, with one difference: a value is data. KFP inserts some values
before kubelet reads the text and replaces placeholders in no fixed order, so that a value holding `$(X)` or a
placeholder may be expanded again; here what was inserted is never looked at again.

Numbers are doubles throughout, as in protobuf's Struct: 1.0 arrives as 1, and 2**53 + 1 as 2**53.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.events import Artifact

# An output travels on through the next task's arguments; what is larger than this does not on a cluster either.
OUTPUT_LIMIT = 1 << 20


class TaskFailure(Exception):
    """An attempt failed; the text is one sentence for people (what a tool printed may follow)."""


class Stopped(Exception):
    """An attempt was stopped because someone asked for it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a task finds and leaves its things."""

    output_file: Path
    parameters: Path
    artifacts: Path


# --- the input ----------------------------------------------------------------------------------------------


def executor_input(command: Execute, layout: Layout) -> dict[str, Any]:
    """KFP's ExecutorInput in JSON form, component defaults added (absent, as opposed to null, means default)."""
    declared = _definitions(command.component, "inputDefinitions", "parameters")
    defaults = {
        name: spec["defaultValue"] for name, spec in declared.items() if spec.get("defaultValue") is not None
    }
    values = {**defaults, **command.parameters}
    artifacts = {
        name: {"artifacts": [_runtime(each) for each in many]}
        for name, many in command.artifacts.items()
        if many
    }
    outputs: dict[str, Any] = {
        "parameters": {
            n: {"outputFile": str(layout.parameters / _file_name(n))} for n in output_parameters(command)
        },
        "artifacts": {
            n: {"artifacts": [_provisioned(n, s, layout)]} for n, s in output_artifacts(command).items()
        },
        "outputFile": str(layout.output_file),
    }
    inputs = {
        "parameterValues": {n: number_as_double(n, v) for n, v in values.items()},
        "artifacts": artifacts,
    }
    return {"inputs": _without_empty(inputs), "outputs": _without_empty(outputs)}


def output_parameters(command: Execute) -> Mapping[str, Any]:
    """The declared output parameters and their specs."""
    return _definitions(command.component, "outputDefinitions", "parameters")


def output_artifacts(command: Execute) -> Mapping[str, Any]:
    """The declared output artifacts and their specs."""
    return _definitions(command.component, "outputDefinitions", "artifacts")


def to_json(value: Any) -> str:
    """Compact JSON in UTF-8, as protojson writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def number_as_double(name: str, value: Any) -> Any:
    """A value as it comes out of protobuf's Struct. Raises `TaskFailure` for what a Struct cannot hold."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _double(name, value)
    if isinstance(value, str):
        return _unicode(name, value)
    if isinstance(value, Mapping):
        return {_unicode(name, str(key)): number_as_double(name, each) for key, each in value.items()}
    return [number_as_double(name, each) for each in value]


def _double(name: str, value: float) -> float:
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double):
        raise TaskFailure(f"`{name}` holds {value!r}, which is not a number that JSON can carry")
    return int(double) if double.is_integer() and abs(double) < 1e21 else double


def _unicode(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TaskFailure(f"`{name}` holds text that is not valid Unicode") from None
    return value


def _definitions(component: Mapping[str, Any], side: str, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (component.get(side) or {}).get(kind) or {}
    return found


def _file_name(name: str) -> str:
    """Names come from packages that others wrote: one must not lead out of its folder."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise TaskFailure(f"the output name {name!r} cannot be a file name")
    return name


def _runtime(artifact: Artifact) -> dict[str, Any]:
    kind = {"schemaTitle": artifact.type, "schemaVersion": artifact.version}
    made = {"name": artifact.id, "uri": artifact.uri, "type": kind, "metadata": dict(artifact.metadata)}
    return {**made, "customPath": artifact.custom_path} if artifact.custom_path else made


def _provisioned(name: str, spec: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    uri = str(layout.artifacts / _file_name(name))
    return {
        "name": name,
        "type": spec.get("artifactType") or {},
        "uri": uri,
        "metadata": dict(spec.get("metadata") or {}),
    }


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != {}}


# --- the arguments ------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(r"\{\{\$[^{}]*\}\}")
_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(.+?)'\]\}\}")
_KUBELET = re.compile(r"\$(?:(\$)|\(([^)]*)\))")


def arguments(command: Execute, given: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The program and its arguments. `given` is the executor input, `variables` the container's declared environment.

    Raises `TaskFailure` if there is nothing to run or an argument uses an input that has no value.
    """
    values = placeholders(given)
    parts = [[part] for part in command.executor.get("command") or ()]
    parts += [part for arg in command.executor.get("args") or () for part in _driven(arg, command.parameters)]
    if not parts:
        raise TaskFailure(
            "the component has neither command nor args, and KFP never runs an image's own entrypoint"
        )
    for pieces in parts[len(command.executor.get("command") or ()) :]:
        _require_values(pieces, values)
    program, *rest = [[expand(piece, variables) for piece in _concat(pieces)] for pieces in parts]
    only = {"{{$}}": values["{{$}}"]}
    return (
        "".join(fill(p, only) for p in program),
        *("".join(fill(p, values) for p in pieces) for pieces in rest),
    )


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The expansion of kubelet (k8s.io/third_party/forked/golang/expansion): an unknown `$(NAME)` stays as it is."""
    return _KUBELET.sub(lambda m: "$" if m[1] else variables.get(m[2], m[0]), text) if "$" in text else text


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replaces placeholders in one pass; unknown ones stay."""
    return _PLACEHOLDER.sub(lambda m: values.get(m[0], m[0]), text) if "{{$" in text else text


def placeholders(given: Mapping[str, Any]) -> dict[str, str]:
    """Every placeholder the launcher knows, and its text."""
    inputs, outputs = given["inputs"], given["outputs"]
    found = {"{{$}}": to_json(given)}
    for name, value in inputs.get("parameterValues", {}).items():
        found[f"{{{{$.inputs.parameters['{name}']}}}}"] = text_of(value)
    for name, many in inputs.get("artifacts", {}).items():
        first = many["artifacts"][0]
        found[f"{{{{$.inputs.artifacts['{name}'].uri}}}}"] = first["uri"]
        if (path := local_path(first["uri"])) is not None:
            found[f"{{{{$.inputs.artifacts['{name}'].path}}}}"] = path
    for name, many in outputs.get("artifacts", {}).items():
        for what in ("uri", "path"):
            found[f"{{{{$.outputs.artifacts['{name}'].{what}}}}}"] = many["artifacts"][0]["uri"]
    for name, parameter in outputs.get("parameters", {}).items():
        found[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = parameter["outputFile"]
    return found


def text_of(value: Any) -> str:
    """A parameter in an argument: numbers as Go's `FormatFloat(x, 'f', -1, 64)`, lists and structs as Go's JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _without_exponent(value)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return re.sub(r"[<>&\u2028\u2029]", lambda m: f"\\u{ord(m[0]):04x}", text)


def local_path(uri: str) -> str | None:
    """Where a task finds an artifact: `LocalPathForURI`, and the path itself for what is on this machine."""
    if uri.startswith("/"):
        return uri
    for scheme, folder in (("gs://", "/gcs/"), ("minio://", "/minio/"), ("s3://", "/s3/")):
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    return f"/oci/{uri.removeprefix('oci://').replace('/', '_')}/models" if uri.startswith("oci://") else None


def is_conditional(arg: str) -> bool:
    """An `IfPresent` that the driver resolves; with an output in it, it reaches the program as JSON (`util.go`)."""
    return arg.lstrip().startswith('{"IfPresent":') and "$.outputs" not in arg


def is_concat(arg: str) -> bool:
    """A `Concat`, which only this engine joins: on a cluster the program gets the JSON."""
    return arg.lstrip().startswith('{"Concat":')


def _driven(arg: str, given: Mapping[str, Any]) -> list[list[str]]:
    """An element of `args` after the driver: none, one or several arguments, each a list of pieces to join."""
    if not is_conditional(arg):
        return [[arg]]
    return [[chosen] for chosen in _chosen(_parsed(arg), given)]


def _chosen(parsed: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    clause = parsed["IfPresent"]
    picked = clause.get("Then" if given.get(clause.get("InputName")) is not None else "Else")
    many = picked if isinstance(picked, list) else [] if picked is None else [picked]
    if not all(isinstance(each, str) for each in many):
        raise TaskFailure("an IfPresent argument holds something other than text, which KFP's driver refuses")
    return many


def _concat(pieces: list[str]) -> list[str]:
    return [piece for each in pieces for piece in (_joined(_parsed(each)) if is_concat(each) else [each])]


def _joined(parsed: Any) -> Iterator[str]:
    if isinstance(parsed, str):
        yield parsed
    elif isinstance(parsed, dict) and isinstance(parsed.get("Concat"), list):
        for each in parsed["Concat"]:
            yield from _joined(each)
    else:
        raise TaskFailure("a Concat argument holds something other than text, which cannot be joined")


def _parsed(arg: str) -> Any:
    try:
        return json.loads(arg)
    except ValueError as error:
        raise TaskFailure(f"an argument looks like a KFP placeholder but is not JSON: {error}") from None


def _require_values(pieces: list[str], values: Mapping[str, str]) -> None:
    """The driver fails for an argument whose input has no value; with an output in it, it does not look."""
    for piece in pieces:
        for match in _PARAMETER.finditer(piece) if "$.outputs" not in piece else ():
            if match[0] not in values:
                raise TaskFailure(
                    f"an argument uses the input `{match[1]}`, which has neither a value nor a default"
                )


def _without_exponent(value: float) -> str:
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(exponent)
    figures = whole + fraction
    if point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    return f"{sign}{figures.ljust(point, '0')[:point]}" + (f".{figures[point:]}" if figures[point:] else "")


# --- the outputs --------------------------------------------------------------------------------------------


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
