"""v1 components: what they become, what is said of them, and that KFP's own loader sees them the same way."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import compiler, graph, overlay, resolve, schema
from kfgit.diagnostics import Diagnostic, ordered
from kfgit.document import Document, Entry, Mapping, Node, Scalar, Sequence, at, parse, plain
from kfgit.model import Component, Container, ParameterType, Project, TextArgument
from kfgit.packages import is_v1_component, v1_component
from kfgit.source import SourceFile, Span

ROOT = Path(__file__).parents[2]
SCHEMAS = schema.Schemas.load(
    {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in (ROOT / "schemas").glob("*.schema.json")
    }
)
FOLDER = ROOT.parent / "shared" / "conformance" / "v1-components"
FILES = sorted(FOLDER.glob("*.yaml"))
needs_samples = pytest.mark.skipif(
    not FILES, reason="the folder ../shared/conformance/v1-components is not beside this checkout"
)

# 40 of the 43 samples run; these do not, for reasons that KFP has too or keeps quiet about.
UNSUPPORTED = {
    "components__XGBoost__Train_and_cross-validate_regression__from_CSV.yaml": "a graph component",
    "components__deprecated__tfx__StatisticsGen.yaml": "asks for a parameter; `schema` is an artifact",
    "components__presto__query.yaml": "`fileOutputs`",
}


def documents(text: str | bytes, file: str = "components/x.yaml") -> tuple[Document, ...]:
    checked = parse(SourceFile(file, text.encode() if isinstance(text, str) else text))
    assert checked.ok, checked.diagnostics
    return checked.value


def converted(text: str, file: str = "components/x.yaml") -> Mapping:
    (document,) = documents(text, file)
    checked = v1_component(document)
    assert checked.diagnostics == ()
    return checked.value


def spec_of(text: str) -> Any:
    return plain(converted(text))["spec"]


def through(*read: Document) -> tuple[Project, tuple[Diagnostic, ...]]:
    """All stages before the graph, as the driver runs them."""
    located = overlay.locate(read)
    viewed = overlay.view(located.value, "local", {})
    faults = [*located.diagnostics, *viewed.diagnostics]
    for document in viewed.value.documents:
        faults += schema.validate(document.node, document.kind, SCHEMAS)
    model = resolve.resolve(viewed.value, "p", lambda _path: None)
    return model.value, ordered([*faults, *model.diagnostics])


def component_of(text: str) -> Component:
    project, faults = through(*documents(text))
    assert [fault for fault in faults if fault.severity == "error"] == []
    (component,) = project.components.values()
    return component


LITERALS = {"string": "a", "int": 1, "float": 0.5, "bool": True, "list": [1], "dict": {"a": 1}}


def one_task(component: Component) -> str:
    """A pipeline that runs a component: literals for its parameters, imports for its artifacts."""
    tasks: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for index, (name, port) in enumerate(component.inputs.items()):
        if not port.required:
            continue
        if isinstance(port.type, ParameterType):
            inputs[name] = LITERALS[port.type.name]
        else:
            kind = resolve.show_type(port.type)
            tasks[f"import-{index}"] = {"import": {"uri": "s3://bucket/x", "type": kind}}
            inputs[name] = f"$(tasks.import-{index}.outputs.artifact)"
    tasks["use"] = {"component": component.name, "inputs": inputs}
    return json.dumps(
        {
            "apiVersion": "kfgit.dev/v1",
            "kind": "Pipeline",
            "metadata": {"name": "one"},
            "spec": {"tasks": tasks},
        }
    )


def compiled(text: str | bytes) -> dict[str, Any]:
    """The IR of a pipeline with the component as its only task, but for imports."""
    read = documents(text)
    project, _ = through(*read)
    (component,) = project.components.values()
    project, faults = through(*read, *documents(one_task(component), "pipelines/one.yaml"))
    checked = graph.check(project)
    errors = [f for f in (*faults, *checked.diagnostics) if f.severity == "error"]
    assert errors == []
    return dict(compiler.compile_pipeline(checked.value.pipelines["one"]).spec)


def used(ir: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The component of the task `use` and its container."""
    name = ir["root"]["dag"]["tasks"]["use"]["componentRef"]["name"]
    component = ir["components"][name]
    return component, ir["deploymentSpec"]["executors"][component["executorLabel"]]["container"]


