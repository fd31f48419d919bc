"""An import is a cost that every command pays, so nothing is imported that a command does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import BASE, MakeProject

_TELL = """
import sys
from kfgit.__main__ import main
sys.argv = ["kfgit", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("\\n".join(sys.modules), file=sys.stderr)
"""
# Of `kfgit up` alone.
_SERVER = {
    "google.protobuf",
    "httptools",
    "prometheus_client",
    "python_multipart",
    "starlette",
    "uvicorn",
    "uvloop",
}
# Of cluster targets alone.
_CLUSTER = {"kubernetes", "urllib3"}
_LIBRARIES = {"git", "jinja2", "jsonschema", "croniter", "yaml", "click", "uv", *_CLUSTER, *_SERVER}


def imported(project: MakeProject, *argv: str) -> set[str]:
    command = [sys.executable, "-c", _TELL, *argv]
    done = subprocess.run(command, cwd=project(BASE), capture_output=True, text=True, check=True)
    return {line for line in done.stderr.splitlines() if line.startswith("kfgit") or line in _LIBRARIES}


def test_version_imports_nothing(project: MakeProject) -> None:
    assert imported(project, "--version") == {"kfgit", "kfgit.__main__"}


@pytest.mark.parametrize("argv", [("--help",), (), ("nothing",)], ids=" ".join)
def test_help_reads_no_files(project: MakeProject, argv: tuple[str, ...]) -> None:
    found = imported(project, *argv)
    assert found & _LIBRARIES <= {"click", *(["yaml"] if argv == ("nothing",) else [])}
    assert not {
        name
        for name in found
        if name.startswith(("kfgit.driver", "kfgit.project", "kfgit.backends", "kfgit.graph"))
    }


@pytest.mark.parametrize(
    "argv", [("validate",), ("render",), ("graph", "hello"), ("compile", "hello")], ids=" ".join
)
def test_looking_needs_no_backend_and_no_git(project: MakeProject, argv: tuple[str, ...]) -> None:
    found = imported(project, *argv)
    assert "git" not in found
    assert not {
        name for name in found if name.startswith(("kfgit.backends", "kfgit.apply", "kfgit.explanations"))
    }
    assert argv != ("validate",) or not {"kfgit.plan", "kfgit.backend", "kfgit.desired"} & found


@pytest.mark.parametrize(
    "argv", [("plan",), ("runs", "list"), ("status",), ("apply",), ("run", "hello")], ids=" ".join
)
def test_git_is_read_without_a_library(project: MakeProject, argv: tuple[str, ...]) -> None:
    found = imported(project, *argv)
    assert not {"git", *_CLUSTER, *_SERVER} & found
    assert "kfgit.backends.local.backend" in found
