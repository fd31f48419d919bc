"""Pipeline specs as KFP's server takes them and gives them back: read strictly by KFP's own protobuf schema.

What comes in is taken into the schema and out again, so that what is stored has every field under its camelCase name
and nothing that says no more than the default; comments, order and unknown documents are gone, as on KFP
(backend/src/apiserver/template/v2_template.go). YAML is read by kfgit's own bounded reader: an alias bomb costs
nothing, and what is no YAML is told at once, where KFP's server never answers.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from kfp.pipeline_spec import pipeline_spec_pb2

from kfgit.document import parse, plain
from kfgit.ir import SCHEMA_VERSION, Package
from kfgit.packages.compiled.documents import as_text
from kfgit.server import messages
from kfgit.server.errors import ApiError, GatewayError, invalid
from kfgit.source import SourceFile

# KFP's limit for the file of a pipeline (backend/src/apiserver/common/const.go, MaxFileLength).
MAX_BYTES = 32 * 2**20

_NO_SPEC = "unknown template format"
_KUBERNETES = "kubernetes"
# One of these says that a document means to be a pipeline, and that its mistakes are worth telling.
_OF_A_SPEC = frozenset(("pipelineInfo", "pipeline_info", "deploymentSpec", "deployment_spec", "root"))
# KFP's rule for uploads (backend/src/apiserver/common/util.go, ValidatePipelineName).
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")


def from_text(content: bytes) -> Package:
    """The package in a file of JSON or YAML, where its name is as uploads must have it; raises `ApiError`."""
    package = from_documents(_documents(content))
    if not _NAME.fullmatch(package.name):
        raise invalid(
            "pipeline's name must contain only lowercase alphanumeric characters or '-' and must start with "
            f"alphanumeric characters, and have at most 128 of them: {package.name[:200]!r}"
        )
    return package


def from_struct(value: Mapping[str, Any]) -> Package:
    """The package in a `pipeline_spec` of a message: the spec itself, or `{pipeline_spec, platform_spec}`."""
    if "pipeline_spec" not in value:
        return from_documents([value])
    return from_documents([value["pipeline_spec"], value.get("platform_spec")])


def from_documents(found: Sequence[Any]) -> Package:
    """The package in documents that are read already; those that are neither spec nor platform are left alone."""
    specs = [item for item in found if isinstance(item, Mapping) and item.keys() & _OF_A_SPEC]
    platforms = [item for item in found if isinstance(item, Mapping) and "platforms" in item]
    if not specs:
        raise invalid(f"{_NO_SPEC}: no document has a `pipelineInfo` and a `root`{_hint(found)}")
    if len(specs) > 1:
        raise invalid("multiple pipeline specs provided")
    spec = _normal(specs[0], pipeline_spec_pb2.PipelineSpec(), "pipeline spec")
    version = spec.get("schemaVersion", "")
    if version != SCHEMA_VERSION:
        raise invalid(
            f"KFP only supports schema version {SCHEMA_VERSION}, but the pipeline spec has version {version}"
        )
    name = spec.get("pipelineInfo", {}).get("name", "")
    if not name:
        raise invalid("invalid v2 pipeline spec: name is empty")
    if not re.search("[a-z0-9]", name):
        raise invalid(
            f"invalid v2 pipeline spec: the name {name[:200]!r} has no lower-case letter and no digit"
        )
    if "root" not in spec:
        raise invalid("invalid v2 pipeline spec: root component is empty")
    return Package(name, spec, _platform(platforms))


def told(key: str, package: Callable[[], Package]) -> Mapping[str, Any]:
    """What reading a package back gives: the spec, or `{pipeline_spec, platform_spec}` where it has the latter.

    `key` is that of the stored document. Packages of `apply` are as kfgit's compiler wrote them, and become normal.
    """
    known = _TOLD.get(key)
    if known is None:
        known = _readable(package())
        _TOLD.put(key, known)
    return known


def _readable(package: Package) -> Mapping[str, Any]:
    spec, platform = package.spec, package.platform
    # What this schema does not know, such as a package that a newer KFP compiled, is shown as it is.
    with suppress(ApiError):
        spec = _normal(spec, pipeline_spec_pb2.PipelineSpec(), "pipeline spec")
        platform = _platform([platform] if platform else [])
    return spec if platform is None else {"pipeline_spec": spec, "platform_spec": platform}


class _Cache:
    """The newest few values; a page of a list shows one pipeline many times over."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._values: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The value, which is the newest from now on."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Keeps a value and forgets the oldest."""
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._size:
                self._values.popitem(last=False)


_TOLD = _Cache(32)


def _platform(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    normal = [_normal(item, pipeline_spec_pb2.PlatformSpec(), "platform spec") for item in found]
    wanted = [item for item in normal if _KUBERNETES in item.get("platforms", {})]
    if len(wanted) > 1:
        raise invalid("multiple platform specs provided")
    return wanted[0] if wanted else None


def _normal(value: Mapping[str, Any], message: Message, what: str) -> dict[str, Any]:
    try:
        _check_objects(value, message.DESCRIPTOR, what)
        json_format.ParseDict(dict(value), message)
        normal = json_format.MessageToDict(message)
    except OverflowError:  # numbers of a Struct are doubles
        raise invalid(f"invalid {what}: a number in it is too large") from None
    except (json_format.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise invalid(f"invalid {what}: {_short(_told(error))}") from None
    found: dict[str, Any] = messages.plain(normal)
    return found


def _told(error: BaseException) -> str:
    """The words of protobuf; where it met a value of another type those are Python's, which say nothing to anybody."""
    told, cause = str(error).rstrip("."), error.__context__
    while cause is not None:
        if not isinstance(cause, json_format.Error):
            told = told.replace(str(cause).rstrip("."), "its value is of another type")
        cause = cause.__context__
    return told