def v1(inputs: str = "", outputs: str = "", args: str = "[]", rest: str = "") -> str:
    lines = ["name: X", f"inputs: [{inputs}]", f"outputs: [{outputs}]"]
    return "\n".join(
        [*lines, "implementation:", "  container:", "    image: alpine", f"    args: {args}", rest]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nimplementation: {container: {image: a}}", True),
        ("implementation: {graph: {}}", True),
        ("name: x\nimplementation: soon", False),
        ("apiVersion: kfgit.dev/v1\nkind: Component\nimplementation: {}", False),
        ("kind: Component\nmetadata: {name: x}\nimplementation: {}", False),
        ("pipelineInfo: {name: x}", False),
        ("[implementation]", False),
    ],
)
def test_v1_components_are_told_apart(text: str, expected: bool) -> None:  # noqa: FBT001
    (document,) = documents(text)
    assert is_v1_component(document.root) is expected


def test_a_component_becomes_the_document_that_says_the_same() -> None:
    text = """
name: Train the (big) model
description: Trains.
metadata:
  annotations: {author: someone}
  labels: {team: ml, platform: not a label}
inputs:
- {name: Training data, type: Dataset, description: rows}
- {name: Learning-Rate, type: Float, default: '0.1'}
- {name: epochs, type: Integer, optional: true}
outputs:
- {name: Model, type: Model}
- {name: Accuracy, type: Float, description: how good}
implementation:
  container:
    image: ghcr.io/acme/train:1
    command: [python, -m, train]
    args:
    - --data
    - {inputPath: Training data}
    - {concat: [--lr=, {inputValue: Learning-Rate}]}
    - if:
        cond: {isPresent: epochs}
        then: [--epochs, {inputValue: epochs}]
        else: --forever
    - {outputPath: Model}
    - {outputPath: Accuracy}
    env: {LEVEL: info, N: 3, ON: true}
"""
    assert plain(converted(text)) == {
        "apiVersion": "kfgit.dev/v1",
        "kind": "Component",
        "metadata": {"name": "train-the-big-model", "description": "Trains.", "labels": {"team": "ml"}},
        "spec": {
            "inputs": {
                "training_data": {"type": "Dataset", "description": "rows"},
                "learning_rate": {"type": "float", "default": 0.1},
                "epochs": {"type": "int", "optional": True},
            },
            "outputs": {"model": {"type": "Model"}, "accuracy": {"type": "float", "description": "how good"}},
            "container": {
                "image": "ghcr.io/acme/train:1",
                "command": ["python", "-m", "train"],
                "args": [
                    "--data",
                    "$(inputs.training_data.path)",
                    {"concat": ["--lr=", "$(inputs.learning_rate)"]},
                    {
                        "if": {
                            "present": "epochs",
                            "then": ["--epochs", "$(inputs.epochs)"],
                            "else": ["--forever"],
                        }
                    },
                    "$(outputs.model.path)",
                    "$(outputs.accuracy.path)",
                ],
                "env": {"LEVEL": "info", "N": "3", "ON": "true"},
            },
        },
    }
    component, container = used(compiled(text))
    assert component["inputDefinitions"]["parameters"]["learning_rate"]["defaultValue"] == 0.1
    assert container["args"] == [
        "--data",
        "{{$.inputs.artifacts['training_data'].path}}",
        "--lr={{$.inputs.parameters['learning_rate']}}",
        (
            '{"IfPresent": {"InputName": "epochs", "Then": ["--epochs", '
            '"{{$.inputs.parameters[\'epochs\']}}"], "Else": ["--forever"]}}'
        ),
        "{{$.outputs.artifacts['model'].path}}",
        "{{$.outputs.parameters['accuracy'].output_file}}",
    ]


@pytest.mark.parametrize(
    ("declared", "use", "type_"),
    [
        ("String", "inputValue", "string"),
        ("text", "inputValue", "string"),
        ("Integer", "inputValue", "int"),
        ("int", "", "int"),
        ("Double", "inputValue", "float"),
        ("BOOLEAN", "inputValue", "bool"),
        ("JsonArray", "inputValue", "list"),
        ("'typing.List[str]'", "inputValue", "list"),
        ("'Dict[str, int]'", "inputValue", "dict"),
        ("JsonObject", "inputValue", "dict"),
        ("Model", "inputPath", "Model"),
        ("dataset", "inputUri", "Dataset"),
        ("slicedClassificationMetrics", "", "SlicedClassificationMetrics"),
        ("system.Model", "inputPath", "Model"),
        ("system.Unheard", "inputPath", "Artifact"),
        ("google.VertexModel", "inputPath", "google.VertexModel"),
        ("acme.Embeddings@1.2.3", "inputPath", "acme.Embeddings@1.2.3"),
        ("CSV", "inputPath", "Artifact"),
        ("null", "inputPath", "Artifact"),
        ("null", "", "Artifact"),
        ("{JsonObject: {data_type: proto}}", "inputPath", "Artifact"),
        # What KFP loads and then refuses to use, for 105 of its own 299 files.
        ("null", "inputValue", "string"),
        ("GCSPath", "inputValue", "string"),
        ("{GCSPath: {}}", "inputValue", "string"),
        ("{JsonObject: {data_type: proto}}", "inputValue", "dict"),
        ("null", "isPresent", "string"),
        ("PipelineTaskFinalStatus", "inputValue", "TaskFinalStatus"),
    ],
)
def test_the_type_of_an_input(declared: str, use: str, type_: str) -> None:
    args = f"[{{{use}: A}}]" if use else "[]"
    if use == "isPresent":
        args = "[{if: {cond: {isPresent: A}, then: [-x]}}]"
    assert spec_of(v1(f"{{name: A, type: {declared}}}", args=args))["inputs"]["a"]["type"] == type_


