"""The worker, held to KFP's launcher rule by rule, with real processes."""

from __future__ import annotations

import ast
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local import launcher, worker
from kfgit.backends.local.environments import CERTIFICATES, PROXIES
from kfgit.backends.local.protocol import Execute, Import, Outputs
from kfgit.backends.local.worker import AttemptPlace, Hooks, Masker, Stopped, TaskFailure, WorkerSettings
from kfgit.events import Artifact

REPOSITORY = Path(__file__).parents[2]
TYPES = {
    "s": "STRING",
    "i": "NUMBER_INTEGER",
    "f": "NUMBER_DOUBLE",
    "b": "BOOLEAN",
    "l": "LIST",
    "d": "STRUCT",
}


def execute(
    command: list[str] | None = None,
    args: list[str] | None = None,
    given: Mapping[str, Any] | None = None,
    writes: Mapping[str, str] | None = None,
    makes: tuple[str, ...] = (),
    component: Mapping[str, Any] | None = None,
    **more: Any,
) -> Execute:
    """A container task: `writes` are its output parameters by type, `makes` its output artifacts."""
    outputs = {
        "parameters": {name: {"parameterType": TYPES[kind]} for name, kind in (writes or {}).items()},
        "artifacts": {
            name: {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}
            for name in makes
        },
    }
    executor: dict[str, Any] = {
        "image": "alpine",
        "env": [{"name": n, "value": v} for n, v in more.pop("env", {}).items()],
    }
    executor |= {"command": command} if command is not None else {}
    executor |= {"args": args} if args is not None else {}
    fields: dict[str, Any] = {
        "key": "t", "path": "t", "task_name": "My task", "component_name": "comp-t", "artifacts": {},
        "component": {"outputDefinitions": outputs} if component is None else component,
        "executor": executor | more.pop("executor", {}), "parameters": given or {},
    }  # fmt: skip
    return Execute(**fields | more)


def shell(script: str, *args: str, **more: Any) -> Execute:
    return execute(["sh", "-ec", script, "sh"], list(args), **more)


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    for name in ("secrets", "configmaps"):
        (tmp_path / name).mkdir()
    return WorkerSettings(
        tmp_path / "secrets",
        tmp_path / "configmaps",
        tmp_path / "environments",
        "0123456789ab",
        "run-1",
        "process",
    )


@pytest.fixture
def place(tmp_path: Path) -> AttemptPlace:
    return AttemptPlace(tmp_path / "attempt-0", tmp_path / "artifacts")


def run(
    command: Execute, place: AttemptPlace, settings: WorkerSettings, hooks: Hooks | None = None
) -> Outputs:
    return worker.run_attempt(command, place, settings, hooks or Hooks())


def fails(command: Execute, place: AttemptPlace, settings: WorkerSettings) -> str:
    with pytest.raises(TaskFailure) as caught:
        run(command, place, settings)
    return str(caught.value)


def log(place: AttemptPlace) -> str:
    return (place.folder / "log.txt").read_text()


# --- the launcher's rules, one each -------------------------------------------------------------------------


