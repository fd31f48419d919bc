"""The commands that only look: validate, render, graph, compile, schema, explain, init, doctor, completion."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import (
    BASE,
    BREAK,
    CLUSTER,
    HELLO,
    PROJECT,
    STAGING,
    TYPES,
    WRONG,
    Kfgit,
    MakeProject,
    Outcome,
)

API = "kfgit.dev/cli/v1"
DIAGNOSTIC = set("code severity message help file line column endLine endColumn environment related".split())


def document(told: Outcome, kind: str) -> dict[str, object]:
    found = told.json
    assert (found["apiVersion"], found["kind"]) == (API, kind)
    return dict(found)


def test_validate(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    told = kfgit("validate", cwd=root)
    assert (told.code, told.out, told.err) == (0, "ok: 4 documents, 1 environment\n", "")
    found = document(kfgit("validate", "-o", "json", cwd=root), "Diagnostics")
    assert found["summary"] == {"documents": 4, "errors": 0, "warnings": 0}
    assert found["diagnostics"] == []


def test_validate_tells_where_and_what_helps(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    told = kfgit("validate", cwd=root)
    assert (told.code, told.err) == (1, "")
    for part in (
        "error[unknown-component]",
        "pipelines/wrong.yaml:6:22",
        "did you mean `greet`",
        "1 error in 5 documents",
    ):
        assert part in told.out
    told = kfgit("validate", "-o", "json", cwd=root)
    (found,) = told.json["diagnostics"]
    assert set(found) >= DIAGNOSTIC
    assert (found["file"], found["line"], found["column"], found["environment"]) == (
        "pipelines/wrong.yaml",
        6,
        22,
        None,
    )
    assert (told.code, told.err) == (1, "")
    assert kfgit("validate", "-o", "github", cwd=root).out.startswith(
        "::error file=pipelines/wrong.yaml,line=6,"
    )
    sarif = kfgit("validate", "-o", "sarif", cwd=root).json
    assert sarif["version"] == "2.1.0"
    assert sarif["runs"][0]["results"][0]["ruleId"] == "unknown-component"


def test_validate_paths_and_environments(kfgit: Kfgit, project: MakeProject) -> None:
    bad = {
        "environments/staging/bad.yaml": BREAK.replace("break", "other").replace(
            "image: alpine:3.20", "imag: x"
        )
    }
    root = project({**BASE, **bad, "pipelines/wrong.yaml": WRONG, "environments/staging.yaml": STAGING})
    assert kfgit("validate", "components", cwd=root).code == 0
    assert kfgit("validate", "wrong.yaml", cwd=root / "pipelines").code == 1
    assert kfgit("validate", ".", cwd=root / "components").code == 0
    assert "bad.yaml" not in kfgit("validate", "-e", "local", cwd=root).out
    assert "bad.yaml" in kfgit("validate", "-e", "staging", cwd=root).out
    assert "bad.yaml" in kfgit("validate", "-e", "staging", "-e", "local", cwd=root).out
    assert kfgit("validate", "nowhere.yaml", cwd=root).code == 64
    assert kfgit("validate", "/etc", cwd=root).code == 64


def test_render(kfgit: Kfgit, project: MakeProject) -> None:
    overlay = "kind: Pipeline\nmetadata: {name: hello}\nspec: {description: In staging.}\n"
    root = project({**BASE, "environments/staging.yaml": STAGING, "environments/staging/hello.yaml": overlay})
    told = kfgit("render", cwd=root)
    assert (told.code, told.err) == (0, "")
    assert {d["kind"] for d in yaml.safe_load_all(told.out)} >= {"Pipeline", "Component", "Environment"}
    one = kfgit("render", "pipeline/hello", "-e", "staging", cwd=root)
    assert yaml.safe_load(one.out)["spec"]["description"] == "In staging."
    assert kfgit("render", "hello", "-e", "staging", cwd=root).out == one.out
    assert kfgit("render", "Pipeline/hello", "-e", "staging", "-o", "human", cwd=root).out == one.out
    why = kfgit("render", "pipeline/hello", "-e", "staging", "--explain", cwd=root)
    assert "# environments/staging/hello.yaml:3" in why.out
    assert "# pipelines/hello.yaml:3" in why.out
    assert yaml.safe_load(why.out) == yaml.safe_load(one.out)
    found = kfgit("render", "pipeline/hello", "-e", "staging", "--explain", "-o", "json", cwd=root).json
    (item,) = found["items"]
    assert item["metadata"]["name"] == "hello"
    assert {"path", "file", "line"} <= set(item["origins"][0])
    assert item["removed"] == []


def test_render_explains_variables_and_what_is_gone(kfgit: Kfgit, project: MakeProject) -> None:
    staging = (
        STAGING
        + "  vars: {who: staging, more: {b: 3}}\n  patches:\n    - target: {kind: Pipeline, name: hello}\n"
    )
    staging += "      patch: [{op: remove, path: /spec/outputs/text}]\n"
    root = project(
        {
            **BASE,
            "kfgit.yaml": PROJECT + "spec:\n  vars: {who: all, more: {a: 1}}\n",
            "environments/staging.yaml": staging,
            "environments/staging/hello.yaml": "kind: Pipeline\nmetadata: {name: hello, description: null}\n",
            "pipelines/other.yaml": HELLO.replace(
                "{name: hello, ", "{name: other, labels: {a.b/c: x}, "
            ).replace("default: world", 'default: "for {{ vars.who }} in {{ env.name }} at {{ git.sha }}"'),
        }
    )
    why = kfgit("render", "hello", "-e", "staging", "--explain", cwd=root)
    assert (why.code, why.err) == (0, "")
    assert re.search(
        r"# description: removed +# environments/staging/hello\.yaml:2, was pipelines/hello\.yaml:3\n",
        why.out,
    )
    assert re.search(
        r"# text: removed +# environments/staging\.yaml:9, was pipelines/hello\.yaml:8\n", why.out
    )
    (item,) = kfgit("render", "hello", "-e", "staging", "--explain", "-o", "json", cwd=root).json["items"]
    assert {gone["path"]: gone["was"]["line"] for gone in item["removed"]} == {
        "metadata.description": 3,
        "spec.outputs.text": 8,
    }
    (item,) = kfgit("render", "other", "-e", "staging", "--explain", "-o", "json", cwd=root).json["items"]
    told = {one["path"]: one for one in item["origins"]}
    assert 'metadata.labels["a.b/c"]' in told
    assert told["spec.inputs.name.default"]["via"] == [
        {"what": "vars.who", "file": "environments/staging.yaml", "line": 6},
        {"what": "env.name", "file": "environments/staging.yaml", "line": 3},
        {"what": "git.sha", "file": None, "line": None},
    ]


DRAWN = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: drawn}
spec:
  inputs: {names: {type: list<string>, default: [a]}}
  tasks:
    scratch: {createPvc: {nameSuffix: -x, accessModes: [ReadWriteOnce], size: 5Gi}, cache: false}
    say: {component: greet, displayName: Say it, after: [scratch]}
    all:
      forEach: $(inputs.names)
      tasks:
        gate:
          switch:
            - when: $(tasks.one.outputs.text) != "x"
              tasks: {deep: {pipeline: level-1}}
            - tasks: {other: {component: greet}}
        one: {component: greet, inputs: {name: $(item)}}
    drop: {deletePvc: {name: $(tasks.scratch.outputs.name)}, after: [say, all], cache: false}
  onExit: {component: greet, displayName: The end}
"""


