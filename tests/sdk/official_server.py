"""Runs where KFP's SDK is installed: compiles DSL programs and loads packages, a question and an answer a line.

{"do": "compile", "path": …} → {"spec": …, "platform": …}
{"do": "load", "text": …}    → the same, or {"error": …}
{"do": "surface"}            → {name: its parameters} of all that a program can say
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import json
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

_NUMBERS = itertools.count()


def compiled(path: str) -> dict[str, Any]:
    """What the SDK makes of the pipeline in a program, before it writes it to a file."""
    found = importlib.util.spec_from_file_location(f"program_{next(_NUMBERS)}", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return printed(module.pipeline)


def loaded(text: str) -> dict[str, Any]:
    """What the SDK reads in a package; the settings of executors are read as kfp-kubernetes has them, too."""
    components: Any = importlib.import_module("kfp.components")
    read = printed(components.load_component_from_text(text))
    json_format: Any = importlib.import_module("google.protobuf.json_format")
    config: Any = importlib.import_module("kfp.kubernetes.kubernetes_executor_config_pb2")
    kubernetes = read["platform"].get("platforms", {}).get("kubernetes", {})
    for executor in kubernetes.get("deploymentSpec", {}).get("executors", {}).values():
        json_format.ParseDict(executor, config.KubernetesExecutorConfig())
    return read


def surface() -> dict[str, list[str]]:
    """The public names of `kfp.dsl` and `kfp.kubernetes`, the methods of tasks as `task.…`, and their parameters."""
    dsl: Any = importlib.import_module("kfp.dsl")
    kubernetes: Any = importlib.import_module("kfp.kubernetes")
    methods = {
        f"task.{name}": method for name, method in vars(dsl.PipelineTask).items() if not name.startswith("_")
    }
    public = {name: getattr(module, name) for module in (dsl, kubernetes) for name in module.__all__}
    return {name: list(_parameters(value)) for name, value in {**public, **methods}.items()}


def _parameters(value: Any) -> Iterator[str]:
    if callable(value):
        for name, parameter in inspect.signature(value).parameters.items():
            if name not in {"self", "func"} and parameter.kind not in {
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            }:
                yield name


def printed(component: Any) -> dict[str, Any]:
    """Both documents of a component, as the SDK writes them."""
    json_format: Any = importlib.import_module("google.protobuf.json_format")
    return {
        "spec": json_format.MessageToDict(component.pipeline_spec),
        "platform": json_format.MessageToDict(component.platform_spec),
    }


def answer(question: dict[str, str]) -> dict[str, Any]:
    """The answer; whatever the SDK raises is one, too."""
    try:
        match question["do"]:
            case "compile":
                return compiled(question["path"])
            case "surface":
                return surface()
            case _:
                return loaded(question["text"])
    except Exception:  # noqa: BLE001 - programs may raise anything
        return {"error": traceback.format_exc()}


def main() -> None:
    """Answers until there are no more questions. What programs print is none of it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    yaml: Any = importlib.import_module("yaml")
    # The SDK reads with the parser that is written in Python. That of libyaml reads the same, five times faster.
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
