"""Compiled pipelines: KFP's pipeline spec (IR) as plain values with stable bytes.

A `Package` is what `compile` writes, what a KFP server takes and what the local engine executes. `labels` is not
part of KFP's document: it maps the IR's task names back to the names of the source, so that a run can be told
in the author's words. A package that kfgit did not compile has no labels and is told by its own task names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from kfgit import canonical

ROOT = "root"
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

    def to_yaml(self) -> str:
        """The package as a file: one or two YAML documents, byte-stable."""
        documents = [self.spec] if self.platform is None else [self.spec, self.platform]
        body = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=2**31 - 1, allow_unicode=True)
        return f"# PIPELINE DEFINITION\n# Name: {self.name}\n{body}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One desired object. `spec` is JSON and the whole of what is compared; a Pipeline's IR is in `package`."""

    kind: str
    name: str
    spec: Mapping[str, Any]
    digest: str
    package: Package | None = None


class _Dumper(yaml.SafeDumper if not yaml.__with_libyaml__ else yaml.CSafeDumper):  # type: ignore[misc]
    """PyYAML's dumper, made to quote what other readers would not take for texts."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Never write anchors: equal parts of a spec are not the same thing."""
        return True


# What PyYAML, which writes YAML 1.1, leaves bare, and the YAML reader of KFP's server takes for something else: numbers
# of YAML 1.2 and of Go's notation, also with `_` in them, and `y` and `n` (go-yaml resolve.go).
_NOT_A_TEXT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z|[-+]?0[xXoObB][0-9a-fA-F]+\Z|[yYnN]\Z"
)


def _text(dumper: Any, value: str) -> Any:
    if "\n" in value and not any(line.endswith((" ", "\t")) for line in value.split("\n")):
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|")
    style = "'" if _NOT_A_TEXT.match(value.replace("_", "")) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