def test_graph_has_everything_in_every_format(kfgit: Kfgit, project: MakeProject) -> None:
    """Also what is nested six levels deep, and the names behind display names."""
    levels = "\n---\n".join(
        HELLO.replace("{name: hello, ", f"{{name: level-{index}, ").replace(
            "  tasks:\n",
            f"  tasks:\n    further: {{pipeline: level-{index + 1}}}\n" if index < 6 else "  tasks:\n",
        )
        for index in range(1, 7)
    )
    root = project({**BASE, "pipelines/drawn.yaml": DRAWN, "pipelines/levels.yaml": levels})
    graph = kfgit("graph", "drawn", "-o", "json", cwd=root).json
    nodes = {node["id"]: node for node in graph["nodes"]}
    inmost = "all/gate#0/deep/" + "further/" * 5 + "greet"
    assert {"scratch", "say", "all/one", "all/gate#1/other", "drop", "onExit", inmost} <= nodes.keys()
    assert nodes["say"]["label"] == "Say it"
    assert nodes["say"]["detail"] == "say · greet"
    assert nodes["scratch"]["detail"] == "createPvc · 5Gi"
    assert (nodes["onExit"]["label"], nodes["onExit"]["kind"]) == ("The end", "exit")
    waits = {(edge["source"], edge["target"], edge["kind"]) for edge in graph["edges"]}
    assert {("scratch", "say", "after"), ("all", "drop", "after"), ("all/one", "all/gate", "data")} <= waits
    for output in ("text", "svg", "mermaid", "dot"):
        told = kfgit("--color", "never", "graph", "drawn", "-o", output, cwd=root, env={"COLUMNS": "120"}).out
        words = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), told)
        assert all(
            name in words for name in ("scratch", "Say it", "say", "one", "other", "further", "The end")
        )
        assert told.count("level-6") == 1


