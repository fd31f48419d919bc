"""The form of KFP's IR: which keys its messages have and what stands under them.

After kfp-pipeline-spec 2.17.3 (api/v2alpha1/pipeline_spec.proto), in protobuf's JSON mapping; `tests/sdk/` holds the
table equal to the messages that the SDK has. KFP's own reader refuses a key that is not among them, so it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingOf
from typing import Any

from kfgit.diagnostics import did_you_mean
from kfgit.document import Mapping, Node, Scalar
from kfgit.packages.faults import Faults, kind_of

# A field is a scalar (`text`, `flag`, `int`, `number`, `duration`), `any` JSON, a `map` of that, an enumeration
# (`a|b`), a message, a list `[…]` or a map `{…}` of one of these.
_TYPE = (
    "PARAMETER_TYPE_ENUM_UNSPECIFIED|NUMBER_DOUBLE|NUMBER_INTEGER|STRING|BOOLEAN|LIST|STRUCT|TASK_FINAL_STATUS"
    "|TASK_CONFIG"
)
_PRIMITIVE = "PRIMITIVE_TYPE_UNSPECIFIED|INT|DOUBLE|STRING"
MESSAGES: MappingOf[str, MappingOf[str, str]] = {
    "PipelineSpec": {
        "pipelineInfo": "PipelineInfo", "deploymentSpec": "PipelineDeploymentConfig", "sdkVersion": "text",
        "schemaVersion": "text", "components": "{ComponentSpec}", "root": "ComponentSpec",
        "defaultPipelineRoot": "text",
    },
    "PipelineInfo": {"name": "text", "displayName": "text", "description": "text"},
    "ComponentSpec": {
        "inputDefinitions": "ComponentInputsSpec", "outputDefinitions": "ComponentOutputsSpec", "dag": "DagSpec",
        "executorLabel": "text", "singlePlatformSpecs": "[SinglePlatformSpec]",
        "taskConfigPassthroughs": "[TaskConfigPassthrough]",
    },
    "ComponentInputsSpec": {"artifacts": "{InputArtifact}", "parameters": "{InputParameter}"},
    "InputArtifact": {
        "artifactType": "ArtifactTypeSchema", "isArtifactList": "flag", "isOptional": "flag", "description": "text",
    },
    "InputParameter": {
        "type": _PRIMITIVE, "parameterType": _TYPE, "defaultValue": "any", "isOptional": "flag",
        "description": "text", "literals": "[any]",
    },
    "ArtifactTypeSchema": {
        "schemaTitle": "text", "schemaUri": "text", "instanceSchema": "text", "schemaVersion": "text",
    },
    "ComponentOutputsSpec": {"artifacts": "{OutputArtifact}", "parameters": "{OutputParameter}"},
    "OutputArtifact": {
        "artifactType": "ArtifactTypeSchema", "properties": "{ValueOrRuntimeParameter}",
        "customProperties": "{ValueOrRuntimeParameter}", "metadata": "map", "isArtifactList": "flag",
        "description": "text",
    },
    "OutputParameter": {"type": _PRIMITIVE, "parameterType": _TYPE, "description": "text"},
    "ValueOrRuntimeParameter": {"constantValue": "Value", "runtimeParameter": "text", "constant": "any"},
    "Value": {"intValue": "int", "doubleValue": "number", "stringValue": "text"},
    "DagSpec": {"tasks": "{PipelineTaskSpec}", "outputs": "DagOutputsSpec"},
    "PipelineTaskSpec": {
        "taskInfo": "PipelineTaskInfo", "inputs": "TaskInputsSpec", "dependentTasks": "[text]",
        "cachingOptions": "CachingOptions", "componentRef": "ComponentRef", "triggerPolicy": "TriggerPolicy",
        "artifactIterator": "ArtifactIteratorSpec", "parameterIterator": "ParameterIteratorSpec",
        "retryPolicy": "RetryPolicy", "iteratorPolicy": "IteratorPolicy",
    },
    "PipelineTaskInfo": {"name": "text"},
    "TaskInputsSpec": {"parameters": "{InputParameterSpec}", "artifacts": "{InputArtifactSpec}"},
    "InputParameterSpec": {
        "taskOutputParameter": "TaskOutputParameterSpec", "runtimeValue": "ValueOrRuntimeParameter",
        "componentInputParameter": "text", "taskFinalStatus": "TaskFinalStatus",
        "parameterExpressionSelector": "text",
    },
    "TaskOutputParameterSpec": {"producerTask": "text", "outputParameterKey": "text"},
    "TaskFinalStatus": {"producerTask": "text"},
    "InputArtifactSpec": {"taskOutputArtifact": "TaskOutputArtifactSpec", "componentInputArtifact": "text"},
    "TaskOutputArtifactSpec": {"producerTask": "text", "outputArtifactKey": "text"},
    "CachingOptions": {"enableCache": "flag", "cacheKey": "text"},
    "ComponentRef": {"name": "text"},
    "TriggerPolicy": {
        "condition": "text",
        "strategy": "TRIGGER_STRATEGY_UNSPECIFIED|ALL_UPSTREAM_TASKS_SUCCEEDED|ALL_UPSTREAM_TASKS_COMPLETED",
    },
    "ArtifactIteratorSpec": {"items": "ArtifactItems", "itemInput": "text"},
    "ArtifactItems": {"inputArtifact": "text"},
    "ParameterIteratorSpec": {"items": "ParameterItems", "itemInput": "text"},
    "ParameterItems": {"raw": "text", "inputParameter": "text"},
    "RetryPolicy": {
        "maxRetryCount": "int", "backoffDuration": "duration", "backoffFactor": "number",
        "backoffMaxDuration": "duration",
    },
    "IteratorPolicy": {"parallelismLimit": "int"},
    "DagOutputsSpec": {"artifacts": "{DagOutputArtifactSpec}", "parameters": "{DagOutputParameterSpec}"},
    "DagOutputArtifactSpec": {"artifactSelectors": "[ArtifactSelectorSpec]"},
    "ArtifactSelectorSpec": {"producerSubtask": "text", "outputArtifactKey": "text"},
    "DagOutputParameterSpec": {
        "valueFromParameter": "ParameterSelectorSpec", "valueFromOneof": "ParameterSelectorsSpec",
    },
    "ParameterSelectorSpec": {"producerSubtask": "text", "outputParameterKey": "text"},
    "ParameterSelectorsSpec": {"parameterSelectors": "[ParameterSelectorSpec]"},
    "PipelineDeploymentConfig": {"executors": "{ExecutorSpec}"},
    "ExecutorSpec": {
        "container": "PipelineContainerSpec", "importer": "ImporterSpec", "resolver": "ResolverSpec",
        "customJob": "AIPlatformCustomJobSpec",
    },
    "PipelineContainerSpec": {
        "image": "text", "command": "[text]", "args": "[text]", "lifecycle": "Lifecycle", "resources": "ResourceSpec",
        "env": "[EnvVar]",
    },
    "Lifecycle": {"preCacheCheck": "Exec"},
    "Exec": {"command": "[text]", "args": "[text]"},
    "ResourceSpec": {
        "cpuLimit": "number", "memoryLimit": "number", "cpuRequest": "number", "memoryRequest": "number",
        "resourceCpuLimit": "text", "resourceMemoryLimit": "text", "resourceCpuRequest": "text",
        "resourceMemoryRequest": "text", "accelerator": "AcceleratorConfig",
    },
    "AcceleratorConfig": {"type": "text", "count": "int", "resourceType": "text", "resourceCount": "text"},
    "EnvVar": {"name": "text", "value": "text"},
    "ImporterSpec": {
        "artifactUri": "ValueOrRuntimeParameter", "typeSchema": "ArtifactTypeSchema",
        "properties": "{ValueOrRuntimeParameter}", "customProperties": "{ValueOrRuntimeParameter}", "reimport": "flag",
        "metadata": "map", "downloadToWorkspace": "flag",
    },
    "ResolverSpec": {"outputArtifactQueries": "{ArtifactQuerySpec}"},
    "ArtifactQuerySpec": {"filter": "text", "limit": "int"},
    "AIPlatformCustomJobSpec": {"customJob": "map"},
    "PlatformSpec": {"platforms": "{SinglePlatformSpec}"},
    "SinglePlatformSpec": {
        "deploymentSpec": "PlatformDeploymentConfig", "platform": "text", "config": "map",
        "pipelineConfig": "PipelineConfig",
    },
    "PlatformDeploymentConfig": {"executors": "{map}"},
    "PipelineConfig": {
        "resourceTtlOnCompletion": "int", "workspace": "WorkspaceConfig", "resourceTtlOnSuccess": "int",
        "resourceTtlOnFailure": "int", "activeDeadlineSeconds": "int",
    },
    "WorkspaceConfig": {"size": "text", "kubernetes": "KubernetesWorkspaceConfig"},
    "KubernetesWorkspaceConfig": {"pvcSpecPatch": "map"},
    "TaskConfigPassthrough": {
        "field": "NONE|RESOURCES|ENV|KUBERNETES_AFFINITY|KUBERNETES_TOLERATIONS|KUBERNETES_NODE_SELECTOR"
        "|KUBERNETES_VOLUMES",
        "applyToTask": "flag",
    },
}  # fmt: skip
# Of these only one may be set (protobuf's oneof).
CHOICES: MappingOf[str, tuple[str, ...]] = {
    "ComponentSpec": ("dag", "executorLabel"),
    "PipelineTaskSpec": ("artifactIterator", "parameterIterator"),
    "InputParameterSpec": (
        "taskOutputParameter",
        "runtimeValue",
        "componentInputParameter",
        "taskFinalStatus",
    ),
    "InputArtifactSpec": ("taskOutputArtifact", "componentInputArtifact"),
    "ParameterItems": ("raw", "inputParameter"),
    "DagOutputParameterSpec": ("valueFromParameter", "valueFromOneof"),
    "ExecutorSpec": ("container", "importer", "resolver", "customJob"),
    "ValueOrRuntimeParameter": ("constantValue", "runtimeParameter", "constant"),
    "Value": ("intValue", "doubleValue", "stringValue"),
    "ArtifactTypeSchema": ("schemaTitle", "schemaUri", "instanceSchema"),
}
# Of these one must be set, and these must be there: protobuf leaves all out, and KFP's backend then fails.
NEEDED_CHOICES = (
    "ComponentSpec", "InputParameterSpec", "InputArtifactSpec", "ParameterItems", "DagOutputParameterSpec",
    "ExecutorSpec",
)  # fmt: skip
NEEDED: MappingOf[str, tuple[str, ...]] = {
    "PipelineSpec": ("root", "schemaVersion"),
    "PipelineTaskSpec": ("componentRef",),
    "ComponentRef": ("name",),
    "TaskOutputParameterSpec": ("producerTask", "outputParameterKey"),
    "TaskOutputArtifactSpec": ("producerTask", "outputArtifactKey"),
    "TaskFinalStatus": ("producerTask",),
    "ArtifactSelectorSpec": ("producerSubtask", "outputArtifactKey"),
    "ParameterSelectorSpec": ("producerSubtask", "outputParameterKey"),
    "ParameterIteratorSpec": ("itemInput", "items"),
    "ArtifactIteratorSpec": ("itemInput", "items"),
    "ArtifactItems": ("inputArtifact",),
    "PipelineContainerSpec": ("image",),
    "ImporterSpec": ("artifactUri",),
}
_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s\Z")
_INT = re.compile(r"-?\d+\Z")
_WORDS = {"text": "a string", "flag": "`true` or `false`", "int": "a whole number", "number": "a number",
          "duration": "seconds such as `30s`", "map": "a map"}  # fmt: skip


def check(faults: Faults, node: Node, message: str, key: str) -> None:
    """Tells what in `node` a message cannot have; `key` is what it stands under. Null is for protobuf "not set"."""
    if not isinstance(node, Mapping):
        faults.wrong_type(node, f"`{key}`", "a map")
        return
    fields = MESSAGES[message]
    strays = False
    for name, entry in node.entries.items():
        kind = fields.get(name)
        if kind is None:
            strays = True
            free = [field for field in fields if field not in node.entries]
            help_ = did_you_mean(name, free, what="keys that may stand here")
            faults.error("unknown-key", f"`{key}` has no key `{name}`", entry.key_span, help_)
        else:
            _field(faults, entry.node, kind, name)
    choices = CHOICES.get(message, ())
    chosen = [name for name in node.entries if name in choices]
    if len(chosen) > 1:
        told = f"`{chosen[0]}` and `{chosen[1]}` exclude each other"
        faults.error("exclusive-keys", told, node.entries[chosen[1]].key_span, "keep one of them")
    if not strays:
        _missing(faults, node, message, key)


def _missing(faults: Faults, node: Mapping, message: str, key: str) -> None:
    """What is not there; an empty text is nothing, as protobuf has it."""
    help_ = "compile the pipeline anew"
    if message in NEEDED_CHOICES and all(_is_unset(node.get(name)) for name in CHOICES[message]):
        known = ", ".join(f"`{name}`" for name in CHOICES[message])
        faults.error("missing-key", f"`{key}` has none of {known}", node.span, help_)
    for name in NEEDED.get(message, ()):
        if _is_unset(node.get(name)):
            entry = node.entries.get(name)
            span = entry.key_span if entry is not None else node.span
            faults.error("missing-key", f"`{key}` has no `{name}`", span, help_)


def _is_unset(node: Node | None) -> bool:
    return node is None or (isinstance(node, Scalar) and node.value in {None, ""})


def _field(faults: Faults, node: Node, kind: str, key: str) -> None:
    if isinstance(node, Scalar) and node.value is None:
        return
    match kind[0]:
        case "[":
            for item in faults.items(node, f"`{key}`"):
                _each(faults, item, kind[1:-1], key)
        case "{":
            found = faults.mapping(node, f"`{key}`")
            for name, entry in found.entries.items() if found is not None else ():
                _each(faults, entry.node, kind[1:-1], name)
        case _ if kind in MESSAGES:
            check(faults, node, kind, key)
        case _ if "|" in kind:
            _choice(faults, node, kind.split("|"), key)
        case _:
            _value(faults, node, kind, key)


def _each(faults: Faults, node: Node, kind: str, key: str) -> None:
    """One of several values, which cannot be unset."""
    if isinstance(node, Scalar) and node.value is None and kind != "any":
        faults.error("wrong-type", f"`{key}` is empty", node.span, "give it a value, or remove it")
    else:
        _field(faults, node, kind, key)


def _choice(faults: Faults, node: Node, words: list[str], key: str) -> None:
    if isinstance(node, Scalar) and node.value in words:
        return
    if isinstance(node, Scalar) and isinstance(node.value, str):
        help_ = did_you_mean(node.value, words, what="known values")
        faults.error("bad-value", f"`{node.value}` cannot be a `{key}`", node.span, help_)
    else:
        faults.wrong_type(node, f"`{key}`", f"a word such as `{words[1]}`")


def _value(faults: Faults, node: Node, kind: str, key: str) -> None:
    if kind == "any":
        return
    if kind == "map":
        faults.mapping(node, f"`{key}`")
    elif not isinstance(node, Scalar) or not _fits(node.value, kind):
        help_ = f'quote it: "{node.value}"' if kind == "text" and isinstance(node, Scalar) else None
        shown = f"`{node.value}`" if isinstance(node, Scalar) and kind == "duration" else kind_of(node)
        faults.error("wrong-type", f"`{key}` must be {_WORDS[kind]}, not {shown}", node.span, help_)


def _fits(value: Any, kind: str) -> bool:
    """Protobuf's JSON mapping: a 64-bit integer may be a string of digits, and a number may be one, too."""
    match kind, value:
        case ("text", str()) | ("flag", bool()):
            return True
        case ("duration", str()):
            return _DURATION.match(value) is not None
        case ("int" | "number", bool()):
            return False
        case ("int", int()) | ("number", int() | float()):
            return True
        case "int", float():
            return value.is_integer()
        case "int", str():
            return _INT.match(value) is not None
        case "number", str():
            return (
                value in {"NaN", "Infinity", "-Infinity"}
                or re.match(r"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z", value) is not None
            )
        case _:
            return False