def test_folders_of_outputs_exist_before_the_program_starts(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    args = ["{{$.outputs.parameters['p'].output_file}}", "{{$.outputs.artifacts['m'].path}}"]
    found = run(
        shell('printf 1 > "$1"; printf x > "$2"', *args, writes={"p": "i"}, makes=("m",)), place, settings
    )
    assert found.parameters == {"p": 1}
    (model,) = found.artifacts["m"]
    assert (model.uri, model.type, model.name) == (str(place.artifacts / "m"), "system.Model", "m")
    assert Path(model.uri).read_text() == "x"


def test_a_default_is_added_for_what_is_absent_and_not_for_null(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    inputs = {name: {"parameterType": "STRING", "defaultValue": "d"} for name in ("absent", "null")}
    args = ["{{$.inputs.parameters['absent']}}", "{{$.inputs.parameters['null']}}"]
    command = shell(
        'echo "[$1][$2]"', *args, component={"inputDefinitions": {"parameters": inputs}}, given={"null": None}
    )
    run(command, place, settings)
    assert log(place) == "[d][]\n"


def test_only_the_executor_input_is_replaced_in_the_program(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    command = execute(["{{$.inputs.parameters['x']}}"], ["a"], {"x": "echo"})
    assert "`{{$.inputs.parameters['x']}}` is not a program" in fails(command, place, settings)
    argv = launcher.arguments(execute(["{{$}}", "{{$}}"]), {"inputs": {}, "outputs": {}}, {})
    assert argv[0] == argv[1] == '{"inputs":{},"outputs":{}}'


def test_the_rest_of_command_counts_as_arguments(place: AttemptPlace, settings: WorkerSettings) -> None:
    run(execute(["echo", "{{$.inputs.parameters['x']}}"], None, {"x": "v"}), place, settings)
    assert log(place) == "v\n"


def test_without_a_command_the_first_argument_is_the_program(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    run(execute(None, ["echo", "hi"]), place, settings)
    assert log(place) == "hi\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"), (1, "1"), (1.0, "1"), (0.1, "0.1"), (-2.5, "-2.5"), (1e20, "100000000000000000000"),
        (1e23, "100000000000000000000000"), (1.5e-7, "0.00000015"), (-1e-7, "-0.0000001"), (12345.25, "12345.25"),
        (1.25e22, "12500000000000000000000"), (2**53 + 1, "9007199254740992"), (True, "true"), (False, "false"),
        (None, ""),
        ([1, 2.0, "é"], '[1,2,"é"]'), ({"b": 1, "a": "<&>"}, '{"a":"\\u003c\\u0026\\u003e","b":1}'), ([], "[]"),
    ],
)  # fmt: skip
def test_values_are_printed_as_go_prints_them(value: Any, text: str) -> None:
    assert launcher.text_of(launcher.number_as_double("x", value)) == text


HOSTILE = {
    "placeholder": "{{$}} {{$.inputs.parameters['other']}} {{$.outputs.parameters['o'].output_file}}",
    "kubelet": "$(PATH) $(KFP_POD_NAME) $(DECLARED) $$ $$$$ $$(X) ${HOME} $(date) `date`",
    "quotes": "'\"\\ \\n 'it'\"s\" \t",
    "lines": "\n a\r\n\nb \n",
    "unicode": "äöü ß 漢字 🦆 \u2028 \u200f \ufeff e\u0301",
    "markup": "<b>&amp;</b>",
    "json": '{"IfPresent": {"InputName": "other", "Then": "gone"}}',
    "concat": '{"Concat": ["a", "b"]}',
    "option": "--executor_input",
    "empty": "",
    "long": "x" * 100 * 1024,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_value_arrives_byte_for_byte(name: str, place: AttemptPlace, settings: WorkerSettings) -> None:
    value = HOSTILE[name]
    args = ["{{$.inputs.parameters['value']}}", "<{{$.inputs.parameters['value']}}>"]
    given = {"value": value, "other": "EXPANDED"}
    outs = {"o": "s", "p": "s"}
    files = ["{{$.outputs.parameters['o'].output_file}}", "{{$.outputs.parameters['p'].output_file}}"]
    script = 'printf %s "$1" > "$3"; printf %s "$2" > "$4"'
    command = shell(script, *args, *files, given=given, writes=outs, env={"DECLARED": "EXPANDED"})
    assert run(command, place, settings).parameters == {"o": value, "p": f"<{value}>"}
    kept = json.loads((place.folder / "executor_input.json").read_text())
    assert kept["inputs"]["parameterValues"]["value"] == value


def test_kubelet_expands_the_text_of_the_spec(place: AttemptPlace, settings: WorkerSettings) -> None:
    args = ["$(A)", "$$(A)", "$$", "$(HOME)", "$(unclosed", "$A", "$(KFP_POD_NAME)", "$(B)"]
    run(shell('printf "%s\\n" "$@"', *args, env={"A": "1", "B": "$(A)+$(C)+$$", "C": "3"}), place, settings)
    pod = "my-task-01234567-0"
    assert log(place).splitlines() == ["1", "$(A)", "$", "$(HOME)", "$(unclosed", "$A", pod, "1+$(C)+$"]


IF = '{"IfPresent": {"InputName": "x", "Then": ["--x", "{{$.inputs.parameters[\'x\']}}"], "Else": "none"}}'


@pytest.mark.parametrize(
    ("given", "text"), [({"x": "$(A)"}, "--x|$(A)|end"), ({}, "none|end"), ({"x": None}, "none|end")]
)
def test_if_present_is_resolved_as_by_the_driver(
    given: dict[str, Any], text: str, place: AttemptPlace, settings: WorkerSettings
) -> None:
    run(
        execute(["sh", "-c", 'IFS="|"; echo "$*"', "sh"], [IF, "end"], given, env={"A": "no"}),
        place,
        settings,
    )
    assert log(place) == f"{text}\n"


def test_if_present_ignores_a_default() -> None:
    component = {"inputDefinitions": {"parameters": {"x": {"parameterType": "STRING", "defaultValue": "d"}}}}
    command = execute(["echo"], [IF], component=component)
    layout = launcher.Layout(Path("/o"), Path("/p"), Path("/a"))
    assert launcher.arguments(command, launcher.executor_input(command, layout), {}) == ("echo", "none")


def test_if_present_with_an_output_stays_text(place: AttemptPlace, settings: WorkerSettings) -> None:
    arg = '{"IfPresent": {"InputName": "x", "Then": ["{{$.outputs.artifacts[\'m\'].path}}"]}}'
    command = execute(["echo"], [arg], makes=("m",))
    run(command, place, settings)
    assert log(place) == arg.replace("{{$.outputs.artifacts['m'].path}}", str(place.artifacts / "m")) + "\n"
    assert any("IfPresent" in note for note in worker.parity(command, settings))


def test_concat_is_joined_here_and_noted(place: AttemptPlace, settings: WorkerSettings) -> None:
    arg = '{"Concat": ["a-", "{{$.inputs.parameters[\'x\']}}", {"Concat": ["-", "$(E)"]}]}'
    command = execute(["echo"], [arg], {"x": '"},'}, env={"E": "e"})
    run(command, place, settings)
    assert log(place) == 'a-"},-e\n'
    assert any("Concat" in note for note in worker.parity(command, settings))


def test_an_argument_without_a_value_fails(place: AttemptPlace, settings: WorkerSettings) -> None:
    message = fails(execute(["echo"], ["{{$.inputs.parameters['gone']}}"]), place, settings)
    assert message == "an argument uses the input `gone`, which has neither a value nor a default"


def test_artifacts_have_paths_as_in_kfp(
    place: AttemptPlace, settings: WorkerSettings, tmp_path: Path
) -> None:
    here = Artifact("id1", "a", "system.Dataset", str(tmp_path / "data"), {"rows": 3})
    away = Artifact("id2", "b", "system.Model", "gs://bucket/x")
    args = [f"{{{{$.inputs.artifacts['{n}'].{w}}}}}" for n in ("a", "b") for w in ("uri", "path")]
    run(shell('printf "%s\\n" "$@"', *args, artifacts={"a": (here,), "b": (away,)}), place, settings)
    assert log(place).split() == [here.uri, here.uri, "gs://bucket/x", "/gcs/bucket/x"]
    (given,) = json.loads((place.folder / "executor_input.json").read_text())["inputs"]["artifacts"]["a"][
        "artifacts"
    ]
    kind = {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}
    assert given == {"name": "id1", "uri": here.uri, "type": kind, "metadata": {"rows": 3}}


def test_stdout_and_stderr_share_the_log_in_order(place: AttemptPlace, settings: WorkerSettings) -> None:
    run(shell("echo 1; echo 2 >&2; echo 3; cat"), place, settings)
    assert log(place) == "1\n2\n3\n"


@pytest.mark.parametrize(
    ("end", "message"), [("exit 3", "it ended with exit code 3"), ("kill -9 $$$$", "killed by SIGKILL")]
)
def test_a_bad_end_is_told(end: str, message: str, place: AttemptPlace, settings: WorkerSettings) -> None:
    assert message in fails(shell(end), place, settings)


def test_a_missing_output_parameter_fails_and_a_missing_artifact_does_not(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    assert run(shell("true", makes=("m",)), place, settings).artifacts["m"][0].name == "m"
    assert (
        fails(shell("true", writes={"x": "s"}), place, settings)
        == "it did not write its output parameter `x`"
    )


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("s", " a\n", " a\n"), ("s", "", ""), ("i", " -5\n", -5), ("i", "+7", 7), ("i", str(2**53 + 1), 2**53),
        ("f", "1.5\n", 1.5), ("f", "1e3", 1000.0), ("b", "true\n", True), ("b", "F", False), ("b", "1", True),
        ("l", '[1, "a"]\n', [1, "a"]), ("d", '{"a": {"b": null}}', {"a": {"b": None}}),
    ],
)  # fmt: skip
def test_text_becomes_a_value_by_type(kind: str, text: str, value: Any) -> None:
    found = launcher.value_of("x", text.encode(), TYPES[kind])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("i", "1.0"), ("i", ""), ("i", "1_0"), ("i", "٣"), ("i", str(2**63)), ("f", "nan"), ("f", "1e999"),
        ("f", "1_0"), ("b", "yes"), ("b", "tRUE"), ("l", "{}"), ("l", "[1,]"), ("d", "[]"), ("d", '{"a": NaN}'),
        ("d", '{"a":1,"a":2}'),
        ("l", "[" * 100_000),
    ],
)  # fmt: skip
def test_text_of_another_type_fails(kind: str, text: str) -> None:
    with pytest.raises(TaskFailure, match="its output parameter `x` should be"):
        launcher.value_of("x", text.encode(), TYPES[kind])