def test_render_tells_only_what_concerns_it(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    told = kfgit("render", "pipeline/hello", cwd=root)
    assert (told.code, told.err) == (0, "")
    told = kfgit("render", "pipeline/wrong", "-o", "json", cwd=root)
    assert told.code == 1
    assert "unknown-component" in told.err
    assert told.json["kind"] == "DocumentList"
    assert kfgit("render", cwd=root).code == 1


@pytest.mark.parametrize(
    ("output", "sign"),
    [
        ("text", "greet"),
        ("human", "greet"),
        ("mermaid", "flowchart"),
        ("dot", "digraph"),
        ("svg", "<svg"),
        ("json", '"Graph"'),
    ],
)
def test_graph(kfgit: Kfgit, project: MakeProject, output: str, sign: str) -> None:
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    told = kfgit("graph", "hello", "-o", output, cwd=root)
    assert (told.code, told.err) == (0, "")
    assert sign in told.out
    assert kfgit("graph", "pipeline/hello", "-o", output, cwd=root).out == told.out


def test_compile(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "components/types.yaml": TYPES, "environments/prod.yaml": CLUSTER})
    one = kfgit("compile", "hello", cwd=root)
    assert (one.code, one.err) == (0, "")
    assert yaml.safe_load(one.out)["pipelineInfo"]["name"] == "hello"
    assert kfgit("compile", "pipeline/hello", "-e", "prod", cwd=root).out == one.out
    (package,) = kfgit("compile", "hello", "-o", "json", cwd=root).json["items"]
    assert (package["name"], package["spec"]) == ("hello", yaml.safe_load(one.out))
    assert kfgit("compile", cwd=root).code == 64
    assert kfgit("compile", "--out", "build", cwd=root).code == 0
    assert (root / "build" / "hello.yaml").read_text() == one.out
    assert (root / "build" / "typed.yaml").is_file()
    told = kfgit("compile", "hello", "--out", "one.yaml", "-o", "json", cwd=root)
    assert told.json["items"][0]["file"].endswith("one.yaml")
    assert (root / "one.yaml").read_text() == one.out
    (root / "file").write_text("")
    assert kfgit("compile", "--out", "file", cwd=root).code == 8


@pytest.mark.parametrize("argv", [("graph", "wrong"), ("compile", "wrong"), ("run", "wrong")], ids=" ".join)
def test_a_pipeline_with_mistakes_gets_its_own_diagnostics(
    kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...]
) -> None:
    other = WRONG.replace("wrong", "elsewhere").replace("gret", "nonsense")
    root = project({**BASE, "pipelines/wrong.yaml": WRONG, "pipelines/other.yaml": other})
    told = kfgit(*argv, cwd=root)
    assert (told.code, told.out) == (1, "")
    assert "pipelines/wrong.yaml:6:22" in told.err
    assert "other.yaml" not in told.err
    told = kfgit(*argv, "-o", "json", cwd=root)
    assert [d["file"] for d in document(told, "Diagnostics")["diagnostics"]] == ["pipelines/wrong.yaml"]  # type: ignore[attr-defined]
    assert kfgit(argv[0], "hello", cwd=root).code == 0