@pytest.mark.parametrize(
    ("declared", "use", "type_"),
    [
        ("String", "outputPath", "string"),
        ("Float", "outputPath", "float"),
        ("null", "outputPath", "Artifact"),
        ("URI", "outputPath", "Artifact"),
        ("Model", "outputUri", "Model"),
        ("google.VertexModel", "outputUri", "google.VertexModel"),
        ("PipelineTaskFinalStatus", "outputPath", "Artifact"),
    ],
)
def test_the_type_of_an_output(declared: str, use: str, type_: str) -> None:
    made = spec_of(v1(outputs=f"{{name: A, type: {declared}}}", args=f"[{{{use}: A}}]"))
    assert made["outputs"]["a"]["type"] == type_


@pytest.mark.parametrize(
    ("type_", "default", "value"),
    [
        ("String", "1.5", "1.5"),
        ("String", "true", "True"),
        ("String", "''", ""),
        ("GCSPath", "7", "7"),
        ("Integer", "'30'", 30),
        ("Integer", "-1", -1),
        ("Integer", "2.0", 2),
        ("Float", "'1e-3'", 0.001),
        ("Float", "2", 2),
        ("Bool", "'True'", True),
        ("Bool", "'no'", False),
        ("Bool", "1", True),
        ("Bool", "false", False),
        ("JsonArray", "'[1, {\"a\": null}]'", [1, {"a": None}]),
        ("List", "[a, b]", ["a", "b"]),
        ("List", "''", []),
        ("Dict", "''", {}),
        ("JsonObject", "'{\"a\": 1}'", {"a": 1}),
        ("Dict", "{a: 1}", {"a": 1}),
    ],
)
def test_defaults_are_cast_to_their_type(type_: str, default: str, value: Any) -> None:
    made = spec_of(v1(f"{{name: a, type: {type_}, default: {default}}}", args="[{inputValue: a}]"))["inputs"][
        "a"
    ]
    assert made["default"] == value
    assert type(made["default"]) is type(value)


def test_an_empty_default_is_none() -> None:
    assert spec_of(v1("{name: a, type: String, default: null}"))["inputs"]["a"] == {"type": "string"}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("{inputUri: f}", ["$(inputs.f.uri)"]),
        ("{outputUri: o}", ["$(outputs.o.uri)"]),
        ("8080", ["8080"]),
        ("true", ["true"]),
        ("[a, [b, {inputValue: v}]]", ["a", "b", "$(inputs.v)"]),
        ("{concat: []}", [""]),
        ("{concat: [a]}", ["a"]),
        ("{concat: [a, [b, {concat: [{inputValue: v}, c]}]]}", [{"concat": ["a", "b", "$(inputs.v)", "c"]}]),
        ("{if: {cond: true, then: [a, b], else: c}}", ["a", "b"]),
        ("{if: {cond: 'no', then: [a, b], else: c}}", ["c"]),
        ("{if: {cond: 'false', then: a}}", []),
        ("{if: {cond: false, then: a, else: null}}", []),
        ("{concat: [x, {if: {cond: true, then: [a, b]}}]}", [{"concat": ["x", "a", "b"]}]),
        (
            "{if: {cond: {isPresent: v}, then: a, else: null}}",
            [{"if": {"present": "v", "then": ["a"], "else": []}}],
        ),
        (
            "{if: {cond: {isPresent: v}, then: {concat: [a, {inputValue: v}]}}}",
            [{"if": {"present": "v", "then": [{"concat": ["a", "$(inputs.v)"]}]}}],
        ),
        (
            "{concat: [a, {if: {cond: {isPresent: v}, then: [b, c]}}]}",
            [{"concat": ["a", {"if": {"present": "v", "then": ["b", "c"]}}]}],
        ),
    ],
)
def test_arguments(argument: str, expected: list[Any]) -> None:
    ports = "{name: v, type: String, optional: true}, {name: f}"
    text = v1(ports, "{name: o}", args=f"[{argument}]")
    assert spec_of(text)["container"]["args"] == expected
    assert component_of(text).whole


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("$(date)", "$(date)"),
        ("$(inputs.a) $$(x) $$$(inputs.a.b", "$(inputs.a) $$(x) $$$(inputs.a.b"),
        ("$(input.a)", "$(input.a)"),
        ("{{x}} {% if y %} {# z #} {{{", "{{x}} {% if y %} {# z #} {{{"),
        ("{{$.inputs.parameters['a']}} {{ b", "{{$.inputs.parameters['a']}} {{ b"),
    ],
)
def test_text_means_what_it_meant_to_v1(argument: str, expected: str) -> None:
    quoted = json.dumps(argument)
    text = v1("{name: a, type: String}", args=f"[{quoted}, {{concat: [{quoted}, {{inputValue: a}}]}}]")
    _, container = used(compiled(text))
    kubelet = [arg.replace("$$", "$") for arg in container["args"]]
    once = expected.replace("$$", "$")
    assert kubelet[0].replace("$$", "$") == once
    assert kubelet[1].replace("$$", "$") == once + "{{$.inputs.parameters['a']}}"


