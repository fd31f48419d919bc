"""Whatever is thrown at the door, it answers with the right code and never with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import BASE, HELLO, KFGIT, STAGING, WRONG, Kfgit, MakeProject


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "---\n---\n",
        "[",
        "a: b: c",
        "\t",
        "apiVersion: kfgit.dev/v1\nkind: Project\n",
        "- 1",
        "{}",
        "kind: 3\n",
        "\x00",
        "&a [*a]",
    ],
)
@pytest.mark.parametrize(
    "argv",
    [("validate",), ("plan",), ("render",), ("status",), ("run", "hello"), ("runs", "list"), ("doctor",)],
    ids=" ".join,
)
def test_a_broken_project_file(
    kfgit: Kfgit, project: MakeProject, content: str, argv: tuple[str, ...]
) -> None:
    told = kfgit(*argv, cwd=project({**BASE, "kfgit.yaml": content}))
    assert told.code in {0, 1, 7}
    assert told.code or argv[0] != "validate"


def test_what_is_no_file(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    (root / "pipelines" / "folder.yaml").mkdir()
    os.mkfifo(root / "pipelines" / "pipe.yaml")
    (root / "pipelines" / "dangling.yaml").symlink_to("nowhere")
    (root / "pipelines" / "outside.yaml").symlink_to("/etc/passwd")
    (root / "pipelines" / "latin.yaml").write_bytes(b"kind: \xff\xfe")
    told = kfgit("validate", cwd=root)
    assert told.code == 1
    for name in ("pipe.yaml", "dangling.yaml", "outside.yaml", "latin.yaml"):
        assert name in told.out


def test_names_of_files_that_are_no_text(process: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    (root / "pipelines" / os.fsdecode(b"caf\xe9.yaml")).write_text("kind: [", encoding="utf-8")
    for output in ("human", "sarif"):
        told = process("validate", "-o", output, cwd=root, env={"PYTHONIOENCODING": "utf-8"})
        assert told.code == 1
        assert "caf" in told.out
    assert (
        process("validate", "-o", "json", cwd=root).json["diagnostics"][0]["file"].startswith("pipelines/caf")
    )
    assert process("validate", cwd=root, env={"PYTHONIOENCODING": "ascii"}).code == 1


@pytest.mark.parametrize(
    "weird",
    ["\udcff\udcfe", "a\x1b[31mb", "\u202e", "-", "--", "", "/", "../..", "pipeline/", "run/", "x" * 5000],
)
def test_weird_arguments(kfgit: Kfgit, project: MakeProject, weird: str) -> None:
    for argv in (("run", weird), ("graph", weird), ("runs", "show", weird), ("artifacts", "show", weird)):
        told = kfgit(*argv, cwd=project(BASE))
        assert (told.code, told.out) == (64, "")
        assert "\x1b" not in told.err


def test_bytes_that_are_no_text(process: Kfgit, project: MakeProject) -> None:
    told = process("run", b"\xff\xfe", b"-p", b"name=\xff", cwd=project(BASE))
    assert (told.code, told.out) == (64, "")
    assert "\\udcff" in told.err


@pytest.mark.parametrize("weird", ["\udcff", "\x1b[31m", "", " ", "../..", "a/b", "-", "LOCAL"])
@pytest.mark.parametrize("argv", [("plan",), ("validate",), ("runs", "list"), ("destroy",)], ids=" ".join)
def test_nonsense_for_an_environment(
    kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...], weird: str
) -> None:
    told = kfgit(*argv, "-e", weird, cwd=project(BASE))
    assert (told.code, told.out) == (64, "")
    assert "\x1b" not in told.err


@pytest.mark.parametrize("name", ["secrets", "configmaps"])
def test_an_environment_cannot_have_the_name_of_our_folders(
    kfgit: Kfgit, project: MakeProject, name: str
) -> None:
    root = project({**BASE, f"environments/{name}.yaml": STAGING.replace("staging", name)})
    for argv in (("apply",), ("run", "hello"), ("runs", "list"), ("status",)):
        told = kfgit(*argv, "-e", name, cwd=root)
        assert told.code == 64
        assert "rename" in told.err
    assert not (root / ".kfgit").exists()


def test_an_environment_whose_name_is_a_path_writes_nowhere(
    kfgit: Kfgit, project: MakeProject, tmp_path: Path
) -> None:
    root = project({**BASE, "environments/x.yaml": STAGING.replace("staging", "../../out")})
    assert kfgit("runs", "list", "-e", "../../out", cwd=root).code in {1, 64}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


@pytest.mark.parametrize(
    "argv",
    [
        ("plan",),
        ("apply",),
        ("run", "hello"),
        ("status",),
        ("runs", "list"),
        ("artifacts", "list"),
        ("destroy", "-e", "local"),
    ],
    ids=" ".join,
)
def test_a_corrupt_state_file(kfgit: Kfgit, project: MakeProject, argv: tuple[str, ...]) -> None:
    root = project(BASE)
    (root / ".kfgit" / "local").mkdir(parents=True)
    (root / ".kfgit" / "local" / "state.db").write_bytes(b"not a database at all" * 100)
    told = kfgit(*argv, cwd=root)
    assert (told.code, told.out) == (8, "")
    assert "state.db" in told.err
    assert "move it away" in told.err


def test_state_that_cannot_be_written(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    (root / ".kfgit").write_text("a file where a folder should be", encoding="utf-8")
    for argv in (("plan",), ("run", "hello"), ("runs", "list")):
        told = kfgit(*argv, cwd=root)
        assert (told.code, told.out) == (8, "")
        assert ".kfgit" in told.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    root.chmod(0o555)
    try:
        assert kfgit("validate", cwd=root).code == 0
        assert kfgit("plan", cwd=root).code == 8
    finally:
        root.chmod(0o755)


@pytest.mark.parametrize(
    "argv",
    [("validate", "-o", "json"), ("schema",), ("render",), ("run", "hello"), ("--help",)],
    ids=" ".join,
)
def test_a_reader_that_goes_away(project: MakeProject, argv: tuple[str, ...]) -> None:
    script = '"$@" | true; exit "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *KFGIT, *argv], cwd=project(BASE), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr
    assert b"Exception" not in done.stderr


def test_the_code_is_right_though_nobody_reads(project: MakeProject) -> None:
    script = '"$@" 2>&1 | true; exit "${PIPESTATUS[0]}"'
    root = project({**BASE, "pipelines/wrong.yaml": WRONG})
    done = subprocess.run(["bash", "-c", script, "bash", *KFGIT, "validate"], cwd=root, check=False)
    assert done.returncode == 1


def test_closed_streams_and_a_full_disk(project: MakeProject) -> None:
    root = project(BASE)
    assert (
        subprocess.run(
            ["bash", "-c", '"$@" >&- 2>&-', "bash", *KFGIT, "validate"], cwd=root, check=False
        ).returncode
        == 0
    )
    full = subprocess.run(
        ["bash", "-c", '"$@" >/dev/full', "bash", *KFGIT, "validate"],
        cwd=root,
        check=False,
        capture_output=True,
    )
    assert full.returncode == 8
    assert full.stderr == b"kfgit: no space left on device\n"


def test_a_mistake_of_our_own_is_told_without_a_traceback(project: MakeProject) -> None:
    root = project({**BASE, "pipelines/hello.yaml": HELLO})
    script = (
        "import sys; from kfgit import project; project.find_root = None; "
        "from kfgit.cli import run; sys.exit(run(['validate']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (8, "")
    assert "a mistake in kfgit itself: TypeError" in done.stderr
    assert "Traceback" not in done.stderr
