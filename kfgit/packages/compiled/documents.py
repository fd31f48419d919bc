"""A package's file as documents: one with the pipeline, and perhaps one with what platforms add.

Packages are written and read by PyYAML, which speaks YAML 1.1: there a bare `1e-4` or `09` is a text. kfgit's own
reader would take it for a number, so such values are given back their text. KFP can wrap both documents in a
`PipelineVersion` of Kubernetes (kfp 2.17.0, compiler/pipeline_spec_builder.py, `_write_kubernetes_manifest_to_file`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kfgit.diagnostics import Checked
from kfgit.document import Document, Entry, Mapping, Node, Scalar, Sequence, at, parse
from kfgit.packages.faults import Faults
from kfgit.source import SourceFile, Span, whole_file

_WRAPPER = "pipelines.kubeflow.org/v2beta1"
# Without one of these no number of YAML 1.2 is a text of YAML 1.1.
_SUSPECT = re.compile(rb"[0-9][eE][-+]?[0-9]|(?<![\w.])0[o0-9]|[-+]\.[0-9]")
# PyYAML 6 (resolver.py): what it takes for a number of YAML 1.1.
_INT = re.compile(r"[-+]?(0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)\Z")
_FLOAT = re.compile(
    r"([-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
)


class Written(NamedTuple):
    """The two documents of a package."""

    spec: Mapping
    platform: Mapping | None


def is_package(root: Node) -> bool:
    """Whether a document is one of a compiled package: KFP's keys, and nothing of Kubernetes."""
    if not isinstance(root, Mapping):
        return False
    if _is_wrapper(root):
        return True
    if {"apiVersion", "kind"} & set(root.entries):
        return False
    return "platforms" in root.entries or bool({"pipelineInfo", "deploymentSpec"} & set(root.entries))


def documents(source: SourceFile) -> Checked[Written | None]:
    """The documents of a file; None where they are no package, which is told."""
    parsed = parse(source)
    faults = Faults()
    faults.found += [fault for fault in parsed.diagnostics if fault.code != "yaml-1.1"]
    if faults.fatal:
        return Checked(None, tuple(faults.found))
    read = parsed.value
    if _SUSPECT.search(source.content):
        lines = source.content.decode("utf-8-sig", "replace").splitlines()
        read = tuple(as_text(document, lines) for document in read)
    found = _sorted(faults, read, source.path)
    return Checked(found, tuple(faults.found))


def _sorted(faults: Faults, documents: tuple[Document, ...], path: str) -> Written | None:
    roots = [document.root for document in documents if not _is_empty(document.root)]
    if not roots:
        _refuse(faults, whole_file(path), "the file is empty")
        return None
    wrapped = [root for root in roots if isinstance(root, Mapping) and _is_wrapper(root)]
    if wrapped:
        return _unwrapped(faults, wrapped[0])
    specs: list[Mapping] = []
    platforms: list[Mapping] = []
    for root in roots:
        if not isinstance(root, Mapping) or (not is_package(root) and "root" not in root.entries):
            _refuse(faults, root.span, "this is no document of a compiled package")
            return None
        (platforms if "platforms" in root.entries else specs).append(root)
    if not specs:
        _refuse(faults, platforms[0].span, "the file has no pipeline, only what platforms add")
        return None
    for extra in (*specs[1:], *platforms[1:]):
        message = "a package has one pipeline, and one document of platforms beside it"
        _refuse(faults, extra.span, message)
        return None
    return Written(specs[0], platforms[0] if platforms else None)


def _refuse(faults: Faults, span: Span, message: str) -> None:
    help_ = (
        "give a file that KFP's compiler wrote: a document with `pipelineInfo`, `root` and `schemaVersion`"
    )
    faults.error("not-a-package", message, span, help_)


def _is_wrapper(root: Mapping) -> bool:
    version, kind = root.get("apiVersion"), root.get("kind")
    return (
        isinstance(version, Scalar)
        and version.value == _WRAPPER
        and isinstance(kind, Scalar)
        and kind.value == "PipelineVersion"
    )


def _unwrapped(faults: Faults, root: Mapping) -> Written | None:
    spec, platform = at(root, ("spec", "pipelineSpec")), at(root, ("spec", "platformSpec"))
    if not isinstance(spec, Mapping):
        _refuse(faults, root.span, "the PipelineVersion has no `spec.pipelineSpec`")
        return None
    return Written(spec, platform if isinstance(platform, Mapping) else None)


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def as_text(document: Document, lines: list[str]) -> Document:
    """The document with the texts that only YAML 1.2 takes for numbers."""
    return document._replace(root=_as_text(document.root, lines))


def _as_text(node: Node, lines: list[str]) -> Node:
    match node:
        case Mapping(entries, span):
            made = {key: Entry(entry.key_span, _as_text(entry.node, lines)) for key, entry in entries.items()}
            return Mapping(made, span)
        case Sequence(items, span):
            return Sequence(tuple(_as_text(item, lines) for item in items), span)
        case Scalar(value=int() | float() as number, plain=True) if not isinstance(number, bool):
            written = _written(node.span, lines)
            if written and not (_INT.match(written) or _FLOAT.match(written)):
                return node._replace(value=written)
            return node
        case _:
            return node


def _written(span: Span, lines: list[str]) -> str:
    if span.line != span.end_line or span.line > len(lines):
        return ""
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]