MEANINGFUL = st.text(alphabet="${}()%#[]ab.' \"\\\n-", max_size=30) | st.lists(
    st.sampled_from(
        [
            "$(",
            "$$(",
            "$$",
            "$(inputs.a)",
            "$(run.status)",
            "$(item",
            ")",
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "x",
            "'",
        ]
    )
).map("".join)


@settings(deadline=None)  # the first example imports Jinja
@given(MEANINGFUL)
def test_no_text_is_taken_for_a_notation(text: str) -> None:
    quoted = json.dumps(text)
    source = "\n".join(
        [
            "name: x",
            f"description: {quoted}",
            f"inputs: [{{name: a, description: {quoted}, type: String, default: {quoted}}},",
            f"  {{name: b, type: JsonArray, default: [{quoted}, {{k: {quoted}}}]}},",
            f"  {{name: c, type: JsonArray, default: {json.dumps(json.dumps([text]))}}}]",
            f"implementation: {{container: {{image: i, command: [{quoted}], env: {{A: {quoted}}}}}}}",
        ]
    )
    project, faults = through(*documents(source))
    assert faults == ()
    component = project.components["x"]
    container = component.implementation
    assert isinstance(container, Container)
    assert component.description == text
    assert (component.inputs["a"].description, component.inputs["a"].default) == (text, text)
    assert (component.inputs["b"].default, component.inputs["c"].default) == ([text, {"k": text}], [text])
    assert (literal(container.command[0]), container.env["A"]) == (text, text)


def literal(argument: Any) -> str:
    if isinstance(argument, TextArgument):
        assert argument.text.literal is not None
        return argument.text.literal
    return "".join(literal(item) for item in argument.items)


def test_a_program_of_any_size_stays_as_it_is() -> None:
    program = "print('{{}} $(x)')\n" * 3000
    component = component_of(v1(args=f"[{json.dumps(program)}]"))
    assert isinstance(component.implementation, Container)
    assert literal(component.implementation.args[0]) == program


def test_every_value_stands_where_its_text_does() -> None:
    text = """name: Train it
inputs:
- {name: Learning rate, type: Float, default: '0.1'}
implementation:
  container:
    image: alpine
    args: [{concat: [--lr=, {inputValue: Learning rate}]}]
"""
    made = converted(text)
    places = {
        ("metadata", "name"): "x.yaml:1:7",
        ("spec", "inputs", "learning_rate", "type"): "x.yaml:3:31",
        ("spec", "inputs", "learning_rate", "default"): "x.yaml:3:47",
        ("spec", "container", "image"): "x.yaml:6:12",
        ("spec", "container", "args", 0, "concat", 0): "x.yaml:7:22",
        ("spec", "container", "args", 0, "concat", 1): "x.yaml:7:42",
    }
    for path, place in places.items():
        node = at(made, path)
        assert node is not None
        assert node.span.start() == f"components/{place}"
    ports = at(made, ("spec", "inputs"))
    assert isinstance(ports, Mapping)
    assert ports.entries["learning_rate"].key_span.start() == "components/x.yaml:3:10"
    assert {span.file for span in spans(made)} == {"components/x.yaml"}


