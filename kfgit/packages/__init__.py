"""KFP's own files as they stand: a v1 `component.yaml` becomes the Component document that says the same.

    v1 file → inputs and outputs, typed by declaration and use → command line → Component document

Nobody rewrites a v1 file to begin. It is turned into nodes, not into a model, so that overlays, patches, checks and the
compiler treat it as any Component, and every node stands where its text stands in the v1 file. What is decided here
is what v1 left open or KFP 2 dropped: names and types (`types`), placeholders (`arguments`), and text that must not be
taken for kfgit's own notation (`text`). A faulty value leaves a mark, which later stages know as told.
Left out: annotations, labels that Kubernetes would refuse, and graph components, which KFP 2 does not have either.
"""

from __future__ import annotations

import re

from kfgit.diagnostics import Checked
from kfgit.document import Document, Entry, Mapping, Node, Origin, Scalar, at
from kfgit.packages.arguments import CommandLine
from kfgit.packages.faults import Faults, is_empty, mark
from kfgit.packages.ports import inputs_of, outputs_of, uses_of, written
from kfgit.packages.text import component_name, escaped, literal, mapping, warn_of_argo, words

__all__ = ["is_v1_component", "v1_component"]

_API_VERSION = "kfgit.dev/v1"
_ROOT_KEYS = ("name", "description", "metadata", "inputs", "outputs", "implementation", "version")
_CONTAINER_KEYS = ("image", "command", "args", "env", "fileOutputs")
_MADE = (Origin("a v1 component", None),)
_FROM_FILE = (Origin("the name of the file", None),)
# Kubernetes' rules for labels, as schemas/common.schema.json has them; patches and policies select by labels.
_LABEL = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")


def is_v1_component(root: Node) -> bool:
    """Whether a document is a v1 component: the test that KFP makes (dsl/structures.py, from_yaml_documents).

    Nothing of Kubernetes, and so nothing of kfgit, is one.
    """
    if not isinstance(root, Mapping) or {"apiVersion", "kind"} & set(root.entries):
        return False
    return isinstance(root.get("implementation"), Mapping)


def v1_component(document: Document) -> Checked[Mapping]:
    """The Component document of a v1 component, and what is wrong with the file. It never raises."""
    faults, root = Faults(), document.root
    if not isinstance(root, Mapping):
        faults.wrong_type(root, "a component", "a map")
        root = Mapping({}, root.span)
    faults.known_keys(root, _ROOT_KEYS, "a component")
    metadata = _metadata(faults, root, document.file)
    made = mapping(
        root.span,
        apiVersion=Scalar(_API_VERSION, root.span, origins=_MADE),
        kind=Scalar("Component", root.span, origins=_MADE),
        metadata=metadata,
        spec=_spec(faults, root),
    )
    return Checked(made, tuple(faults.found))


def _metadata(faults: Faults, root: Mapping, file: str) -> Mapping:
    entries = {"name": _name(faults, root, file)}
    description = root.entries.get("description")
    text = faults.text(description.node, "the description") if description is not None else None
    if description is not None and text:
        entries["description"] = Entry(description.key_span, literal(text, description.node.span))
    metadata = faults.mapping(root.get("metadata"), "`metadata`")
    if metadata is not None:
        faults.known_keys(metadata, ("annotations", "labels"), "`metadata`")
        labels = metadata.entries.get("labels")
        if labels is not None and isinstance(labels.node, Mapping):
            kept = {key: entry for key, entry in labels.node.entries.items() if _is_label(key, entry.node)}
            entries["labels"] = Entry(labels.key_span, Mapping(kept, labels.node.span))
    return Mapping(entries, root.span)


def _is_label(key: str, node: Node) -> bool:
    value = node.value if isinstance(node, Scalar) else None
    return isinstance(value, str) and _LABEL.match(key) is not None and _LABEL_VALUE.match(value) is not None


def _name(faults: Faults, root: Mapping, file: str) -> Entry:
    """The name; without one, that of the file, or of its folder where it is a `component.yaml`."""
    entry = root.entries.get("name")
    text = faults.text(entry.node, "the name") if entry is not None else None
    name = component_name(text or "")
    if entry is not None and name:
        return Entry(entry.key_span, Scalar(name, entry.node.span))
    span = entry.node.span if entry is not None else root.span
    folder, _, stem = re.sub(r"\.(ya?ml|yaml\.j2)\Z", "", file).rpartition("/")
    parts = (component_name(part) for part in (stem, *reversed(folder.split("/"))))
    name = next((part for part in parts if part not in {"", "component"}), "component")
    if entry is None or text is not None or is_empty(entry.node):
        message = f"the component has no name of letters and digits; it is called `{name}` after its file"
        faults.warn("name-from-file", message, span, "add a `name`")
    return Entry(span, Scalar(name, span, origins=_FROM_FILE if entry is None else ()))


