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
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kfgit import normal
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
    spec = _normal(normal.pipeline_spec, specs[0])
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
        spec = _normal(normal.pipeline_spec, spec)
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
    read = [_normal(normal.platform_spec, item) for item in found]
    wanted = [item for item in read if _KUBERNETES in item.get("platforms", {})]
    if len(wanted) > 1:
        raise invalid("multiple platform specs provided")
    return wanted[0] if wanted else None


def _normal(form: Callable[[Mapping[str, Any]], dict[str, Any]], value: Any) -> dict[str, Any]:
    try:
        return form(value)
    except normal.Odd as fault:
        raise invalid(str(fault)) from None


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