def spans(node: Node) -> Iterator[Span]:
    yield node.span
    match node:
        case Mapping(entries=entries):
            for entry in entries.values():
                yield entry.key_span
                yield from spans(entry.node)
        case Sequence(items=items):
            for item in items:
                yield from spans(item)
        case Scalar():
            pass


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("components/web/Download/component.yaml", "download"),
        ("components/Fit_model.yml", "fit-model"),
        ("component.yaml", "component"),
    ],
)
@pytest.mark.parametrize("written", ["", "name: 数据\n", "name:\n"])
def test_a_component_without_a_name_is_called_after_its_file(file: str, name: str, written: str) -> None:
    (document,) = documents(f"{written}implementation: {{container: {{image: a}}}}", file)
    checked = v1_component(document)
    assert plain(checked.value)["metadata"]["name"] == name
    assert [(d.severity, d.code) for d in checked.diagnostics] == [("warning", "name-from-file")]


# What is said, and nothing besides, by any stage: `# error[code]` on the line where it stands.
FAULTS = {
    "names": """
name: [x]  # error[wrong-type]
inputs:
- {name: Learning rate, type: String}
- {name: learning_rate, type: String}  # error[duplicate-name]
- {name: 2nd, type: String}  # error[bad-name]
- {name: 数据, type: String}  # error[bad-name]
- {name: 3, type: String}  # error[wrong-type]
- {type: String}  # error[missing-key]
- x  # error[wrong-type]
-  # error[wrong-type]
- {name: fine, type: String}
outputs:
- {name: Learning rate}
- {name: Learning rate}  # error[duplicate-name]
implementation:
  container:
    image: a
    args:
    - {inputValue: learning_rate}
    - {inputValue: 2nd}
    - if: {cond: {isPresent: 2nd}, then: x}
    - {inputValue: Fine}  # error[unknown-input]
    - {outputPath: fine}  # error[unknown-output]
    - {inputPath: 7}  # error[wrong-type]
    - {inputValue: }  # error[wrong-type]
""",
    "types and defaults": """
name: x
inputs:
- {name: a, type: 3}  # error[wrong-type]
- {name: b, type: Integer, default: ''}  # error[type-mismatch]
- {name: c, type: Integer, default: 1.5}  # error[type-mismatch]
- {name: d, type: Integer, default: .inf}  # error[type-mismatch]
- {name: e, type: Float, default: nan}  # error[type-mismatch]
- {name: f, type: Bool, default: maybe}  # error[type-mismatch]
- {name: g, type: Bool, default: 2}  # error[type-mismatch]
- {name: h, type: List, default: '{}'}  # error[type-mismatch]
- {name: i, type: List, default: 'a, b'}  # error[type-mismatch]
- {name: j, type: Dict, default: '{"a": NaN}'}  # error[type-mismatch]
- {name: k, type: Dict, default: 1}  # error[type-mismatch]
- {name: l, type: String, default: [a]}  # error[type-mismatch]
- {name: m, type: String, optional: 'yes'}  # error[wrong-type]
- {name: n, type: String, description: 5}  # error[wrong-type]
- {name: o, type: Model, default: x}  # warning[default-left-out]
- {name: p, type: PipelineTaskFinalStatus, default: x}
outputs:
- {name: q, type: 3}  # error[wrong-type]
implementation: {container: {image: a}}
""",
    "ports that are used otherwise": """
name: x
inputs:
- {name: file, type: String}  # warning[type-by-use]
- {name: value, type: Model}  # warning[type-by-use]
- {name: both, type: String}
- {name: neither}
outputs:
- {name: uri, type: String}  # warning[type-by-use]
- {name: out, type: String}
implementation:
  container:
    image: a
    args:
    - {inputPath: file}
    - {inputValue: value}
    - {inputValue: both}
    - {inputPath: both}  # error[not-supported]
    - {inputUri: both}  # error[not-supported]
    - {inputPath: neither}
    - {inputValue: neither}  # error[not-supported]
    - {outputUri: uri}
    - {outputPath: out}
    - {outputUri: out}  # error[not-supported]
""",
    "placeholders": """
name: x
inputs:
- {name: a, type: String, optional: true}
- {name: b, type: Model, optional: true}
outputs:
- {name: o}
implementation:
  container:
    image: a
    command:
    - {inputvalue: a}  # error[bad-placeholder]
    - {inputValue: a, inputPath: a}  # error[bad-placeholder]
    - {}  # error[bad-placeholder]
    -  # error[wrong-type]
    - {executorInput: }
    - {executorInputs: }  # error[bad-placeholder]
    - {outputMetadata: }  # error[not-supported]
    - {concat: a}  # error[wrong-type]
    - {if: a}  # error[wrong-type]
    - {if: {then: a}}  # error[missing-key]
    - {if: {cond: {isPresent: a}}}  # error[missing-key]
    - {if: {cond: {isPresent: a}, then: a, otherwise: b}}  # warning[unknown-key]
    - {if: {cond: {inputValue: a}, then: a}}  # error[not-supported]
    - {if: {cond: perhaps, then: a}}  # error[not-supported]
    - {if: {cond: {isPresent: z}, then: a}}  # error[unknown-input]
    args:
    - if:
        cond: {isPresent: a}
        then:
        - if: {cond: {isPresent: a}, then: b}  # error[not-supported]
        else:
        - {outputPath: o}  # error[not-supported]
    - concat:
      - if: {cond: {isPresent: a}, then: b}
      - if: {cond: {isPresent: a}, then: c}  # error[not-supported]
    - concat: [x, {outputPath: o}, {if: {cond: {isPresent: a}, then: b}}]  # error[not-supported]
    - {if: {cond: {isPresent: b}, then: [{inputPath: b}]}}  # error[not-supported]
""",
    "presence of an artifact, which `resolve` tells": """
name: x
inputs:
- {name: b, type: Model, optional: true}
implementation:
  container:
    image: a
    args:
    - {if: {cond: {isPresent: b}, then: [{inputPath: b}]}}  # error[not-supported]
""",
    "a graph": """
name: x
implementation:
  graph: {tasks: {}}  # error[not-supported]
""",
    "files": """
name: x
outputs: [{name: o}]
implementation:
  container:
    image: a
    fileOutputs: {o: /tmp/o}  # error[not-supported]
""",
    "no implementation": """
name: x
implementation: {}  # error[missing-key]
""",
    "no container": """
name: x
implementation: {container: }  # error[missing-key]
""",
    "no image": """
name: x
implementation:
  container: {command: [a]}  # error[missing-key]
""",
    "an empty image": """
name: x
implementation:
  container: {image: ''}  # error[wrong-type]
""",
    "forms": """
name: x
description: [a]  # error[wrong-type]
metadata: a  # error[wrong-type]
inputs: {a: String}  # error[wrong-type]
implementation:
  container:
    image: [a]  # error[wrong-type]
    command: run  # error[wrong-type]
    env: [A]  # error[wrong-type]
""",
    "variables": """
name: x
implementation:
  container:
    image: a
    env:
      A: {inputValue: a}  # error[wrong-type]
      B:  # error[wrong-type]
      C: 'at {{pod.name}}'  # warning[argo-placeholder]
""",
    "keys that v1 does not have": """
name: x
lables: {}  # warning[unknown-key]
metadata: {owner: me}  # warning[unknown-key]
inputs:
- {name: a, type: String, min: 3}  # warning[unknown-key]
outputs:
- {name: a, default: 3}  # warning[unknown-key]
implementation:
  container:
    image: a
    resources: {}  # warning[unknown-key]
""",
}
MARKED = re.compile(r"# (error|warning)\[([a-z-]+)\]")