@pytest.mark.parametrize(
    "argv", [("graph", "torn"), ("compile", "torn"), ("run", "torn"), ("run", "run/torn")], ids=" ".join
)
def test_a_file_that_cannot_be_read_is_no_unknown_name(
    kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...]
) -> None:
    root = project({**BASE, "pipelines/torn.yaml": HELLO.replace("hello", "torn") + "  x: [\n"})
    told = kfgit(*argv, cwd=root)
    assert (told.code, told.out) == (1, "")
    assert "pipelines/torn.yaml" in told.err


def test_a_mistake_in_a_component_concerns_its_pipelines(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(
        {
            **BASE,
            "components/greet.yaml": BASE["components/greet.yaml"].replace("type: string}", "type: strin}"),
        }
    )
    told = kfgit("run", "hello", cwd=root)
    assert told.code == 1
    assert "components/greet.yaml" in told.err


@pytest.mark.parametrize("argv", [("plan",), ("apply",)], ids=" ".join)
def test_an_invalid_source_is_told_to_people_and_machines(
    kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...]
) -> None:
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    told = kfgit(*argv, cwd=root)
    assert (told.code, told.out) == (1, "")
    assert "error[unknown-component]" in told.err
    told = kfgit(*argv, "-o", "json", cwd=root)
    assert told.code == 1
    assert document(told, "Diagnostics")["summary"] == {"documents": 5, "errors": 1, "warnings": 0}


def test_warnings_do_not_spoil_json(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "components/types.yaml": TYPES})
    told = kfgit("plan", "-o", "json", cwd=root)
    assert told.code == 0
    assert "warning[yaml-1.1]" in told.err
    document(told, "Plan")
    assert kfgit("-q", "plan", "-o", "json", cwd=root).err == ""


def test_every_failure_is_json_for_who_asked_for_it(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "environments/prod.yaml": CLUSTER})
    for argv, code in (
        (("plan", "-e", "nope"), 64),
        (("apply", "-e", "prod"), 3),
        (("runs", "show", "x"), 64),
    ):
        told = kfgit(*argv, "-o", "json", cwd=root)
        found = document(told, "Error")
        assert (told.code, found["exitCode"]) == (code, code)
        assert str(found["message"]) in told.err