def test_text_must_be_utf8() -> None:
    with pytest.raises(TaskFailure, match="not UTF-8"):
        launcher.value_of("x", b"\xff", "STRING")


def executor_output(place: AttemptPlace, document: object) -> str:
    return f"cat > {place.folder}/executor_output.json <<'EOF'\n{json.dumps(document)}\nEOF"


def test_the_executor_output_comes_before_the_files(place: AttemptPlace, settings: WorkerSettings) -> None:
    script = (
        executor_output(place, {"parameterValues": {"p": 2.0}}) + f"\nprintf 9 > {place.folder}/outputs/p"
    )
    assert run(shell(script.replace("$", "$$"), writes={"p": "i"}), place, settings).parameters == {"p": 2}


def test_the_executor_output_changes_artifacts(place: AttemptPlace, settings: WorkerSettings) -> None:
    said = {"name": "n", "uri": "s3://b/m", "metadata": {"accuracy": 0.5}}
    found = run(
        shell(executor_output(place, {"artifacts": {"m": {"artifacts": [said]}}}), makes=("m",)),
        place,
        settings,
    )
    assert (found.artifacts["m"][0].uri, found.artifacts["m"][0].metadata) == ("s3://b/m", {"accuracy": 0.5})


def test_a_custom_path_is_stored_under_the_uri(place: AttemptPlace, settings: WorkerSettings) -> None:
    said = {"name": "m", "uri": str(place.artifacts / "m"), "custom_path": "deep/file"}
    script = "mkdir deep; echo 1 > deep/file\n" + executor_output(
        place, {"artifacts": {"m": {"artifacts": [said]}}}
    )
    found = run(shell(script, makes=("m",)), place, settings)
    assert found.artifacts["m"][0].custom_path == "deep/file"
    assert (place.artifacts / "m").read_text() == "1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no object at `the top`"), ('{"x": 1}', "unknown field `x`"), ("{", "not JSON"),
        ('{"parameterValues": []}', "no object at `parameterValues`"), ('{"parameterValues": {"p": NaN}}', "not JSON"),
        ('{"artifacts": {"m": {"artifacts": [{"path": "x"}]}}}', "unknown field `artifacts.m.path`"),
        ('{"artifacts": {"m": {"artifacts": [{"uri": 1}]}}}', "wrong value at `artifacts.m.uri`"),
        ('{"artifacts": {"m": {"artifacts": 1}}}', "no list at"), ('{"a": 1, "a": 2}', "stands twice"),
        (" " * (launcher.OUTPUT_LIMIT + 1), "larger than 1 MiB"),
    ],
)  # fmt: skip
def test_the_executor_output_is_read_strictly(text: str, message: str) -> None:
    with pytest.raises(TaskFailure, match=message):
        launcher.parse_output(text.encode())