@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
def test_what_is_said_of_faulty_components(text: str) -> None:
    lines = text.splitlines()
    expected = [(n, *found) for n, line in enumerate(lines, 1) for found in MARKED.findall(line)]
    project, faults = through(*documents(text))
    assert [(f.span.line, f.severity, f.code) for f in faults] == expected
    (component,) = project.components.values()
    assert component.whole is not any(severity == "error" for _, severity, _ in expected)
    for fault in faults:
        assert fault.message[0] in "`abcdefghijklmnopqrstuvwxyzK"
        assert not fault.message.endswith(".")
        assert fault.help is None or fault.help


def test_a_second_port_of_a_name_shows_the_first() -> None:
    (document,) = documents(v1("{name: A b}, {name: a_b}"))
    (fault,) = v1_component(document).diagnostics
    assert fault.message == "the input `a_b` is a second `a_b`"
    assert [related.span.column for related in fault.related] == [17]


def test_an_overlay_changes_a_v1_component() -> None:
    changes = "{container: {image: other, env: {POD: {fieldPath: metadata.name}}}}"
    over = f"kind: Component\nmetadata: {{name: x}}\nspec: {changes}"
    project, faults = through(*documents(v1(args="[a]")), *documents(over, "environments/local/x.yaml"))
    assert faults == ()
    container = project.components["x"].implementation
    assert isinstance(container, Container)
    assert (container.image, list(container.env), len(container.args)) == ("other", ["POD"], 1)