_KINDS = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}


def _check_objects(value: Any, message: Any, place: str) -> None:
    """Raises `ParseError` where a message is no object: protobuf's reader takes an empty list for an empty message."""
    if not isinstance(value, Mapping):
        raise json_format.ParseError(f"{place} must be an object, not {_KINDS.get(type(value), 'text')}")
    fields = _message_fields(message)
    for key in value.keys() & fields.keys():
        item, (held, many) = value[key], fields[key]
        inner: Iterable[Any]
        if many:
            inner = item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else ()
        else:
            inner = () if item is None else (item,)
        for each in inner:
            _check_objects(each, held, key)


@lru_cache(maxsize=256)
def _message_fields(message: Any) -> Mapping[str, tuple[Any, bool]]:
    """The fields of a message that hold messages, one or many, by both names."""
    found: dict[str, tuple[Any, bool]] = {}
    for field in message.fields:
        held, many = field.message_type, field.is_repeated
        if held is not None and held.GetOptions().map_entry:
            held = held.fields_by_name["value"].message_type
        # Those of protobuf itself have forms of their own in JSON.
        if held is not None and not held.full_name.startswith("google.protobuf."):
            found |= dict.fromkeys((field.name, field.json_name), (held, many))
    return found


def _documents(content: bytes) -> list[Any]:
    if content.lstrip()[:1] == b"{":
        try:
            return [messages.parse(content)]
        except GatewayError:
            pass  # YAML in its flow style begins so too, and is the one to tell what is wrong
    source = SourceFile("pipeline.yaml", content)
    parsed = parse(source, MAX_BYTES)
    errors = [fault for fault in parsed.diagnostics if fault.code != "yaml-1.1"]
    if errors:
        place = f"line {errors[0].span.line}, column {errors[0].span.column}"
        raise invalid(f"failed to parse pipeline spec YAML: {place}: {errors[0].message}")
    lines = content.decode("utf-8-sig").splitlines()
    return [plain(as_text(document, lines).root) for document in parsed.value]


def _hint(found: Sequence[Any]) -> str:
    if not any(item is not None for item in found):
        return "; the file is empty"
    if any(isinstance(item, Mapping) and item.get("kind") == "Workflow" for item in found):
        return "; an Argo workflow is a pipeline of KFP 1, compile it with KFP 2"
    return ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:300]}…"
