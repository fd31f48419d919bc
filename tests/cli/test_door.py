"""What all commands share: names, flags, variables, streams, and an answer to whatever is thrown at them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kfgit import __version__
from kfgit.cli.app import COMMANDS, app
from tests.cli.conftest import BASE, CLUSTER, KFGIT, STAGING, WRONG, Kfgit, MakeProject

ISSUE = """init validate render graph compile plan apply status run runs artifacts schedules experiments schema explain
    destroy completion doctor""".split()


def commands(
    group: click.Group = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group, **app.context_settings)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name), found
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


PATHS = [path for path, _ in commands()]
LEAVES = [path for path, found in commands() if not isinstance(found, click.Group)]


def test_every_command_of_the_issue_is_there() -> None:
    assert set(ISSUE) <= set(COMMANDS)
    assert {("runs", name) for name in "list show logs cancel delete".split()} <= set(PATHS)
    assert {("artifacts", name) for name in "list show get".split()} <= set(PATHS)
    assert {("schedules", "list"), ("schedules", "next"), ("experiments", "list")} <= set(PATHS)


@pytest.mark.parametrize("path", [(), *PATHS], ids=" ".join)
def test_help_has_an_example_and_fits(kfgit: Kfgit, path: tuple[str, ...]) -> None:
    told = kfgit(*path, "--help")
    assert (told.code, told.err) == (0, "")
    assert "Example" in told.out
    assert f"kfgit {' '.join(path)}".strip() in told.out.split("Example", 1)[1]
    assert max(map(len, told.out.splitlines())) <= 100
    assert kfgit(*path, "-h").out == told.out


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_can_speak_json(path: tuple[str, ...]) -> None:
    command = dict(commands())[path]
    (output,) = (option for option in command.params if option.name == "output")
    assert isinstance(output.type, click.Choice)
    assert {"human", "json"} <= set(output.type.choices)


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(kfgit: Kfgit, process: Kfgit, flag: str) -> None:
    for use in (kfgit, process):
        told = use(flag)
        assert (told.code, told.out, told.err) == (0, f"kfgit {__version__}\n", "")


@pytest.mark.parametrize(
    "argv", [(), ("runs",), ("artifacts",), ("schedules",), ("experiments",)], ids=" ".join
)
def test_a_group_alone_shows_its_help(kfgit: Kfgit, argv: tuple[str, ...]) -> None:
    told = kfgit(*argv)
    assert (told.code, told.err) == (0, "")
    assert told.out == kfgit(*argv, "--help").out


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (("aply",), "apply"),
        (("run", "helo"), "hello"),
        (("graph", "helo"), "hello"),
        (("compile", "helo"), "hello"),
        (("render", "pipeline/helo"), "pipeline/hello"),
        (("plan", "-e", "stagging"), "staging"),
        (("validate", "-e", "stagging"), "staging"),
        (("destroy", "-e", "stagging"), "staging"),
        (("plan", "--evn", "local"), "--env"),
        (("plan", "-o", "jsn"), "json"),
        (("runs", "lst"), "list"),
        (("schema", "Pipelin"), "Pipeline"),
        (("explain", "duplicate-kye"), "duplicate-key"),
        (("explain", "Pipeline.spec.taks"), "Pipeline.spec.tasks"),
        (("run", "hello", "-p", "nam=x"), "name"),
        (("run", "hello", "--executor", "proces"), "process"),
        (("completion", "bahs"), "bash"),
        (("init", "x", "--template", "minimla"), "minimal"),
        (("--color", "alway", "validate"), "always"),
    ],
    ids=" ".join,
)
def test_an_unknown_name_gets_the_nearest(
    kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...], meant: str
) -> None:
    root = project({**BASE, "environments/staging.yaml": STAGING})
    told = kfgit(*argv, cwd=root)
    assert (told.code, told.out) == (64, "")
    assert meant in told.err


def test_an_unknown_environment_in_the_variable(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("plan", cwd=project(BASE), env={"KFGIT_ENV": "loca"})
    assert told.code == 64
    assert "local" in told.err


def test_the_project_is_found_upwards_and_by_directory(
    kfgit: Kfgit, project: MakeProject, tmp_path: Path
) -> None:
    root = project(BASE)
    (root / "components" / "deep").mkdir()
    assert kfgit("validate", cwd=root / "components" / "deep").code == 0
    assert kfgit("-C", str(root), "validate", cwd=tmp_path).code == 0
    assert kfgit("validate", cwd=tmp_path, env={"KFGIT_DIR": str(root)}).code == 0
    assert kfgit("validate", cwd=tmp_path).code == 64
    assert kfgit("-C", str(root / "kfgit.yaml"), "validate").code == 64
    told = kfgit("-C", str(root / "nowhere"), "validate")
    assert told.code == 64
    assert "nowhere" in told.err


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in LEAVES
        if path[0] not in {"init", "schema", "explain", "completion", "doctor"}
        and (path[0] != "github" or path[1] == "environments")  # the others tell what is in a file
    ],
    ids=" ".join,
)
def test_without_a_project_the_way_out_is_named(kfgit: Kfgit, tmp_path: Path, path: tuple[str, ...]) -> None:
    needed = {
        "graph": ["x"],
        "run": ["x"],
        "destroy": ["-e", "local"],
        "adopt": ["pipeline/x"],
        "agent": ["-e", "local", "--once", "--no-http"],
        "promote": ["staging", "prod"],
        "import": ["--live"],
    }.get(path[0], [])
    if path[0] in {"runs", "artifacts", "schedules", "profiles"} and path[1] not in {"list", "next"}:
        needed = ["x"]
    told = kfgit(*path, *needed, cwd=tmp_path)
    assert (told.code, told.out) == (64, "")
    assert "kfgit init" in told.err


def test_variables_stand_for_flags(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "environments/staging.yaml": STAGING})
    assert (
        kfgit("plan", cwd=root, env={"KFGIT_ENV": "staging", "KFGIT_OUTPUT": "json"}).json["environment"]
        == "staging"
    )
    assert (
        kfgit("plan", "-e", "local", "-o", "json", cwd=root, env={"KFGIT_ENV": "staging"}).json["environment"]
        == "local"
    )
    assert kfgit("plan", cwd=root, env={"KFGIT_PLAN_EXIT_CODE": "1"}).code == 2
    assert kfgit("validate", cwd=root, env={"KFGIT_QUIET": "1"}).out == ""
    assert kfgit("plan", cwd=root, env={"KFGIT_ENV": ""}).code == 0
    assert kfgit("plan", cwd=root, env={"KFGIT_OUTPUT": "jsn"}).code == 64


def test_validate_is_not_narrowed_and_destroy_not_named_by_a_variable(
    kfgit: Kfgit, project: MakeProject
) -> None:
    root = project({**BASE, "environments/staging.yaml": STAGING, "environments/staging/wrong.yaml": WRONG})
    for name in ("KFGIT_ENV", "KFGIT_VALIDATE_ENVS"):
        assert kfgit("validate", cwd=root, env={name: "local"}).code == 1
    for name in ("KFGIT_ENV", "KFGIT_DESTROY_ENV"):
        assert kfgit("destroy", cwd=root, env={name: "local"}).code == 64


def test_colour(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    assert "\x1b[" not in kfgit("validate", cwd=root).out
    assert "\x1b[" in kfgit("--color", "always", "validate", cwd=root).out
    assert "\x1b[" in kfgit("--color", "always", "validate", cwd=root, env={"NO_COLOR": "1"}).out
    assert "\x1b[" not in kfgit("--color", "never", "validate", cwd=root).out
    assert "\x1b[" in kfgit("validate", cwd=root, env={"KFGIT_COLOR": "always"}).out
    assert "\x1b[" not in kfgit("--color", "always", "validate", "-o", "json", cwd=root).out


@pytest.mark.parametrize(
    ("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_on_a_terminal(project: MakeProject, variable: dict[str, str], *, coloured: bool) -> None:
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    told = on_terminal("validate", cwd=root, env={"TERM": "xterm", **variable})
    assert ("\x1b[" in told) == coloured


def test_progress_on_a_terminal_is_one_line_that_moves(project: MakeProject) -> None:
    # A task that has ended before its start is told was never running.
    slow = {path: text.replace("script: |\n", "script: |\n      sleep 1\n") for path, text in BASE.items()}
    told = on_terminal("run", "hello", cwd=project(slow), env={"TERM": "xterm", "COLUMNS": "80"})
    assert "▸ running: greet" in told
    assert "RUNNING" not in told
    assert told.rstrip().endswith("the task is a process of this machine\x1b[0m")


def test_quiet_and_verbose(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    quiet = kfgit("-q", "run", "hello", cwd=root)
    assert (quiet.code, quiet.err) == (0, "")
    assert "SUCCEEDED" in quiet.out
    assert "greet" in kfgit("-v", "run", "hello", cwd=root).err
    assert kfgit("-q", "-v", "run", "hello", cwd=root).code == 64
    assert kfgit("-q", "plan", "-e", "nope", cwd=root).err


def test_a_cluster_that_is_not_there(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**BASE, "environments/prod.yaml": CLUSTER})
    nowhere = {"KUBECONFIG": str(root / "no-such-file")}
    for argv in (("run", "hello"), ("destroy", "--yes"), ("runs", "list"), ("schedules", "list")):
        told = kfgit(*argv, "-e", "prod", cwd=root, env=nowhere)
        assert (told.code, told.out) == (8, "")
        assert "kubeconfig" in told.err
    for word in ("plan", "apply"):
        told = kfgit(word, "-e", "prod", cwd=root, env=nowhere)
        assert (told.code, told.out) == (3, ""), "a cluster gets a commit, and there is none"
        assert "git" in told.err
    for looking in (("validate",), ("render",), ("graph", "hello"), ("compile", "hello")):
        assert kfgit(*looking, "-e", "prod", cwd=root).code == 0


def on_terminal(*argv: str, cwd: Path, env: dict[str, str]) -> str:
    """What a terminal shows of a command, all of it."""
    import pty

    shown = bytearray()

    names = [f"{name}={value}" for name, value in env.items()]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["env", *names, *KFGIT, *argv], cwd=cwd, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    while True:
        try:
            if not (data := os.read(master, 4096)):
                break
        except OSError:  # Linux says so when the last writer has gone
            break
        shown.extend(data)
    os.close(master)
    process.wait()
    return shown.decode().replace("\r\n", "\n")
