"""Compiled pipelines: KFP's pipeline spec (IR) as plain values with stable bytes.

A `Package` is what `compile` writes, what a KFP server takes and what the local engine executes. `labels` is not
part of KFP's document: it maps the IR's task names back to the names of the source, so that a run can be told
in the author's words. A package that kfgit did not compile has no labels and is told by its own task names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from kfgit import canonical

ROOT = "root"
# KFP's experiment for what names none.
DEFAULT_EXPERIMENT = "Default"
SCHEMA_VERSION = "2.1.0"
# The SDK whose IR and whose lightweight-component bootstrap kfgit writes.
SDK_VERSION = "kfp-2.17.0"


def label_key(component: str, task: str) -> str:
    """The key of a task in `Package.labels`: the component that holds its DAG, and its name in that DAG."""
    return f"{component}/{task}"


def output_label_key(component: str, output: str) -> str:
    """The key of an output in `Package.labels`, where the compiler had to make its name up."""
    return f"{component}#{output}"


@dataclass(frozen=True, slots=True)
class Package:
    """One compiled pipeline.

    `spec` is a PipelineSpec in JSON form (api/v2alpha1/pipeline_spec.proto), `platform` a PlatformSpec or None.
    In `labels` an empty text marks a group that the compiler made (a guard, a branch, the exit handler's body),
    which is left out of task paths. A component's own name in the IR is mapped to its name in the source, and so are
    the outputs of a switch.
    """

    name: str
    spec: Mapping[str, Any]
    platform: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The sha256 of both documents without the SDK's version, which says nothing about the pipeline."""
        spec = {key: value for key, value in self.spec.items() if key != "sdkVersion"}
        return canonical.digest([spec, self.platform])

    @property
    def pipeline_config(self) -> Mapping[str, Any]:
        """What holds for a run as a whole (pipeline_spec.proto, PipelineConfig)."""
        place: Any = self.platform
        for key in ("platforms", "kubernetes", "pipelineConfig"):
            place = place.get(key) if isinstance(place, Mapping) else None
        return place if isinstance(place, Mapping) else {}

    def to_yaml(self) -> str:
        """The package as a file: one or two YAML documents, byte-stable."""
        documents = [self.spec] if self.platform is None else [self.spec, self.platform]
        body = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=2**31 - 1, allow_unicode=True)
        return f"# PIPELINE DEFINITION\n# Name: {self.name}\n{body}"


@dataclass(frozen=True, slots=True)
class Use:
    """What a pipeline's tasks get by the name of a profile.

    `profile` is the one that `name` means in the environment, `settings` what that says, by the paths of its document.
    `tasks` are paths as runs tell them, by a digest of what each gets in the end: tasks have amounts of their own too.
    """

    name: str
    profile: str
    settings: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """One desired object. `spec` is JSON and the whole of what is compared; a Pipeline's IR is in `package`.

    `documents` are the names (`metadata.name`) of those that want it, where that may be another than its own. `uses`
    are the profiles of a Pipeline's tasks, which are in its package and told apart for people.
    """

    kind: str
    name: str
    spec: Mapping[str, Any]
    digest: str
    package: Package | None = None
    documents: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()


class _Dumper(yaml.SafeDumper if not yaml.__with_libyaml__ else yaml.CSafeDumper):  # type: ignore[misc]
    """PyYAML's dumper, made to quote what other readers would not take for texts.

    Never writes anchors: equal parts of a spec are not the same thing. A package says the same few hundred words
    thousands of times, so what is found out about one is kept.
    """

    def represent_data(self, data: Any) -> Any:
        """The node of a JSON value."""
        if data.__class__ is str:
            return yaml.ScalarNode(_TEXT, data, style=_style(data))
        if data.__class__ is dict:
            pairs = [(self.represent_data(k), self.represent_data(v)) for k, v in sorted(data.items())]
            return yaml.MappingNode(_MAP, pairs, flow_style=False)
        if data.__class__ is list:
            return yaml.SequenceNode(_LIST, [self.represent_data(v) for v in data], flow_style=False)
        return super().represent_data(data)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a value that is written without one."""
        if kind is yaml.ScalarNode:
            return _resolved(value, implicit)
        return super().resolve(kind, value, implicit)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """See above."""
        return True


_TEXT, _MAP, _LIST = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))
# What PyYAML, which writes YAML 1.1, leaves bare, and the YAML reader of KFP's server takes for something else: numbers
# of YAML 1.2 and of Go's notation, also with `_` in them, and `y` and `n` (go-yaml resolve.go).
_NOT_A_TEXT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z|[-+]?0[xXoObB][0-9a-fA-F]+\Z|[yYnN]\Z"
)


@lru_cache(maxsize=4096)
def _style(text: str) -> str | None:
    if "\n" in text and not any(line.endswith((" ", "\t")) for line in text.split("\n")):
        return "|"
    return "'" if _NOT_A_TEXT.match(text.replace("_", "")) else None


@lru_cache(maxsize=8192)
def _resolved(text: str, implicit: tuple[bool, bool]) -> Any:
    return yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, implicit)  # type: ignore[no-untyped-call]