def _spec(faults: Faults, root: Mapping) -> Mapping:
    entry = root.entries.get("implementation")
    place = Entry(root.span, mark(root.span)) if entry is None else entry
    container = _container(faults, place)
    commands = (container.get("command"), container.get("args")) if container is not None else ()
    input_uses, output_uses = uses_of(*commands)
    inputs = inputs_of(faults, root.get("inputs"), input_uses)
    outputs = outputs_of(faults, root.get("outputs"), output_uses)
    entries = {}
    for key, ports in (("inputs", inputs), ("outputs", outputs)):
        if ports:
            entries[key] = Entry(root.entries[key].key_span, written(ports, root.entries[key].node.span))
    line = CommandLine(faults, inputs, outputs)
    made = _implementation(faults, container, line) if container is not None else {}
    span = container.span if container is not None else place.node.span
    if faults.fatal:
        # Whatever was wrong, the component must not be compiled without it.
        where = made["image"] if "image" in made else Entry(span, mark(span))
        made["image"] = Entry(where.key_span, mark(where.node.span))
    return Mapping({**entries, "container": Entry(place.key_span, Mapping(made, span))}, place.node.span)


def _container(faults: Faults, place: Entry) -> Mapping | None:
    implementation = faults.mapping(place.node, "`implementation`")
    if implementation is None:
        if is_empty(place.node):
            message = "`implementation` is missing in a component"
            faults.error("missing-key", message, place.key_span, "add `implementation: {container: …}`")
        return None
    faults.known_keys(implementation, ("container", "graph"), "`implementation`")
    graph = implementation.entries.get("graph")
    if graph is not None:
        message = "a graph component is not supported, nor does KFP 2 support it"
        faults.error("not-supported", message, graph.key_span, "write its tasks as a Pipeline")
        return None
    entry = implementation.entries.get("container")
    if entry is None or is_empty(entry.node):
        message = "`container` is missing in `implementation`"
        faults.error("missing-key", message, place.key_span, "add `container: {image: …}`")
        return None
    return faults.mapping(entry.node, "`container`")


def _implementation(faults: Faults, container: Mapping, line: CommandLine) -> dict[str, Entry]:
    faults.known_keys(container, _CONTAINER_KEYS, "`container`")
    made: dict[str, Entry] = {}
    image = container.entries.get("image")
    name = faults.text(image.node, "`image`") if image is not None else None
    if image is not None and name:
        made["image"] = Entry(image.key_span, literal(name, image.node.span))
    elif image is None or isinstance(image.node, Scalar):
        _tell_missing_image(faults, container, image)
    for key in ("command", "args"):
        found = line.arguments(container.get(key), f"`{key}`")
        if found is not None:
            made[key] = Entry(container.entries[key].key_span, found)
    env = container.entries.get("env")
    variables = faults.mapping(env.node, "`env`") if env is not None else None
    if env is not None and variables is not None:
        made["env"] = Entry(env.key_span, _environment(faults, variables))
    _no_file_outputs(faults, container)
    return made


def _tell_missing_image(faults: Faults, container: Mapping, image: Entry | None) -> None:
    """A value of another type was told by who read it."""
    if image is None:
        faults.error("missing-key", "`image` is missing in `container`", container.span, "add `image`")
    elif isinstance(image.node, Scalar) and image.node.value in {None, ""}:
        faults.error("wrong-type", "`image` must be the name of an image, not empty", image.node.span)


def _environment(faults: Faults, variables: Mapping) -> Mapping:
    made = {}
    for key, entry in variables.entries.items():
        text = words(entry.node) if isinstance(entry.node, Scalar) else None
        if text is None:
            help_ = "pass it as an argument, or lay another `env` over it in an overlay"
            node: Node = faults.wrong_type(entry.node, f"the variable `{key}`", "a string", help_)
        else:
            warn_of_argo(faults, text, entry.node.span)
            node = literal(escaped(text), entry.node.span)
        made[key] = Entry(entry.key_span, node)
    return Mapping(made, variables.span)


def _no_file_outputs(faults: Faults, container: Mapping) -> None:
    """KFP 2 drops `fileOutputs` without a word, and then waits in vain for the outputs."""
    found = container.entries.get("fileOutputs")
    if found is None:
        return
    names = found.node.entries if isinstance(found.node, Mapping) else {}
    first = next(iter(names), "x")
    path = at(found.node, (first,))
    where = path.value if isinstance(path, Scalar) and isinstance(path.value, str) else "its path"
    message = "`fileOutputs` is not supported: KFP 2 collects no files from fixed paths"
    help_ = f"give the program `{{outputPath: {first}}}` as an argument, to write to instead of {where}"
    faults.error("not-supported", message, found.key_span, help_)
