"""Environments of python components: how pip scripts are read, and that real environments are made once and kept."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local import environments, worker
from kfgit.backends.local.environments import Install, Workshop, environment, pip_script
from kfgit.backends.local.launcher import Stopped, TaskFailure
from kfgit.backends.local.protocol import Execute
from kfgit.backends.local.worker import AttemptPlace, Hooks, WorkerSettings
from tests.counting import lines

KFP = Install(("kfp==2.17.0",), no_deps=True)

# The shapes that KFP's SDK writes (dsl/component_factory.py) and that v1 components carry.
GUARD = (
    'if ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user\nfi\n\n'
)
PIP = "python3 -m pip install --quiet --no-warn-script-location"
LINE = f"{PIP} 'kfp==2.17.0' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"
TYPING = 'typing-extensions>=3.7.4,<5; python_version<"3.9"'
SDK = Install(("kfp==2.17.0", TYPING), no_deps=True)
VENV = """export PIP_DISABLE_PIP_VERSION_CHECK=1
tmp=$(mktemp -d)
python3 -m venv "$tmp/venv" --system-site-packages
. "$tmp/venv/bin/activate"
"""
BOOT = """program_path=$(mktemp -d)
printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"
"""


def script(commands: str) -> list[str]:
    return [
        "sh",
        "-c",
        f'\n{GUARD}PIP_DISABLE_PIP_VERSION_CHECK=1 {commands} && "$0" "$@"\n',
        "sh",
        "-ec",
        "x",
    ]


@pytest.mark.parametrize(
    ("commands", "installs"),
    [
        (LINE, (SDK,)),
        (f"{PIP} 'b' 'a==1'  &&  {LINE}", (Install(("a==1", "b")), SDK)),
        (f"{PIP} 'a'  &&  {VENV}{LINE}", (Install(("a",)), SDK)),
        (
            f"{PIP} --index-url https://i/s --extra-index-url https://e/s --trusted-host https://i/s 'a[x]>=1,<2'",
            (Install(("a[x]>=1,<2",), "https://i/s", ("https://e/s",), ("https://i/s",)),),
        ),
        ("pip3 install -U --pre --find-links=/w a", (Install(("a",), find_links=("/w",), prereleases=True),)),
        (f"({PIP} 'a==1' 'b' || PIP_X=1 {PIP} 'a==1' 'b' --user)", (Install(("a==1", "b")),)),
        (f"{PIP} \\\n  'a' \\\n  'git+https://h/r@refs/pull/1/head#egg=b'", (Install(("a", "git+https://h/r@refs/pull/1/head#egg=b")),)),
    ],
)  # fmt: skip
def test_pip_scripts_are_read(commands: str, installs: tuple[Install, ...]) -> None:
    assert pip_script(script(commands)) == (installs, ("sh", "-ec", "x"))


@pytest.mark.parametrize(
    "argv",
    [
        ["sh", "-c", "pip install a", "sh"],
        ["echo", "-c", 'pip install a && "$0" "$@"', "x"],
        ["sh", "-ec", "x"],
        [],
    ],
)
def test_what_is_no_pip_script(argv: list[str]) -> None:
    assert pip_script(argv) is None


def test_an_option_that_cannot_be_followed_is_named() -> None:
    with pytest.raises(TaskFailure, match="the option `--target`"):
        pip_script(script("pip install --target /x a"))


# --- real environments --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="session")
def workshop(cache: Path) -> Workshop:
    return Workshop(cache, uv=environments.find_uv())


@pytest.fixture
def said() -> list[str]:
    return []


def test_an_environment_is_made_once_and_then_found(workshop: Workshop, said: list[str]) -> None:
    first = environment([SDK], workshop, said.append)
    assert environment([SDK], workshop, said.append) == first
    assert len(said) <= 1
    with lines() as counted:
        environment([SDK], workshop, said.append)
    print(f"{counted[0]:,} lines")
    assert counted[0] < 500
    code = "import kfp.dsl.executor_main as m; print(m.__cached__)"
    done = subprocess.run(
        [first / "bin" / "python3", "-B", "-c", code],
        env={"_KFP_RUNTIME": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_file(), "packages are compiled beforehand"


def test_the_address_knows_what_matters() -> None:
    installs = [
        [KFP], [], [replace(KFP, no_deps=False)], [replace(KFP, index="https://i")], [KFP, KFP],
        [replace(KFP, extra_indexes=("https://i",))], [Install(("kfp==2.16.0",), no_deps=True)],
    ]  # fmt: skip
    assert len({environments.address(each, Path(sys.executable)) for each in installs}) == len(installs)


def test_a_half_built_environment_is_built_again(tmp_path: Path, said: list[str]) -> None:
    workshop = Workshop(tmp_path, uv=environments.find_uv())
    folder = environment([], workshop, said.append)
    (folder / "ready").unlink()
    (folder / "rubbish").touch()
    assert environment([], workshop, said.append) == folder
    assert not (folder / "rubbish").exists()
    (folder / "bin" / "python").unlink()
    assert (environment([], workshop, said.append) / "bin" / "python").exists()
    assert said == ["installing nothing into a new environment"] * 3


def test_without_uv_pip_does_it(tmp_path: Path, said: list[str]) -> None:
    folder = environment([KFP], Workshop(tmp_path), said.append)
    run = [str(folder / "bin" / "python"), "-c", "import kfp, sys; print(sys.prefix, kfp.__version__)"]
    done = subprocess.run(run, env={"_KFP_RUNTIME": "true"}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(folder), "2.17.0"]
    assert said == ["installing kfp==2.17.0 into a new environment"]


@pytest.mark.parametrize("tool", [environments.find_uv(), None], ids=["uv", "pip"])
def test_a_failed_install_shows_why(tool: Path | None, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, uv=tool)
    missing = Install(("./no-such-wheel-1.0-py3-none-any.whl",))
    with pytest.raises(TaskFailure, match=r"(?s)packages cannot be installed: .*no-such-wheel"):
        environment([missing], workshop)
    assert not (tmp_path / environments.address([missing], workshop.python) / "ready").exists()


def test_threads_wait_for_one_another(tmp_path: Path, said: list[str]) -> None:
    workshop, found = Workshop(tmp_path, uv=environments.find_uv()), []
    threads = [
        threading.Thread(target=lambda: found.append(environment([], workshop, said.append)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 6
    assert [text for text in said if text.startswith("installing")] == [
        "installing nothing into a new environment"
    ]


def _in_a_process(cache: Path, tell: Any) -> None:
    environment([], Workshop(cache, uv=environments.find_uv()), tell.put)


def test_processes_wait_for_one_another(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    tell = context.Queue()
    processes = [context.Process(target=_in_a_process, args=(tmp_path, tell)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
        assert process.exitcode == 0
    heard = [tell.get(timeout=60)]
    while not tell.empty():
        heard.append(tell.get())
    assert len([text for text in heard if text.startswith("installing")]) == 1


def slow_uv(folder: Path, body: str) -> Path:
    tool = folder / "uv"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    return tool


def test_where_uv_reaches_no_index_pip_does_it(tmp_path: Path, said: list[str]) -> None:
    uv = slow_uv(tmp_path, "echo 'error: Failed to fetch: six' >&2; exit 2")
    made = environment([Install(("six==1.16.0",))], Workshop(tmp_path / "made", uv=uv), said.append)
    assert (made / "ready").is_file()
    assert said[-1] == "uv cannot reach the package index; trying pip"


def test_stop_ends_an_installation(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped):
        environment([], Workshop(tmp_path, uv=slow_uv(tmp_path, "sleep 100")), lambda _: None, stop)


def test_tools_see_no_secrets() -> None:
    given = {
        "PATH": "/bin",
        "UV_INDEX_URL": "i",
        "PIP_INDEX_URL": "i",
        "AWS_SECRET_ACCESS_KEY": "s",
        "https_proxy": "p",
        "PIP_USER": "1",
    }
    assert environments.tool_variables(given) == {
        "PATH": "/bin",
        "UV_INDEX_URL": "i",
        "PIP_INDEX_URL": "i",
        "https_proxy": "p",
    }


# --- python components through the worker -------------------------------------------------------------------

HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"


def component(
    source: str, name: str, inputs: dict[str, str], outputs: dict[str, str], **more: Any
) -> Execute:
    definitions = {
        "inputDefinitions": {"parameters": {n: {"parameterType": t} for n, t in inputs.items()}},
        "outputDefinitions": {
            "parameters": {
                n: {"parameterType": t} for n, t in outputs.items() if not t.startswith("system.")
            },
            "artifacts": {
                n: {"artifactType": {"schemaTitle": t}} for n, t in outputs.items() if t.startswith("system.")
            },
        },
    }
    command = [*more.pop("pip", script(LINE)[:3]), "sh", "-ec", BOOT, HEAD + source]
    args = ["--executor_input", "{{$}}", "--function_to_execute", name]
    return Execute(
        **{
            "key": "t",
            "path": "t",
            "task_name": "t",
            "component_name": "c",
            "component": definitions,
            "artifacts": {},
        }
        | {"executor": {"image": "python:3.11", "command": command, "args": args}, "parameters": {}}
        | more
    )


@pytest.fixture
def start(tmp_path: Path, cache: Path) -> Callable[[Execute], Any]:
    settings = WorkerSettings(tmp_path / "s", tmp_path / "c", cache, "0" * 12, "run", "process")
    place = AttemptPlace(tmp_path / "attempt-0", tmp_path / "artifacts")
    return lambda command: worker.run_attempt(command, place, settings, Hooks())


ECHO = """
def echo(text: str, number: int, items: list, out: Output[Model]) -> NamedTuple('o', text=str, n=float):
    out.metadata['n'] = number
    open(out.path, 'w').write(text)
    return (text, number / 2)