def test_a_command_line_that_cannot_be_read_is_told_in_json_too(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    for argv in (
        ("validate", "--nope", "-o", "json"),
        ("validate", "-o", "json", "--nope"),
        ("validate", "--output=json", "--nope"),
        ("plan", "-ojson", "--exit-code=3"),
        ("valdate", "-o", "json"),
        ("graph", "-o", "json"),
    ):
        told = kfgit(*argv, cwd=root)
        assert (told.code, document(told, "Error")["exitCode"]) == (64, 64), argv
    assert kfgit("validate", "--nope", "-o", "human", cwd=root).out == ""


def test_schema(kfgit: Kfgit) -> None:
    whole = kfgit("schema")
    assert whole.code == 0
    assert whole.json["$schema"].endswith("2020-12/schema")
    assert kfgit("schema", "-o", "json").out == whole.out
    assert kfgit("schema", "pipeline").json == kfgit("schema", "Pipeline").json != whole.json
    overlay = kfgit("schema", "--overlay").json
    assert overlay["title"] == "kfgit overlay"
    assert kfgit("schema", "Pipeline", "--overlay").code == 64


def test_explain(kfgit: Kfgit) -> None:
    told = kfgit("explain", "duplicate-key")
    assert (told.code, told.err) == (0, "")
    assert "duplicate-key" in told.out
    assert document(kfgit("explain", "duplicate-key", "-o", "json"), "Explanation")["code"] == "duplicate-key"
    assert "How often" in kfgit("explain", "pipeline.spec.tasks.train.retry.max").out
    for field, said in (
        ("pipeline.spec.tasks.retry", "tried again"),  # a task's name may be left out
        ("pipeline.spec.tasks.a.tasks.b.tasks.c.retry", "tried again"),
        ("component.spec.inputs.type", "artifact type"),
        ("pipeline.spec.tasks.cache", "type: object or boolean"),
        ("pipeline.spec.tasks.switch.when", "CEL"),
        ("environment.spec.patches.target.selector", "labels"),
    ):
        assert said in kfgit("explain", field).out
    assert "`run.spec.trigger`" in kfgit("explain", "run.spec.triger").err
    assert (
        document(kfgit("explain", "Pipeline.spec.tasks", "-o", "json"), "Field")["path"]
        == "Pipeline.spec.tasks"
    )
    codes = [item["code"] for item in document(kfgit("explain", "-o", "json"), "CodeList")["items"]]  # type: ignore[attr-defined]
    assert "duplicate-key" in codes
    lines = kfgit("explain").out.splitlines()
    assert len(lines) == len(codes)
    coloured = kfgit("--color", "always", "explain").out.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert coloured.splitlines() == lines
    for wrong in ("", ".", "Pipeline.", "nothing", "Pipeline..spec", "\udcff"):
        assert kfgit("explain", wrong).code == 64


@pytest.mark.parametrize("template", ["minimal", "examples"])
def test_init(kfgit: Kfgit, tmp_path: Path, template: str) -> None:
    told = kfgit("init", "demo", "--template", template)
    assert told.code == 0
    assert "kfgit.yaml" in told.out
    assert "cd demo" in told.err
    root = tmp_path / "demo"
    assert kfgit("validate", cwd=root).out.startswith("ok: ")
    for path in json.loads((root / ".vscode" / "settings.json").read_text())["yaml.schemas"]:
        flags = ["--overlay"] if "overlay" in path else []
        assert json.loads((root / path).read_text()) == kfgit("schema", *flags).json
    again = kfgit("init", "demo", "--template", template)
    assert (again.code, again.out) == (3, "")
    assert "nothing was written" in again.err


def test_init_leaves_the_settings_of_an_editor_alone(kfgit: Kfgit, tmp_path: Path) -> None:
    theirs = tmp_path / "demo" / ".vscode" / "settings.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}")
    told = kfgit("init", "demo")
    assert (told.code, theirs.read_text()) == (0, "{}")
    assert 'settings.json needs: "yaml.schemas"' in told.err


def test_init_here_runs(kfgit: Kfgit, tmp_path: Path) -> None:
    (tmp_path / "My Project").mkdir()
    (tmp_path / "My Project" / ".gitignore").write_text("mine\n")
    root = tmp_path / "My Project"
    told = kfgit("init", "-o", "json", cwd=root)
    found = document(told, "Init")
    assert "kfgit.yaml" in found["files"]  # type: ignore[operator]
    assert (root / ".gitignore").read_text() == "mine\n"
    assert "name: my-project" in (root / "kfgit.yaml").read_text()
    ended = kfgit("run", "hello", "--executor", "process", "-p", "name=Ada", cwd=root)
    assert ended.code == 0
    assert "text = Hello, Hello, Ada!!" in ended.out
    (tmp_path / "file").write_text("")
    assert kfgit("init", "file").code == 64


def test_doctor(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    assert document(kfgit("doctor", "-o", "json"), "Doctor")["findings"]
    secret = BREAK.replace("    image:", "    env: {TOKEN: {secret: vault, key: token}}\n    image:")
    root = project({**BASE, "components/secret.yaml": secret})
    told = kfgit("doctor", cwd=root)
    assert told.code == 7
    assert "token=…" in told.out
    (root / ".kfgit" / "secrets").mkdir(parents=True)
    (root / ".kfgit" / "secrets" / "vault.env").write_text("token=hunter2\n")
    told = kfgit("doctor", cwd=root)
    assert (told.code, told.err) == (0, "")
    assert "hunter2" not in told.out
    (root / "pipelines" / "wrong.yaml").write_text(WRONG)
    assert kfgit("doctor", cwd=root).code == 7
    (tmp_path / "cache-file").write_text("")
    assert kfgit("doctor", cwd=root, env={"KFGIT_CACHE": str(tmp_path / "cache-file")}).code == 7


LOCAL = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec:
  gpu: emulate
  target: {type: local, executor: process, capacity: {cpu: 4, memory: 1Gi}}
"""
BIG = """apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: big}
spec:
  tasks:
    fit:
      component: {container: {image: x, command: ["true"]}}
      resources: {requests: {memory: 8Gi, cpu: 500m}, accelerator: {resource: google.com/tpu, count: 4}}