def test_a_new_attempt_finds_nothing_of_the_one_before(tmp_path: Path, settings: WorkerSettings) -> None:
    artifacts = tmp_path / "artifacts"
    path = "{{$.outputs.artifacts['m'].path}}"
    first = shell('mkdir "$1"; touch "$1/half"; exit 1', path, makes=("m",))
    fails(first, AttemptPlace(tmp_path / "attempt-0", artifacts), settings)
    run(
        shell('test ! -e "$1"', path, makes=("m",), attempt=1),
        AttemptPlace(tmp_path / "attempt-1", artifacts),
        settings,
    )


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ""])
def test_output_names_stay_in_their_folder(name: str, place: AttemptPlace, settings: WorkerSettings) -> None:
    assert "cannot be a file name" in fails(shell("true", makes=(name,)), place, settings)


def test_arguments_too_large_and_nul_are_told(place: AttemptPlace, settings: WorkerSettings) -> None:
    command = execute(["echo"], ["{{$.inputs.parameters['x']}}"], {"x": "x" * 200 * 1024})
    assert "128 KiB" in fails(command, place, settings)
    assert "NUL" in fails(execute(["echo", "a\0b"]), place, settings)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"a": [float("inf")]}])
def test_values_that_json_cannot_carry_fail(
    value: Any, place: AttemptPlace, settings: WorkerSettings
) -> None:
    assert "`x` holds" in fails(execute(["true"], [], {"x": value}), place, settings)


def test_nothing_to_run_is_told(place: AttemptPlace, settings: WorkerSettings) -> None:
    assert "neither command nor args" in fails(execute(), place, settings)
    assert (
        fails(execute(["no-such-program"]), place, settings)
        == "`no-such-program` is not a program of this machine"
    )
    assert "takes the first of its args" in fails(execute(None, ["--flag"]), place, settings)


# --- environment variables ----------------------------------------------------------------------------------