"""


@pytest.mark.parametrize("pip", [script(LINE)[:3], []], ids=["pip script", "kfp from its image"])
def test_a_python_component_runs_in_its_environment(pip: list[str], start: Callable[[Execute], Any]) -> None:
    text = "{{$}} $(HOME) $$ ' \" \n 漢字 {{$.inputs.parameters['number']}}"
    inputs, outputs = (
        {"text": "STRING", "number": "NUMBER_INTEGER", "items": "LIST"},
        {"text": "STRING", "n": "NUMBER_DOUBLE"},
    )
    command = component(
        ECHO,
        "echo",
        inputs,
        {**outputs, "out": "system.Model"},
        pip=pip,
        parameters={"text": text, "number": 3, "items": [1, 2]},
    )
    found = start(command)
    assert found.parameters == {"text": text, "n": 1.5}
    (model,) = found.artifacts["out"]
    assert model.metadata == {"n": 3}
    assert Path(model.uri).read_text() == text


def test_a_python_component_sees_its_environment_alone(start: Callable[[Execute], Any]) -> None:
    source = """
def look() -> str:
    import subprocess, sys
    return sys.prefix + '|' + subprocess.getoutput('command -v python')
"""
    prefix, found = start(component(source, "look", {}, {"Output": "STRING"})).parameters["Output"].split("|")
    assert found == f"{prefix}/bin/python"
    source = "def look() -> str:\n    import yaml\n    return 'leaked'\n"
    with pytest.raises(TaskFailure, match="exit code 1"):
        start(component(source, "look", {}, {"Output": "STRING"}))


def test_a_component_whose_code_is_in_its_image_is_told(start: Callable[[Execute], Any]) -> None:
    command = component("", "f", {}, {})
    executor = {
        "image": "mine:v1",
        "command": ["python3", "-m", "kfp.dsl.executor_main"],
        "args": ["--executor_input", "{{$}}"],
    }
    message = "`mine:v1`, which cannot be used without docker or podman"
    with pytest.raises(TaskFailure, match=message):
        start(replace(command, executor=executor))


@pytest.mark.skipif(
    shutil.which("python3", path="/usr/bin:/usr/local/bin") is None, reason="needs a second interpreter"
)
def test_another_interpreter_has_another_address() -> None:
    other = Path(shutil.which("python3", path="/usr/bin:/usr/local/bin") or "")
    if os.path.realpath(other) != os.path.realpath(sys.executable):
        assert environments.address([KFP], other) != environments.address([KFP], Path(sys.executable))
