"""What KFP's driver and launcher do around a program, as pure functions: its input, its arguments, its outputs.

Follows `backend/src/v2/component/launcher_v2.go` (`addDefaultParams`, `compileCmdAndArgs`, `getPlaceholders`,
`collectOutputParameters`, `mergeRuntimeArtifacts`) and `backend/src/v2/driver/util.go` (`resolveContainerArgs`). On a
cluster the pod's args are the component's `command` and `args` joined: the driver resolves `IfPresent` in `args`,
kubelet expands `$(NAME)` and `$$` in all of them, and the launcher then takes the first as the program, in which it
replaces only `{{$}}`, and the rest as arguments, in which it replaces every placeholder. An image's own entrypoint
never runs. Here the same happens in the same order, with one difference: a value is data. KFP inserts some values
before kubelet reads the text and replaces placeholders in no fixed order, so that a value holding `$(X)` or a
placeholder may be expanded again; here what was inserted is never looked at again.

Numbers are doubles throughout, as in protobuf's Struct: 1.0 arrives as 1, and 2**53 + 1 as 2**53.
"""

from __future__ import annotations

from kfgit.backends.local.launcher.arguments import (
    arguments,
    expand,
    fill,
    is_concat,
    is_conditional,
    local_path,
    placeholders,
    text_of,
)
from kfgit.backends.local.launcher.failures import Stopped, TaskFailure
from kfgit.backends.local.launcher.given import (
    Layout,
    executor_input,
    number_as_double,
    output_artifacts,
    output_parameters,
    to_json,
)
from kfgit.backends.local.launcher.outputs import OUTPUT_LIMIT, Written, collect, parse_output, value_of

__all__ = [
    "OUTPUT_LIMIT", "Layout", "Stopped", "TaskFailure", "Written", "arguments", "collect", "executor_input", "expand",
    "fill", "is_concat", "is_conditional", "local_path", "number_as_double", "output_artifacts", "output_parameters",
    "parse_output", "placeholders", "text_of", "to_json", "value_of",
]  # fmt: skip