def test_the_environment_is_clean(place: AttemptPlace, settings: WorkerSettings) -> None:
    code = "import json,os; print(json.dumps(dict(os.environ)))"
    leaky = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "AWS_SECRET_ACCESS_KEY": "s",
        "CUDA_VISIBLE_DEVICES": "0",
        "TZ": "UTC",
    }
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(REPOSITORY / "tests" / "backends")!r})
        from test_worker import *
        settings = WorkerSettings(*[Path({str(settings.secrets.parent)!r})] * 3, "0" * 12, "run", "process")
        place = AttemptPlace(Path({str(place.folder)!r}), Path({str(place.artifacts)!r}))
        run(execute([sys.executable, "-c", {code!r}], env={{"MINE": "1"}}, retries=2, attempt=1), place, settings)
    """)
    subprocess.run([sys.executable, "-c", script], env=leaky, check=True, timeout=180)
    found = json.loads(log(place))
    allowed = {"PATH", "LANG", "TZ", *PROXIES, *CERTIFICATES} | {
        "HOME",
        "TMPDIR",
        "PIP_REQUIRE_VIRTUALENV",
        "LC_CTYPE",
    }
    declared = {
        "MINE", "KFP_POD_NAME", "KFP_POD_UID", "KFP_RETRY_INDEX", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
    }  # fmt: skip
    assert not {name for name in found if name not in allowed | declared and not name.startswith("LC_")}
    assert declared <= set(found)
    assert (found["KFP_RETRY_INDEX"], found["HOME"], found["TZ"]) == ("1", str(place.folder / "home"), "UTC")
    assert (found["CUDA_VISIBLE_DEVICES"], found["NVIDIA_VISIBLE_DEVICES"]) == ("", "void")


def test_a_deep_folder_gets_a_short_tmpdir(settings: WorkerSettings, tmp_path: Path) -> None:
    place = AttemptPlace(tmp_path / ("d" * 100) / "attempt-0", tmp_path / "artifacts")
    run(shell('echo "$TMPDIR"; echo 1 > "$TMPDIR/x"'), place, settings)
    assert len(log(place).strip()) <= 60
    assert not os.path.lexists(log(place).strip())


def secret(name: str = "db", key: str = "password", **more: Any) -> dict[str, Any]:
    return {
        "secretAsEnv": [{"secretName": name, "keyToEnv": [{"secretKey": key, "envVar": "PASSWORD"}], **more}]
    }


NAMES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"secretNameParameter": {"runtimeValue": {"constant": "db"}}, "secretName": "old"}, {}),
    ({"secretName": "db"}, {}),
    ({"secretNameParameter": {"componentInputParameter": "which"}}, {"which": "db"}),
    ({"secretNameParameter": {"componentInputParameter": "which"}}, {"pipelinechannel--which": "db"}),
    (
        {"secretNameParameter": {"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "o"}}},
        {"pipelinechannel--a-o": "db"},
    ),
]


@pytest.mark.parametrize(("entry", "given"), NAMES)
def test_secrets_are_found_in_every_form(
    entry: dict[str, Any], given: dict[str, Any], place: AttemptPlace, settings: WorkerSettings
) -> None:
    (settings.secrets / "db.env").write_text("password=hunter22\n")
    platform = {"secretAsEnv": [{"keyToEnv": [{"secretKey": "password", "envVar": "PASSWORD"}], **entry}]}
    run(shell('test "$PASSWORD" = hunter22', given=given, platform=platform), place, settings)


def test_secrets_are_masked_and_never_written(place: AttemptPlace, settings: WorkerSettings) -> None:
    (settings.secrets / "db.env").write_text('password="hun$ter\\n22 \'x"\n')
    script = 'printf "%.4s" "$PASSWORD"; sleep 0.1; echo "-$PASSWORD-$1"'
    run(shell(script, "$(PASSWORD)", platform=secret()), place, settings)
    assert log(place) == "hun$-***-***\n"
    for path in place.folder.rglob("*"):
        assert path.is_dir() or b"22 'x" not in path.read_bytes(), path
    assert "PASSWORD:?set it: secret db, key password" in (place.folder / "repro.sh").read_text()


def test_a_missing_secret_names_file_and_key(place: AttemptPlace, settings: WorkerSettings) -> None:
    file = settings.secrets / "db.env"
    assert fails(shell("true", platform=secret()), place, settings) == (
        f"the secret file {file} does not exist (it needs the key `password`)"
    )
    file.write_text("user=x\n")
    assert (
        fails(shell("true", platform=secret()), place, settings)
        == f"the secret file {file} has no key `password`"
    )
    run(shell('test -z "${PASSWORD+set}"', platform=secret(optional=True)), place, settings)
    assert "cannot be the name" in fails(shell("true", platform=secret("../db")), place, settings)


def test_config_maps_and_fields(place: AttemptPlace, settings: WorkerSettings) -> None:
    (settings.configmaps / "conf.env").write_text("color=blue\n")
    named = {"configMapNameParameter": {"runtimeValue": {"constant": "conf"}}}
    fields = {"POD": "metadata.name", "LABEL": "metadata.labels['a']", "NOTE": "metadata.annotations['no']"}
    platform = {
        "configMapAsEnv": [{**named, "keyToEnv": [{"configMapKey": "color", "envVar": "COLOR"}]}],
        "fieldPathAsEnv": [{"name": name, "fieldPath": path} for name, path in fields.items()],
        "podMetadata": {"labels": {"a": "l"}},
    }
    run(shell('echo "$COLOR|$POD|$LABEL|$NOTE|"', platform=platform), place, settings)
    assert log(place) == "blue|my-task-01234567-0|l||\n"
    wrong = {"fieldPathAsEnv": [{"name": "X", "fieldPath": "spec.containers"}]}
    assert "`spec.containers`" in fails(shell("true", platform=wrong), place, settings)


def test_env_files(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text(
        "# a comment\n\nA=1\nexport B = two words  # note\nC='raw $x #' # note\nD=\"a\\nb\\\"\"\nE=\nF=a#b\nG=it's\r\n"
        "my.key-x=v=w\nH='two\nlines'\nI= # only a note\nJ=last"
    )
    assert worker.env_file(file) == {
        "A": "1", "B": "two words", "C": "raw $x #", "D": 'a\nb"', "E": "", "F": "a#b", "G": "it's", "my.key-x": "v=w",
        "H": "two\nlines", "I": "", "J": "last",
    }  # fmt: skip
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(TaskFailure, match="line 2"):
        worker.env_file(file)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (("abcd",), "xxabcdxabcx", "xx***xabcx"),
        (("abcd", "abcdef"), "-abcd-abcdef-abcde", "-***-***-***e"),
        (("1234", "4567"), "1234567 4567", "***567 ***"),
        (("aaaa",), "aaaaaaaaa", "******a"),
        (("abc",), "abc", "abc"),
        (("line one\nline two",), "> line one\n> line two\n", "> ***\n> ***\n"),
        (("a.*b",), "a.*b axxb", "*** axxb"),
        ((), "abcd", "abcd"),
    ],
)
def test_masking_does_not_depend_on_the_chunks(
    secrets: tuple[str, ...], text: str, masked: str, size: int
) -> None:
    masker, data = Masker(secrets), text.encode()
    out = b"".join(masker.feed(data[i : i + size]) for i in range(0, len(data), size)) + masker.close()
    assert out.decode() == masked


# --- ends ---------------------------------------------------------------------------------------------------


# What hangs in these tests does so for a quarter of an hour.
HANGS = 300


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int], within: float = 120.0) -> bool:
    until = time.monotonic() + within
    while any(is_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(is_alive(pid) for pid in pids)


STUBBORN = """trap "" TERM; echo $$$$ > pids
sleep 1000 & echo $! >> pids
setsid sh -c 'echo $$$$ >> pids; exec sleep 1000' > /dev/null 2>&1 &
while [ "$(wc -l < pids)" -lt 3 ]; do sleep 0.01; done; echo up; touch up; wait; sleep 1000"""


def pids_of(place: AttemptPlace) -> list[int]:
    return [int(line) for line in (place.folder / "work" / "pids").read_text().split()]


def test_a_timeout_kills_the_whole_group(place: AttemptPlace, settings: WorkerSettings) -> None:
    began = time.monotonic()
    message = fails(shell(STUBBORN, timeout=3.0), place, settings)
    assert message == "it ran longer than its timeout of 3 seconds and was killed"
    assert time.monotonic() - began > 4.9  # it was given two seconds to clean up
    assert gone(pids_of(place))


def test_a_polite_program_may_clean_up(place: AttemptPlace, settings: WorkerSettings) -> None:
    fails(shell("trap 'echo bye; exit 0' TERM; sleep 1000 & wait", timeout=3.0), place, settings)
    assert log(place) == "bye\n"


def stop_when(there: Path, hooks: Hooks) -> None:
    while not there.exists():
        time.sleep(0.02)
    hooks.stop.set()


def test_stop_ends_a_task(place: AttemptPlace, settings: WorkerSettings) -> None:
    hooks = Hooks()
    threading.Thread(target=stop_when, args=(place.folder / "work" / "pids", hooks), daemon=True).start()
    with pytest.raises(Stopped):
        run(shell("echo $$$$ > new; mv new pids; sleep 1000"), place, settings, hooks)
    assert gone(pids_of(place))
    with pytest.raises(Stopped):
        run(shell("true"), place, settings, hooks)


def test_what_a_task_leaves_running_ends_with_it(place: AttemptPlace, settings: WorkerSettings) -> None:
    run(shell(STUBBORN.replace("wait; sleep 1000", "exit 0")), place, settings)
    assert gone(pids_of(place))


def test_a_daemon_that_holds_the_log_does_not_hold_the_task(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    (settings.secrets / "db.env").write_text("password=hunter22\n")
    began = time.monotonic()
    run(shell("setsid sleep 1000 & echo done", platform=secret()), place, settings)
    assert log(place) == "done\n"
    assert time.monotonic() - began < HANGS


def test_a_flood_of_output_does_not_hide_the_timeout(place: AttemptPlace, settings: WorkerSettings) -> None:
    (settings.secrets / "db.env").write_text("password=hunter22\n")
    began = time.monotonic()
    assert "timeout" in fails(shell("exec yes hunter2", platform=secret(), timeout=0.3), place, settings)
    assert time.monotonic() - began < HANGS


def kill_9_while_running(place: AttemptPlace, settings: WorkerSettings) -> list[int]:
    """Runs `STUBBORN` in a kfgit of its own, kills that with -9 once all is up, returns the pids to look for."""
    paths = f"Path({str(settings.secrets)!r}), Path({str(settings.configmaps)!r}), Path({str(settings.environments)!r})"
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(REPOSITORY / "tests" / "backends")!r})
        from test_worker import *
        settings = WorkerSettings({paths}, "0" * 12, "run", {settings.executor!r}, path={settings.path!r})
        place = AttemptPlace(Path({str(place.folder)!r}), Path({str(place.artifacts)!r}))
        run(shell("cd " + str(place.folder / "work") + "; " + STUBBORN), place, settings)
    """)
    helper = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    try:
        until = time.monotonic() + 120
        while not (place.folder / "work" / "up").exists() and time.monotonic() < until:
            time.sleep(0.02)
        pids = pids_of(place)
        assert len(pids) == 3
        assert all(is_alive(pid) for pid in pids)
    finally:
        helper.kill()
        helper.wait()
    return pids