HERE = Span("x.yaml", 1, 1, 1, 2)
WORDS = st.sampled_from(
    "name description metadata inputs outputs implementation container graph image command args env fileOutputs type"
    " default optional annotations labels inputValue inputPath inputUri outputPath outputUri concat if cond isPresent"
    " then else executorInput a b String Integer Bool List Dict JsonObject Model [ {} [] true no $( {{".split()
)
SCALARS = (WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)).map(
    lambda value: Scalar(value, HERE)
)


def mapping_of(found: dict[str, Any]) -> Mapping:
    return Mapping({key: Entry(HERE, node) for key, node in found.items()}, HERE)


def _within(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    lists = st.lists(inner, max_size=4).map(lambda found: Sequence(tuple(found), HERE))
    return lists | st.dictionaries(WORDS, inner, max_size=4).map(mapping_of)


NODES: st.SearchStrategy[Node] = st.recursive(SCALARS, _within, max_leaves=12)


def _listed(node: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.lists(node, max_size=3).map(lambda found: Sequence(tuple(found), HERE))


def _shaped(**keys: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """A map with these keys, some of which are missing or anything at all."""
    odd = {key: st.one_of(good, good, good, NODES) for key, good in keys.items()}
    return st.fixed_dictionaries({}, optional=odd).map(mapping_of)


NAMES = st.sampled_from(["a", "b", "A", "2"]).map(lambda text: Scalar(text, HERE))
PLACEHOLDERS = st.sampled_from(["inputValue", "inputPath", "inputUri", "outputPath", "outputUri"])
LEAVES = SCALARS | st.builds(lambda key, name: mapping_of({key: name}), PLACEHOLDERS, NAMES)
PRESENCE = NAMES.map(lambda name: mapping_of({"isPresent": name}))
ARGUMENTS: st.SearchStrategy[Node] = st.recursive(
    LEAVES,
    lambda inner: (
        _shaped(concat=_listed(inner))
        | st.builds(
            lambda cond, then, other: mapping_of(
                {"if": mapping_of({"cond": cond, "then": then, "else": other})}
            ),
            PRESENCE | SCALARS,
            _listed(inner) | inner,
            _listed(inner) | inner,
        )
    ),
    max_leaves=8,
)
PORTS = _listed(_shaped(name=NAMES, type=SCALARS, default=SCALARS, optional=SCALARS))
COMPONENTS = _shaped(
    name=NAMES,
    inputs=PORTS,
    outputs=PORTS,
    implementation=_shaped(
        container=_shaped(image=NAMES, command=_listed(ARGUMENTS), args=_listed(ARGUMENTS))
    ),
)


@settings(max_examples=300)
@given(NODES | COMPONENTS)
def test_nothing_raises(root: Node) -> None:
    checked = v1_component(Document("a/x.yaml", 0, root))
    assert {f.severity for f in checked.diagnostics} <= {"error", "warning"}
    assert plain(checked.value)["kind"] == "Component"
    if isinstance(root, Mapping) and is_v1_component(root):
        project, _ = through(Document("a/x.yaml", 0, root))
        assert checked.ok or not any(component.whole for component in project.components.values())


@settings(max_examples=300)
@given(COMPONENTS)
def test_what_is_converted_without_errors_has_the_form_of_a_component(root: Node) -> None:
    checked = v1_component(Document("a/x.yaml", 0, root))
    viewed = overlay.view(overlay.locate([Document("a/x.yaml", 0, checked.value)]).value, "local", {})
    assert viewed.diagnostics == ()
    # After an error too: what it was about is marked as told.
    assert schema.validate(viewed.value.documents[0].node, "Component", SCHEMAS) == ()


@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem.removeprefix("components__"))
def test_components_of_others_compile(file: Path) -> None:
    text = file.read_bytes()
    reason = UNSUPPORTED.get(file.name)
    if reason is None:
        assert used(compiled(text))[1]["image"]
        return
    project, faults = through(*documents(text))
    (error,) = [fault for fault in faults if fault.severity == "error"]
    assert error.code == "not-supported"
    assert reason in error.message
    assert not any(component.whole for component in project.components.values())


# Runs on KFP's interpreter: what its loader says of each file, and what its compiler makes of those it can use.
ASK = """
import json, sys, tempfile, warnings
import yaml
warnings.simplefilter("ignore")
from kfp import compiler, components
def ports(found):
    return {name: [port.type, port.default if hasattr(port, "default") else None, getattr(port, "optional", False)]
            for name, port in (found or {}).items()}
answers = {}
for name in json.load(sys.stdin):
    try:
        component = components.load_component_from_file(name)
    except Exception as fault:
        answers[name] = {"fault": repr(fault)}
        continue
    spec = component.component_spec
    answer = {"name": spec.name, "inputs": ports(spec.inputs), "outputs": ports(spec.outputs), "ir": None}
    answers[name] = answer
    try:
        with tempfile.NamedTemporaryFile(suffix=".yaml") as out:
            compiler.Compiler().compile(component, out.name)
            ir = next(yaml.safe_load_all(open(out.name)))
        (task,) = ir["root"]["dag"]["tasks"].values()
        made = ir["components"][task["componentRef"]["name"]]
        answer["ir"] = [made, ir["deploymentSpec"]["executors"][made["executorLabel"]]["container"]]
    except Exception as fault:
        answer["refused"] = repr(fault)
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def kfp(sdk_python: Path) -> dict[str, Any]:
    """KFP's answers by file name."""
    names = json.dumps([str(file) for file in FILES])
    done = subprocess.run([sdk_python, "-c", ASK], input=names, capture_output=True, text=True, check=True)
    return {Path(name).name: answer for name, answer in json.loads(done.stdout).items()}


KFP_TYPES = {
    "String": "string",
    "Integer": "int",
    "Float": "float",
    "Boolean": "bool",
    "List": "list",
    "Dict": "dict",
}


@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem.removeprefix("components__"))
def test_interfaces_are_those_that_kfp_loads(file: Path, kfp: dict[str, Any]) -> None:
    answer = kfp[file.name]
    if "fault" in answer:
        assert "Container implementation not found" in answer["fault"]
        return
    (document,) = documents(file.read_bytes())
    made = plain(v1_component(document).value)
    assert made["metadata"]["name"] == answer["name"]
    for side in ("inputs", "outputs"):
        ours = made["spec"].get(side, {})
        assert list(ours) == list(answer[side])
        for name, (type_, default, optional) in answer[side].items():
            port = ours[name]
            wanted = KFP_TYPES.get(type_) or type_.removesuffix("@0.0.1").removeprefix("system.")
            if port["type"] != wanted:
                # KFP loads these and cannot use them: the input is read in the other way.
                assert "cannot be paired with" in answer["refused"]
                assert {port["type"], wanted} in [{"string", "Artifact"}, {"dict", "Artifact"}]
                continue
            given = port.get("default")
            assert given == default or (default == "" and given in ([], {}))
            assert bool(port.get("optional") or given is not None) == optional


@needs_samples
def test_what_kfp_compiles_is_compiled_alike(kfp: dict[str, Any]) -> None:
    alike = 0
    for file in FILES:
        if not kfp[file.name].get("ir") or file.name in UNSUPPORTED:
            continue
        interface, container = kfp[file.name]["ir"]
        ours, our_container = used(compiled(file.read_bytes()))
        assert definitions(ours) == definitions(interface), file.name
        assert our_container["image"] == container["image"]
        for key in ("command", "args"):
            kubelet = [as_kubelet_reads(argument) for argument in our_container.get(key, [])]
            assert kubelet == [lowered(argument) for argument in container.get(key, [])], file.name
        variables = (
            {e["name"]: e["value"] for e in side.get("env", [])} for side in (our_container, container)
        )
        assert next(variables) == next(variables)
        alike += 1
    assert alike == 25


def definitions(component: dict[str, Any]) -> dict[str, Any]:
    """Inputs and outputs without what KFP drops (descriptions) and with an empty list or map where it has a string."""
    found = {
        key: json.loads(json.dumps(component.get(key, {})))
        for key in ("inputDefinitions", "outputDefinitions")
    }
    for side in found.values():
        for ports in side.values():
            for port in ports.values():
                port.pop("description", None)
                if port.get("parameterType") in {"LIST", "STRUCT"} and port.get("defaultValue") in (
                    "",
                    [],
                    {},
                ):
                    port["defaultValue"] = None
    return found


def as_kubelet_reads(argument: str) -> Any:
    return lowered(argument, kubelet=True)


def lowered(argument: Any, *, kubelet: bool = False) -> Any:
    """An argument with `Concat` carried out, and an `IfPresent` as its parts."""
    if isinstance(argument, str) and argument.startswith(('{"Concat"', '{"IfPresent"')):
        argument = json.loads(argument)
    match argument:
        case {"Concat": items}:
            return "".join(lowered(item, kubelet=kubelet) for item in items)
        case {"IfPresent": choice}:
            sides = {
                key: choice[key] if isinstance(choice[key], list) else [choice[key]]
                for key in ("Then", "Else")
                if key in choice
            }
            return choice["InputName"], {
                key: [lowered(item, kubelet=kubelet) for item in side] for key, side in sides.items()
            }
        case str() as text:
            return text.replace("$$", "$") if kubelet else text
        case other:
            return other