"""


def test_what_is_asked_for_and_not_on_this_machine(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "environments/local.yaml": LOCAL, "pipelines/big.yaml": BIG})
    told = kfgit("doctor", cwd=root)
    assert told.code == 0
    assert "✔ capacity     4 cpus and 1Gi of memory for tasks at once" in told.out
    assert "one that asks for more waits until all of it is free (`big/fit`)" in told.out
    assert "tasks that ask for it run without (`big/fit`)" in told.out
    (root / "environments" / "local.yaml").write_text(LOCAL.replace("emulate", "require"))
    told = kfgit("doctor", cwd=root)
    assert told.code == 7
    assert "`big/fit` asks for 4 × google.com/tpu, and this machine has none" in told.out
    refused = kfgit("run", "big", cwd=root)
    assert (refused.code, refused.out) == (3, "")
    assert "with `gpu: emulate` it would run with what there is" in refused.err
    (root / "environments" / "local.yaml").write_text(LOCAL)
    ran = kfgit("run", "big", "-o", "json", cwd=root)
    assert ran.code == 0
    notes = [note for note in ran.json["notes"] if "tpu" in note or "1Gi" in note]
    assert len(notes) == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(kfgit: Kfgit, shell: str) -> None:
    told = kfgit("completion", shell)
    assert (told.code, told.err) == (0, "")
    assert "_KFGIT_COMPLETE" in told.out
    assert document(kfgit("completion", shell, "-o", "json"), "Completion")["script"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kfgit ", {"validate", "apply", "runs"}),
        ("kfgit runs ", {"list", "logs"}),
        ("kfgit plan -e ", {"local", "staging"}),
        ("kfgit plan -o ", {"human", "json", "markdown"}),
        ("kfgit run ", {"hello", "run/smoke"}),
        ("kfgit graph he", {"hello"}),
        ("kfgit render p", {"pipeline/hello", "project/demo"}),
        ("kfgit schema Sch", {"Schedule"}),
        ("kfgit explain duplicate-k", {"duplicate-key"}),
        ("kfgit promote staging l", {"local"}),
        ("kfgit promote staging local --require ", {"applied", "green", "all", "pipeline/hello"}),
    ],
)
def test_completion_knows_names(kfgit: Kfgit, project: MakeProject, line: str, offered: set[str]) -> None:
    run = "apiVersion: kfgit.dev/v1\nkind: Run\nmetadata: {name: smoke}\nspec: {pipeline: hello}\n"
    root = project({**BASE, "environments/staging.yaml": STAGING, "pipelines/run.yaml": run})
    words = line.split(" ")
    asked = {"_KFGIT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    told = kfgit(cwd=root, env=asked)
    assert offered <= {answer.partition(",")[2] for answer in told.out.splitlines()}
    elsewhere = {
        **asked,
        "COMP_WORDS": line.replace("kfgit ", f"kfgit -C {root} ", 1),
        "COMP_CWORD": str(len(words) + 1),
    }
    assert kfgit(cwd=root.parent, env=elsewhere).out == told.out


def test_completion_is_silent_about_what_is_broken(
    kfgit: Kfgit, project: MakeProject, tmp_path: Path
) -> None:
    asked = {"_KFGIT_COMPLETE": "bash_complete", "COMP_WORDS": "kfgit runs show ", "COMP_CWORD": "3"}
    root = project({**BASE, "kfgit.yaml": "[", ".kfgit/local/state.db": "broken " * 1000})
    for folder in (root, tmp_path):
        assert kfgit(cwd=folder, env=asked).out.strip() == ""
    assert not (tmp_path / ".kfgit").exists()
    unknown = {**asked, "COMP_WORDS": "kfgit schedules nothing ", "COMP_CWORD": "3"}
    assert kfgit(cwd=root, env=unknown) == Outcome(0, "", "")


def test_the_project_of_the_tests_is_what_it_says(kfgit: Kfgit, project: MakeProject) -> None:
    assert json.loads(kfgit("render", "project/demo", "-o", "json", cwd=project(BASE)).out)["items"][
        0
    ] == yaml.safe_load(PROJECT)