@pytest.mark.skipif(
    not Path("/proc").is_dir(), reason="grandchildren in their own session are found by /proc"
)
def test_nothing_survives_a_kill_9_of_kfgit(place: AttemptPlace, settings: WorkerSettings) -> None:
    assert gone(kill_9_while_running(place, settings))


def test_no_container_survives_a_kill_9_of_kfgit(place: AttemptPlace, contained: WorkerSettings) -> None:
    program, background, _ = kill_9_while_running(
        place, contained
    )  # the last one only a real container holds
    assert gone([program, background])


def test_many_attempts_at_once(settings: WorkerSettings, tmp_path: Path) -> None:
    results: dict[int, Any] = {}

    def one(number: int) -> None:
        place = AttemptPlace(tmp_path / f"a{number}", tmp_path / f"b{number}")
        command = shell(
            'echo "$1" > "$2"', str(number), "{{$.outputs.parameters['o'].output_file}}", writes={"o": "i"}
        )
        results[number] = run(command, place, settings).parameters["o"]

    threads = [threading.Thread(target=one, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: n for n in range(24)}


def test_repro_runs_the_program_again(place: AttemptPlace, settings: WorkerSettings) -> None:
    file = "{{$.outputs.parameters['o'].output_file}}"
    run(
        shell(
            'printf "%s" "$1$MINE" > "$2"', HOSTILE["quotes"], file, writes={"o": "s"}, env={"MINE": "$$'"}
        ),
        place,
        settings,
    )
    written = place.folder / "outputs" / "o"
    first = written.read_text()
    written.unlink()
    subprocess.run(["sh", str(place.folder / "repro.sh")], check=True, timeout=180)
    assert written.read_text() == first


# --- containers ---------------------------------------------------------------------------------------------

DOCKER = """#!{python}
import json, os, signal, subprocess, sys
from pathlib import Path
here, (verb, *rest) = Path(__file__).parent, sys.argv[1:]
with open(here / "calls", "a") as calls:
    calls.write(repr(sys.argv[1:]) + "\\n")
if verb == "version":
    sys.exit({answers})
if verb == "info":
    host = {{"cpus": 4, "cgroupControllers": ["memory", "cpu"]}}
    print(json.dumps({{"NCPU": 4, "MemoryLimit": True, "CpuCfsQuota": True, "SwapLimit": True, "host": host}}))
    sys.exit()
if verb in ("kill", "rm"):
    file = here / rest[-1]
    number = getattr(signal, "SIG" + rest[1]) if verb == "kill" else signal.SIGKILL
    if file.exists():
        os.killpg(int(file.read_text()), number)
    sys.exit(0 if file.exists() else 1)
env, options = {{"PATH": os.environ["PATH"]}}, iter(rest)
for option in options:
    if option == "--rm":
        continue
    if not option.startswith("--"):
        break
    value = next(options)
    if option == "--env":
        env[value] = os.environ[value]
    if option == "--env-file":
        env.update(line.split("=", 1) for line in Path(value).read_text().splitlines())
    if option == "--entrypoint":
        entrypoint = value
    if option == "--name":
        name = value
if option == "missing-image":
    sys.exit(125)
process = subprocess.Popen([entrypoint, *options], env=env, start_new_session=True)
(here / name).write_text(str(process.pid))
code = process.wait()
sys.exit(code if code >= 0 else 128 - code)
"""


@pytest.fixture(params=["docker", "podman"])
def contained(request: pytest.FixtureRequest, tmp_path: Path, settings: WorkerSettings) -> WorkerSettings:
    """Settings whose PATH begins with a container engine that runs programs on this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / request.param
    tool.write_text(DOCKER.format(python=sys.executable, answers=0))
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return replace(settings, executor="auto", path=f"{folder}:/usr/bin:/bin")


def calls(settings: WorkerSettings) -> list[list[str]]:
    folder = Path((settings.path or "").split(":")[0])
    return [ast.literal_eval(line) for line in (folder / "calls").read_text().splitlines()]


def test_a_container_task_runs_in_its_image(
    contained: WorkerSettings, place: AttemptPlace, tmp_path: Path
) -> None:
    (contained.secrets / "db.env").write_text("password='two\nlines here'\n")
    data = tmp_path / "da,ta"
    data.write_text("")
    command = shell(
        'printf "%s" "$PASSWORD|$PATH|$X" > "$1"; echo "$PASSWORD"', "{{$.outputs.parameters['o'].output_file}}",
        writes={"o": "s"}, env={"PATH": "/usr/bin:/bin", "X": "$$x"}, platform=secret(), retries=1,
        artifacts={"a": (Artifact("1", "a", "system.Dataset", str(data)),)},
        executor={"image": "img:{{$.inputs.parameters['tag']}}"}, given={"tag": "v1"},
    )  # fmt: skip
    assert run(command, place, contained).parameters == {"o": "two\nlines here|/usr/bin:/bin|$x"}
    assert log(place) == "***\n"
    argv = calls(contained)[-1]
    assert argv[argv.index("--entrypoint") + 1 :][:2] == ["sh", "img:v1"]
    assert f"type=bind,source={place.folder},target={place.folder}" in argv
    assert f'type=bind,"source={data}","target={data}",readonly' in argv
    assert "lines here" not in repr(argv)
    assert not (place.folder / "tmp").exists()
    assert worker.parity(command, worker.settle(contained)) == ()


def test_a_container_that_is_given_the_workspace_has_it_mounted(
    contained: WorkerSettings, place: AttemptPlace, tmp_path: Path
) -> None:
    folder = tmp_path / "workspace"
    folder.mkdir()
    shared = replace(contained, workspace=folder)
    mount = f"type=bind,source={folder},target={folder}"
    run(shell("true", given={"n": 3.0, "dir": f"{folder}/data"}), place, shared)
    assert mount in calls(shared)[-1]
    run(shell("true", given={"n": 3.0, "dir": "/elsewhere"}), place, shared)
    assert mount not in calls(shared)[-1]


def test_a_failed_start_of_a_container_names_the_image(
    contained: WorkerSettings, place: AttemptPlace
) -> None:
    command = shell("true", executor={"image": "missing-image"})
    assert (
        fails(command, place, contained) == "the image `missing-image` could not be started (exit code 125)"
    )


def test_a_timeout_kills_the_container_and_not_only_its_client(
    contained: WorkerSettings, place: AttemptPlace
) -> None:
    pids = place.folder / "pids"
    command = shell(
        f'trap "" TERM; echo $$$$ > {pids}; sleep 1000 & echo $! >> {pids}; wait; sleep 1000', timeout=4.0
    )
    assert "timeout" in fails(command, place, contained)
    assert gone([int(line) for line in pids.read_text().split()])
    assert ["kill", "--signal", "TERM"] in [call[:3] for call in calls(contained)]
    assert ["kill", "--signal", "KILL"] in [call[:3] for call in calls(contained)]


def test_an_engine_that_does_not_answer(tmp_path: Path, settings: WorkerSettings) -> None:
    tool = tmp_path / "docker"
    tool.write_text(DOCKER.format(python=sys.executable, answers=1))
    tool.chmod(0o755)
    silent = replace(settings, path=str(tmp_path), executor="auto")
    assert worker.settle(silent).engine is None
    with pytest.raises(TaskFailure, match="docker was asked for but does not answer"):
        worker.settle(replace(silent, executor="docker"))


# --- imports, parity ----------------------------------------------------------------------------------------


def bring(uri: str) -> tuple[Artifact, list[str]]:
    said: list[str] = []
    found = worker.run_import(
        Import("i", "i", uri, "system.Dataset", "0.0.1", {"a": 1}, reimport=True), said.append
    )
    return found.artifacts["artifact"][0], said


def test_imports(tmp_path: Path) -> None:
    file = tmp_path / "a b"
    file.touch()
    for uri in (str(file), f"file://{tmp_path}/a%20b", f"file://localhost{tmp_path}/./a%20b"):
        artifact, said = bring(uri)
        assert (artifact.uri, artifact.metadata, artifact.type, said) == (
            str(file),
            {"a": 1},
            "system.Dataset",
            [],
        )
    artifact, said = bring("gs://bucket/x")
    assert artifact.uri == "gs://bucket/x"
    assert len(said) == 1
    for uri, message in [
        ("data.csv", "neither"),
        ("", "neither"),
        ("file://host/x", "file:///"),
        ("/no/such", "exist"),
    ]:
        with pytest.raises(TaskFailure, match=message):
            bring(uri)


def test_parity_names_what_has_no_effect(settings: WorkerSettings) -> None:
    platform = {
        "tolerations": [{"key": "a"}],
        "nodeSelector": {"labels": {"a": "b"}},
        "imagePullPolicy": "Always",
        "pvcMount": [],
    }
    resources = {"cpuLimit": 1.0, "accelerator": {"type": "nvidia.com/gpu", "count": "1"}}
    notes = worker.parity(shell("true", platform=platform, executor={"resources": resources}), settings)
    assert notes == (
        "the image `alpine` is not used: the task is a process of this machine",
        "the image pull policy has no effect",
        "tolerations have no effect",
        "the node selector has no effect",
        "cpu limits are not enforced",
    )


def test_the_reaper_comes_back_when_it_was_killed(place: AttemptPlace, settings: WorkerSettings) -> None:
    from kfgit.backends.local.reaping import REAPER

    run(shell("true"), place, settings)
    first = REAPER.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert gone([first])
    run(shell("true"), place, settings)
    assert REAPER.pid not in (None, first)
