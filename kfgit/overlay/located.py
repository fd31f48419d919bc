"""Which documents are kfgit's, what they are, and for which environment they are meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kfgit import packages, template
from kfgit.diagnostics import Checked, Diagnostic, did_you_mean, has_errors, nearest
from kfgit.document import Document, Mapping, Scalar, at, plain
from kfgit.overlay.strays import Stray, unused
from kfgit.packages import compiled
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
    """A kfgit document: what it is, where it stands, and for whom (`environment` None = for all).

    `unsound` has a faulty head (name or version) or something else that was told before its form and meaning; the
    rest of it is looked at all the same.
    """

    kind: str
    name: str
    node: Mapping
    file: str
    environment: str | None = None
    unsound: bool = False

    @property
    def name_span(self) -> Span:
        """Where the name stands."""
        found = at(self.node, ("metadata", "name"))
        return found.span if found is not None else self.node.span


def locate(documents: Iterable[Document]) -> Checked[tuple[Located, ...]]:
    """The kfgit documents among all that was read."""
    found: list[Located] = []
    faults: list[Diagnostic] = []
    packages_: list[Stray] = []
    for document in documents:
        if compiled.is_package(document.root):
            packages_.append(Stray(document.file, document.root.span))
            continue
        located = _locate(document, faults)
        if located is not None:
            found.append(located)
    faults += unused(packages_, (d.node for d in found if d.kind in {"Pipeline", "Environment"}))
    return Checked(tuple(found), tuple(faults))


def _locate(document: Document, faults: list[Diagnostic]) -> Located | None:
    root = document.root
    if not isinstance(root, Mapping):
        faults.append(_foreign(root.span))
        return None
    before = len(faults)
    if packages.is_v1_component(root):
        converted = packages.v1_component(document)
        faults += converted.diagnostics
        root = converted.value
    environment = environment_of(document.file)
    kind = _kind(root, faults, in_environment=environment is not None)
    if kind is None:
        return None
    name = _name(root, faults)
    if name is None or name.fault is not None:
        if name is not None and name.fault is not None:
            faults.append(name.fault)
        if environment is not None and kind != "Environment":
            return None  # nobody knows which document it is laid over
    if kind == "Environment":
        return _environment_document(document, root, name, environment, faults)
    if kind == "Project" and document.file != PROJECT_FILE:
        span = name.span if name is not None else root.span
        message = "a Project stands in `kfgit.yaml` only"
        faults.append(Diagnostic("misplaced-project", message, span, "move it there"))
        return None
    text = name.text if name is not None else f"unnamed at {root.span.start()}"
    unsound = not document.sound or has_errors(faults[before:]) or name is None
    return Located(kind, text, root, document.file, environment, unsound)


def _environment_document(
    document: Document, root: Mapping, name: _Name | None, environment: str | None, faults: list[Diagnostic]
) -> Located | None:
    """An Environment is named after its file or folder."""
    sound = name is not None and name.fault is None
    if name is not None and sound and environment not in {None, name.text}:
        message = f"the Environment `{name.text}` stands where `{environment}` belongs"
        help_ = f"name it `{environment}`, or move it to `environments/{name.text}.yaml`"
        faults.append(Diagnostic("environment-name", message, name.span, help_))
        return None
    called = name.text if name is not None and sound else environment
    if called is None:
        return None
    return Located("Environment", called, root, document.file, called, not (sound and document.sound))


class _Name(NamedTuple):
    text: str
    span: Span
    fault: Diagnostic | None = None


def _name(root: Mapping, faults: list[Diagnostic]) -> _Name | None:
    """The name of a document; None where it has none, which is told here or by the schema."""
    metadata = root.entries.get("metadata")
    if metadata is None or not isinstance(metadata.node, Mapping):
        if metadata is None:
            faults.append(_missing(root, "metadata", root.span))
        return None
    found = metadata.node.get("name")
    match found:
        case None | Scalar(value=None):
            place = found.span if found is not None else metadata.key_span
            faults.append(_missing(metadata.node, "name", place))
            return None
        case Scalar(value=str() as text, span=span) if _is_name(text):
            return _Name(text, span)
        case Scalar(value=value, span=span):
            return _Name(str(value), span, _bad_name(value, span))
        case _:
            return None


def _missing(node: Mapping, key: str, span: Span) -> Diagnostic:
    """A document without a name, or with a misspelt key for it."""
    meant = next((k for k in node.entries if nearest(k, [key]) and k not in _HEAD), None)
    if meant is not None:
        message = f"unknown key `{meant}` in {'the document' if key == 'metadata' else '`metadata`'}"
        return Diagnostic("unknown-key", message, node.entries[meant].key_span, f"did you mean `{key}`?")
    message = "the document has no `metadata.name`"
    return Diagnostic("missing-name", message, span, "add `metadata: {name: …}`")


_HEAD = frozenset({"apiVersion", "kind", "metadata", "spec", "name", "description", "labels", "annotations"})
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
        faults.append(_wrong_version(root, str(kind_text)))
        is_ours = version is None or (isinstance(version_text, str) and version_text.startswith("kfgit"))
        return str(kind_text) if is_ours else None
    if version_text == API_VERSION or (
        in_environment and version is None and isinstance(kind_text, str) and nearest(kind_text, KINDS)
    ):
        faults.append(_unknown_kind(root))
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
    faults.append(_foreign(root.span))
    return None


def _foreign(span: Span) -> Diagnostic:
    help_ = f"begin with `apiVersion: {API_VERSION}` and a `kind`, or move the file out of the sources"
    return Diagnostic(
        "foreign-document", "this is no kfgit document, and nothing uses it", span, help_, severity="warning"
    )


def _wrong_version(root: Mapping, kind: str) -> Diagnostic:
    version = root.get("apiVersion")
    help_ = f"write `apiVersion: {API_VERSION}`"
    misspelt = next((k for k in root.entries if k not in _HEAD and nearest(k, ["apiVersion"])), None)
    if version is None and misspelt is not None:
        place = root.entries[misspelt].key_span
        return Diagnostic("unknown-key", f"unknown key `{misspelt}` in the document", place, help_)
    found = "missing" if version is None else f"`{plain(version)}`"
    article = "an" if kind[0] in "AEIOU" else "a"
    message = f"the `apiVersion` of {article} {kind} is {API_VERSION}, here it is {found}"
    return Diagnostic("wrong-api-version", message, version.span if version is not None else root.span, help_)


def _unknown_kind(root: Mapping) -> Diagnostic:
    kind = root.get("kind")
    if isinstance(kind, Scalar) and isinstance(kind.value, str):
        help_ = did_you_mean(kind.value, KINDS, what="kinds")
        return Diagnostic("unknown-kind", f"there is no kind `{kind.value}`", kind.span, help_)
    kinds = did_you_mean("", KINDS, what="kinds")
    if kind is not None:
        return Diagnostic("unknown-kind", "`kind` must be the name of a kind", kind.span, kinds)
    misspelt = next((k for k in root.entries if k not in _HEAD and nearest(k, ["kind"])), None)
    if misspelt is not None:
        message, place = f"unknown key `{misspelt}` in the document", root.entries[misspelt].key_span
        return Diagnostic("unknown-key", message, place, "did you mean `kind`?")
    return Diagnostic("unknown-kind", "the document has no `kind`", root.span, kinds)


def _bad_name(value: object, span: Span) -> Diagnostic:
    if isinstance(value, str) and template.is_template(value):
        help_ = "development environments put their `prefix` before names by themselves"
        message = "a name is the same in every environment and holds no template"
        return Diagnostic("bad-name", message, span, help_)
    help_ = "small letters, digits and `-`, at most 63, such as `train-model`"
    return Diagnostic("bad-name", f"`{value}` cannot be a name", span, help_)


def environment_of(path: str) -> str | None:
    """The environment whose folder, or file, a document stands in."""
    parts = path.split("/")
    if parts[0] != "environments" or len(parts) < 2:
        return None
    return parts[1] if len(parts) > 2 else re.sub(r"\.(ya?ml|yaml\.j2)\Z", "", parts[1])
