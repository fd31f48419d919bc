"""Each way to write a component, run for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.door import Project


def test_a_python_component_is_read_off_its_function(project: Project) -> None:
    project.write(
        "pipelines/src/numbers.py",
        """
        from typing import NamedTuple

        from kfp.dsl import Dataset, Input, Model, Output


        def make(
            n: int, factor: float, words: list, options: dict, data: Output[Dataset], loud: bool = True
        ) -> NamedTuple(
            "Outputs", [("total", float), ("many", list), ("all", dict), ("noisy", bool), ("count", int), ("text", str)]
        ):
            from collections import namedtuple

            data.metadata["rows"] = n
            data.metadata["nested"] = {"deep": [1, 2.5, None]}
            with open(data.path, "w") as file:
                file.write("x" * n)
            result = namedtuple("Outputs", ["total", "many", "all", "noisy", "count", "text"])
            return result(n * factor, [*words, "ä"], {**options, "seen": True}, loud, n, "líne\\n'two'")


        def weigh(data: Input[Dataset], model: Output[Model]) -> int:
            import os

            assert data.metadata["rows"] == 3, data.metadata
            os.makedirs(model.path)
            with open(os.path.join(model.path, "weights.txt"), "w") as file:
                file.write(open(data.path).read() * 2)
            model.metadata["framework"] = "none"
            return len(open(data.path).read())
        """,
    )
    project.component("make", "python: {file: src/numbers.py, function: make, packages: []}")
    project.component("weigh", "python: {file: src/numbers.py, function: weigh}")
    project.pipeline(
        "numbers",
        """
        inputs: {n: {type: int, default: 3}}
        outputs:
          total: {type: float, from: $(tasks.make.outputs.total)}
          model: {type: Model, from: $(tasks.weigh.outputs.model)}
          size: {type: int, from: $(tasks.weigh.outputs.Output)}
        tasks:
          make:
            component: make
            inputs: {n: $(inputs.n), factor: 2, words: [a, "b c"], options: {k: [1, {z: null}]}}
          weigh:
            component: weigh
            inputs: {data: $(tasks.make.outputs.data)}
        """,
    )
    run = project.run("numbers")
    assert run.states == {"make": "SUCCEEDED", "weigh": "SUCCEEDED"}
    make = run.tasks["make"]
    assert make["inputs"] == {"n": 3, "factor": 2, "words": ["a", "b c"], "options": {"k": [1, {"z": None}]}}
    made = {name: value for name, value in make["outputs"].items() if name != "data"}
    assert made == {
        "total": 6, "many": ["a", "b c", "ä"], "all": {"k": [1, {"z": None}], "seen": True}, "noisy": True, "count": 3,
        "text": "líne\n'two'",
    }  # fmt: skip
    assert isinstance(make["outputs"]["count"], int)
    data = make["outputs"]["data"]
    assert (data["type"], data["metadata"]) == (
        "system.Dataset",
        {"rows": 3, "nested": {"deep": [1, 2.5, None]}},
    )
    assert project.artifact(data).read_text() == "xxx"
    assert (run.outputs["total"], run.outputs["size"]) == (6, 3)
    assert run.outputs["model"]["metadata"] == {"framework": "none"}
    assert (project.artifact(run.outputs["model"]) / "weights.txt").read_text() == "xxxxxx"
    assert (make["attempts"], make["cached"], make["component"] is None) == (1, False, False)


def test_inline_source_and_paths(project: Project) -> None:
    project.pipeline(
        "inline",
        '''
        tasks:
          write:
            component:
              python:
                function: write
                source: |
                  from kfp.dsl import OutputPath, InputPath

                  def write(text: str, file: OutputPath("Dataset"), length: OutputPath(int)):
                      """Writes."""
                      open(file, "w").write(text)
                      open(length, "w").write(str(len(text)))
            inputs: {text: "{{$}} and $$(HOME)"}
          read:
            component:
              python:
                function: read
                source: |
                  from kfp.dsl import InputPath

                  def read(file: InputPath("Dataset")) -> str:
                      return open(file).read()
            inputs: {file: $(tasks.write.outputs.file)}
        ''',
    )
    run = project.run("inline")
    assert run.out("read", "Output") == "{{$}} and $(HOME)"
    assert run.out("write", "length") == len("{{$}} and $(HOME)")


def test_a_container_with_command_and_arguments(project: Project) -> None:
    project.component(
        "join",
        """
        inputs:
          first: {type: string}
          number: {type: float, default: 1e21}
          flag: {type: bool, default: true}
          items: {type: "list<int>", default: [1, 2]}
          data: {type: Dataset, optional: true}
        outputs: {text: {type: string}, file: {type: Artifact}}
        container:
          image: alpine:3.20
          command:
            - sh
            - -c
            - 'out=$0; file=$1; shift; for each in "$@"; do printf "[%s]" "$each"; done > "$out"; pwd > "$file"'
          args:
            - $(outputs.text.path)
            - $(outputs.file.path)
            - --first=$(inputs.first)
            - $(inputs.number)
            - $(inputs.flag)
            - $(inputs.items)
            - '$$(inputs.first) $(date) $$HOME'
        """,
    )
    project.pipeline("joined", "tasks: {join: {component: join, inputs: {first: a b}}}")
    run = project.run("joined")
    large = "1000000000000000000000"
    assert run.out("join", "text") == f"[--first=a b][{large}][true][[1,2]][$(inputs.first) $(date) $$HOME]"
    assert project.artifact(run.out("join", "file")).read_text().strip().endswith("/work")
    (note,) = [note for note in run.document["notes"] if "alpine" in note]
    assert "process of this machine" in note


HOSTILE = [
    'it\'s "quoted" `id` $(id) $((1+1)) ${HOME} $HOME \\n \\',
    "$$ $(inputs.value) $(KFP_POD_NAME) {{$}} {{$.inputs.parameters['value']}}",
    "\n\nline\n\ttab; rm -rf /; # comment & | > < * ? [a] ~\n",
    "ünïcödé 🎉 \u2028 \u202e -n --help",
    " leading and trailing ",
    "x" * (100 * 1024),
]


def test_hostile_values_stay_data(project: Project) -> None:
    project.component(
        "echo",
        """
        inputs: {value: {type: string}}
        outputs: {bare: {type: string}, quoted: {type: string}, env: {type: string}}
        container:
          image: alpine
          env: {LITERAL: "$5 `id`"}
          script: |
            printf %s $(inputs.value) > $(outputs.bare.path)
            printf %s "<$(inputs.value)>" > "$(outputs.quoted.path)"
            # it's $(inputs.value)
            printf %s "$$" "$(echo sub)" '$(echo single)' "$LITERAL" | sed 's/^[0-9]*/PID/' > $(outputs.env.path)
        """,
    )
    project.component(
        "pass",
        """
        python:
          function: hand_on
          source: |
            def hand_on(value: str) -> str:
                return value
        """,
    )
    project.pipeline(
        "hostile",
        """
        inputs: {value: {type: "list<string>"}}
        tasks:
          each:
            forEach: $(inputs.value)
            tasks:
              pass: {component: pass, inputs: {value: $(item)}}
              echo: {component: echo, inputs: {value: $(tasks.pass.outputs.Output)}}
              text: {component: echo, inputs: {value: "a $(tasks.pass.outputs.Output) z $(item)"}}
        """,
    )
    project.write(
        "params.json", json.dumps({"value": HOSTILE}, ensure_ascii=False).replace("\u2028", "\\u2028")
    )
    run = project.run("hostile", "--params", "params.json", code=7)
    for index, value in enumerate(HOSTILE):
        assert run.out(f"each/{index}/pass", "Output") == value
        assert run.out(f"each/{index}/echo", "bare") == value
        assert run.out(f"each/{index}/echo", "quoted") == f"<{value}>"
        assert run.out(f"each/{index}/echo", "env") == "PIDsub$(echo single)$5 `id`"
        if index < len(HOSTILE) - 1:
            assert run.out(f"each/{index}/text", "bare") == f"a {value} z {value}"
    # What no operating system passes on in one argument fails in one sentence.
    too_long = run.tasks[f"each/{len(HOSTILE) - 1}/text"]
    assert too_long["state"] == "FAILED"
    assert "128 KiB" in too_long["error"]


def test_choices_and_joined_arguments(project: Project) -> None:
    project.component(
        "choose",
        """
        inputs:
          name: {type: string, optional: true}
          text: {type: string, default: dflt}
        outputs: {args: {type: string}}
        container:
          image: alpine
          command: [sh, -c, 'out=$0; for each in "$@"; do printf "[%s]" "$each"; done > "$out"']
          args:
            - $(outputs.args.path)
            - if: {present: name, then: [--name, $(inputs.name)], else: [--anonymous]}
            - concat: ["--text=", $(inputs.text), "/", {if: {present: name, then: [named], else: [nameless]}}]
        """,
    )
    project.pipeline(
        "choosing",
        """
        tasks:
          with: {component: choose, inputs: {name: '$$(x) "q"'}}
          without: {component: choose, inputs: {text: other}}
        """,
    )
    run = project.run("choosing")
    assert run.out("with", "args") == '[--name][$(x) "q"][--text=dflt/named]'
    assert run.out("without", "args") == "[--anonymous][--text=other/nameless]"


def test_the_environment_of_a_task_in_all_four_forms(project: Project) -> None:
    project.secret("creds", "token=s3cr3t-value\nother='two words'\nsmall=ab\n")
    project.secret("settings", "# a comment\nexport mode=fast\n", "configmaps")
    project.component(
        "show",
        """
        outputs: {seen: {type: string}}
        container:
          image: alpine
          env: {BASE: base, FROM: component}
          script: |
            echo "the token is $TOKEN and s3cr3t-value again"
            for value in "$BASE" "$FROM" "$TOKEN" "$MODE" "$POD" "$SPACE" "${ABSENT-unset}" "$LEAK"; do
              printf '%s|' "$value"
            done > $(outputs.seen.path)
        """,
    )
    project.pipeline(
        "env",
        """
        tasks:
          show:
            component: show
            env:
              FROM: task
              TOKEN: {secret: creds, key: token}
              SMALL: {secret: creds, key: small}
              MODE: {configMap: settings, key: mode}
              POD: {fieldPath: metadata.name}
              SPACE: {fieldPath: metadata.namespace}
              ABSENT: {secret: nowhere, key: token, optional: true}
        """,
    )
    run = project.run("env")
    seen = run.out("show", "seen").split("|")
    assert seen[:4] == ["base", "task", "s3cr3t-value", "fast"]
    assert seen[4].startswith("show-")
    assert seen[5:8] == ["kubeflow", "unset", ""]
    log = project.log(run, "show")
    assert log == "the token is *** and *** again\n"
    kept = [
        path
        for path in (project.root / ".kfgit" / "local").rglob("*")
        if path.is_file() and path.suffix != ".db"
    ]
    told = [path for path in kept if b"s3cr3t-value" in path.read_bytes()]
    # Only the output that the task itself wrote holds it.
    assert {path.name for path in told} <= {"seen", "run.json", "state.db-wal"}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "does not exist"),
        ({"creds": "other=1\n"}, "has no key `token`"),
        ({"creds": "no pair\n"}, "line 1"),
    ],
)
def test_a_missing_secret_is_told(project: Project, files: dict[str, str], told: str) -> None:
    for name, text in files.items():
        project.secret(name, text)
    project.pipeline(
        "env",
        """
        tasks:
          show:
            component: {container: {image: alpine, script: "true"}}
            env: {TOKEN: {secret: creds, key: token}}
        """,
    )
    run = project.run("env", code=7)
    error = run.tasks["show"]["error"]
    assert told in error
    assert ".kfgit/secrets/creds.env" in error
    assert run.states == {"show": "FAILED"}


def test_what_the_shell_of_kfgit_knows_stays_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    project.pipeline(
        "bare",
        """
        tasks:
          env:
            component:
              outputs: {all: {type: string}}
              container: {image: alpine, script: "env > $(outputs.all.path)"}
        """,
    )
    told = project.run("bare").out("env", "all")
    names = {line.split("=")[0] for line in told.splitlines() if "=" in line}
    assert not names & {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"}
    assert {"PATH", "HOME", "TMPDIR", "KFP_POD_NAME", "KFP_POD_UID"} <= names


def test_an_import_brings_a_local_file_in(project: Project, tmp_path: Path) -> None:
    given = tmp_path / "given data.csv"
    given.write_text("1,2\n3,4\n")
    project.pipeline(
        "importing",
        """
        inputs: {uri: {type: string}, rows: {type: int, default: 2}}
        tasks:
          bring:
            import:
              uri: $(inputs.uri)
              type: Dataset
              metadata: {rows: $(inputs.rows), about: ["$(inputs.rows) rows"]}
          count:
            component:
              inputs: {data: {type: Dataset}}
              outputs: {lines: {type: int}}
              container: {image: alpine, script: "wc -l < $(inputs.data.path) > $(outputs.lines.path)"}
            inputs: {data: $(tasks.bring.outputs.artifact)}
        """,
    )
    first = project.run("importing", "-p", f"uri=file://{str(given).replace(' ', '%20')}")
    bring = first.tasks["bring"]
    assert bring["outputs"]["artifact"] == {
        "type": "system.Dataset", "uri": str(given), "metadata": {"rows": 2, "about": ["2 rows"]},
    }  # fmt: skip
    assert (bring["inputs"]["uri"][:5], first.out("count", "lines")) == ("file:", 2)
    again = project.run("importing", "-p", f"uri={given}")
    assert again.tasks["count"]["cached"]
    missing = project.run("importing", "-p", "uri=/no/such/file", code=7)
    assert missing.states == {"bring": "FAILED", "count": "SKIPPED"}
    assert "/no/such/file" in missing.tasks["bring"]["error"]


def test_defaults_of_a_pipeline_reach_every_task(project: Project) -> None:
    project.component("fails", "container: {image: alpine, script: 'echo $WHO; exit 3'}")
    project.pipeline("inner", "tasks: {deep: {component: fails}}")
    project.pipeline(
        "defaults",
        """
        defaults: {retry: {max: 1}, env: {WHO: default}}
        tasks:
          plain: {component: fails}
          own: {component: fails, retry: {max: 0}, env: {WHO: own}}
          loop: {forEach: [1], tasks: {each: {component: fails}}}
          nested: {pipeline: inner}
        onExit: {component: fails}
        """,
    )
    run = project.run("defaults", code=7)
    attempts = {path: task["attempts"] for path, task in run.tasks.items() if task["component"] is not None}
    assert attempts == {"plain": 2, "own": 1, "loop/0/each": 2, "nested/deep": 1, "onExit": 1}
    said = [project.log(run, path) for path in ("plain", "own", "nested/deep")]
    assert said == ["default\n", "own\n", "\n"]
