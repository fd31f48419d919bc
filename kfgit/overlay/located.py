"""Which documents are kfgit's, what they are, and for which environment they are meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kfgit import packages, template
from kfgit.diagnostics import Checked, Diagnostic, did_you_mean, nearest
from kfgit.document import Document, Mapping, Scalar, at
from kfgit.source import Span

API_VERSION = "kfgit.dev/v1"
KINDS = (
    "Component",
    "Pipeline",
    "Schedule",
    "Run",
    "Experiment",
    "ResourceProfile",
    "Environment",
    "Project",
)
PROJECT_FILE = "kfgit.yaml"


@dataclass(frozen=True, slots=True)
class Located:
    """A kfgit document: what it is, where it stands, and for whom (`environment` None = for all)."""

    kind: str
    name: str
    node: Mapping
    file: str
    environment: str | None = None

    @property
    def name_span(self) -> Span:
        """Where the name stands."""
        found = at(self.node, ("metadata", "name"))
        return found.span if found is not None else self.node.span


def locate(documents: Iterable[Document]) -> Checked[tuple[Located, ...]]:
    """The kfgit documents among all that was read."""
    found: list[Located] = []
    faults: list[Diagnostic] = []
    for document in documents:
        located = _locate(document, faults)
        if located is not None:
            found.append(located)
    return Checked(tuple(found), tuple(faults))


def _locate(document: Document, faults: list[Diagnostic]) -> Located | None:
    root = document.root
    if not isinstance(root, Mapping):
        faults.append(_foreign(root.span))
        return None
    if packages.is_v1_component(root):
        converted = packages.v1_component(document)
        faults += converted.diagnostics
        root = converted.value
    kind = _kind(root, faults, in_environment=_environment(document.file) is not None)
    if kind is None:
        return None
    name = at(root, ("metadata", "name"))
    if not isinstance(name, Scalar) or not isinstance(name.value, str) or not _is_name(name.value):
        faults.append(_nameless(root, name))
        return None
    environment = _environment(document.file)
    if kind == "Environment":
        fault = _misplaced(environment, name)
        if fault is not None:
            faults.append(fault)
            return None
        environment = name.value
    elif kind == "Project" and document.file != PROJECT_FILE:
        faults.append(
            Diagnostic(
                "misplaced-project", "a Project stands in `kfgit.yaml` only", name.span, "move it there"
            )
        )
        return None
    return Located(kind, name.value, root, document.file, environment)


_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


def _is_name(text: str) -> bool:
    return len(text) <= 63 and _NAME.match(text) is not None


def _kind(root: Mapping, faults: list[Diagnostic], *, in_environment: bool) -> str | None:
    kind, version = root.get("kind"), root.get("apiVersion")
    kind_text = kind.value if isinstance(kind, Scalar) else None
    version_text = version.value if isinstance(version, Scalar) else None
    if kind_text in KINDS:
        if version_text == API_VERSION or (
            version is None and in_environment and kind_text not in {"Environment", "Project"}
        ):
            return str(kind_text)
        span = version.span if version is not None else root.entries["kind"].key_span
        found = f"`{version_text}`" if version is not None else "missing"
        message = f"the `apiVersion` of a {kind_text} is {API_VERSION}, here it is {found}"
        faults.append(Diagnostic("wrong-api-version", message, span, f"write `apiVersion: {API_VERSION}`"))
        return None
    if version_text == API_VERSION:
        span = kind.span if kind is not None else root.entries["apiVersion"].key_span
        message = f"there is no kind `{kind_text}`" if kind is not None else "the document has no `kind`"
        faults.append(
            Diagnostic("unknown-kind", message, span, did_you_mean(str(kind_text or ""), KINDS, what="kinds"))
        )
        return None
    if (
        isinstance(version_text, str)
        and isinstance(kind_text, str)
        and nearest(kind_text, KINDS)
        and version_text.startswith("kfgit")
    ):
        message, span = f"there is no `apiVersion` `{version_text}`", version.span if version else root.span
        faults.append(Diagnostic("wrong-api-version", message, span, f"write `apiVersion: {API_VERSION}`"))
        return None
    if (
        "pipelineInfo" not in root.entries
        and "deploymentSpec" not in root.entries
        and "platforms" not in root.entries
    ):
        faults.append(_foreign(root.span))
    return None


def _foreign(span: Span) -> Diagnostic:
    help_ = f"begin with `apiVersion: {API_VERSION}` and a `kind`, or move the file out of the sources"
    return Diagnostic(
        "foreign-document", "this is no kfgit document, and nothing uses it", span, help_, severity="warning"
    )


def _nameless(root: Mapping, name: object) -> Diagnostic:
    if isinstance(name, Scalar) and isinstance(name.value, str) and template.is_template(name.value):
        help_ = "development environments put their `prefix` before names by themselves"
        return Diagnostic(
            "bad-name", "a name is the same in every environment and holds no template", name.span, help_
        )
    if isinstance(name, Scalar):
        help_ = "small letters, digits and `-`, at most 63, such as `train-model`"
        return Diagnostic("bad-name", f"`{name.value}` cannot be a name", name.span, help_)
    metadata = root.entries.get("metadata")
    span = metadata.key_span if metadata is not None else root.span
    return Diagnostic(
        "missing-name", "the document has no `metadata.name`", span, "add `metadata: {name: …}`"
    )


def _environment(path: str) -> str | None:
    """The environment whose folder, or file, a document stands in."""
    parts = path.split("/")
    if parts[0] != "environments" or len(parts) < 2:
        return None
    return parts[1] if len(parts) > 2 else re.sub(r"\.(ya?ml|yaml\.j2)\Z", "", parts[1])


def _misplaced(environment: str | None, name: Scalar) -> Diagnostic | None:
    if environment in {None, name.value}:
        return None
    message = f"the Environment `{name.value}` stands where `{environment}` belongs"
    return Diagnostic(
        "environment-name",
        message,
        name.span,
        f"name it `{environment}`, or move it to `environments/{name.value}.yaml`",
    )
