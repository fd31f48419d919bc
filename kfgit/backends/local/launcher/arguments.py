"""A program and its arguments: choices, expansions and placeholders, in the order of the cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kfgit.backends.local.launcher.failures import TaskFailure
from kfgit.backends.local.launcher.given import to_json
from kfgit.backends.local.protocol import Execute

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
