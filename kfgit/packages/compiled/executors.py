"""What runs in a package: images, command lines and their placeholders, importers, and what platforms add."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping as MappingOf

from kfgit.diagnostics import did_you_mean
from kfgit.document import Mapping, Scalar
from kfgit.packages.compiled.reading import entries, is_well_formed, items, maps, scalar
from kfgit.packages.faults import Faults
from kfgit.source import Span

_KINDS = ("container", "importer", "resolver", "customJob")
_PORT = re.compile(r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\[['\"]([^'\"]+)['\"]\]")
# The SDK puts the inputs of texts into the task alone, not into its component (compiler/pipeline_spec_builder.py).
_CHANNEL = "pipelinechannel--"
_BOOTSTRAP = "--component_module_path"


def check_executors(
    faults: Faults, spec: Mapping, reached: MappingOf[str, Mapping]
) -> Iterator[tuple[str, Span]]:
    """Tells what is wrong with the executors that are used; gives their images."""
    known = entries(spec, "deploymentSpec", "executors")
    done: set[str] = set()
    for component in reached.values():
        label = scalar(component, "executorLabel")
        if label is None:
            continue
        found = known.get(str(label.value))
        if found is None:
            if is_well_formed(spec, "deploymentSpec") and is_well_formed(spec, "deploymentSpec", "executors"):
                help_ = did_you_mean(str(label.value), known, what="executors")
                faults.error("unknown-executor", f"there is no executor `{label.value}`", label.span, help_)
        elif isinstance(found.node, Mapping):
            if str(label.value) not in done:
                done.add(str(label.value))
                yield from _executor(faults, str(label.value), found.node)
            _placeholders(faults, component, found.node)


def _executor(faults: Faults, label: str, node: Mapping) -> Iterator[tuple[str, Span]]:
    for kind, why in (("resolver", "KFP's backend has none"), ("customJob", "only Vertex AI runs it")):
        if kind in node.entries:
            message = f"the executor `{label}` is a `{kind}`: {why}"
            faults.error(
                "not-supported", message, node.entries[kind].key_span, "use a container or an importer"
            )
    container = node.get("container")
    if isinstance(container, Mapping):
        image = scalar(container, "image")
        if image is not None:
            yield str(image.value), image.span


def _placeholders(faults: Faults, component: Mapping, executor: Mapping) -> None:
    """The inputs and outputs that a command line names."""
    lines = [*items(executor, "container", "command"), *items(executor, "container", "args")]
    program = False
    for node in lines:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            continue
        for side, kind, name in () if program else dict.fromkeys(_PORT.findall(node.value)):
            definitions = f"{side[:-1]}Definitions"
            known = entries(component, definitions, kind)
            if name in known or name.startswith(_CHANNEL) or not is_well_formed(component, definitions, kind):
                continue
            what = f"{side[:-1]} {kind[:-1]}"
            help_ = did_you_mean(name, known, what=f"{what}s")
            faults.error(f"unknown-{side[:-1]}", f"the component has no {what} `{name}`", node.span, help_)
        # What follows KFP's bootstrap is a python program, whose texts are its own.
        program = _BOOTSTRAP in node.value


def check_platform(faults: Faults, spec: Mapping, platform: Mapping) -> None:
    """What platforms add is added to executors that are there."""
    known = entries(spec, "deploymentSpec", "executors")
    if not is_well_formed(spec, "deploymentSpec") or not is_well_formed(spec, "deploymentSpec", "executors"):
        return
    for _, _, single in maps(platform, "platforms"):
        for label, span, _ in maps(single, "deploymentSpec", "executors"):
            if label not in known:
                help_ = did_you_mean(label, known, what="executors")
                faults.error("unknown-executor", f"there is no executor `{label}`", span, help_)


def kind_of_executor(node: Mapping) -> str:
    """What an executor is: one of the four kinds, empty for none."""
    return next((kind for kind in _KINDS if kind in node.entries), "")
