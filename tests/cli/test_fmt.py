"""`kfgit fmt`: which files it touches, what it says, and how it ends."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kfgit.cli import exits
from kfgit.project import rewrite
from tests.cli.conftest import KFGIT, Kfgit, MakeProject

UNTIDY = "kind:  Pipeline # p\napiVersion: kfgit.dev/v1\nmetadata: {name: p}\nspec:\n    tasks: {}\n"
TIDY = "apiVersion: kfgit.dev/v1\nkind: Pipeline  # p\nmetadata: {name: p}\nspec:\n  tasks: {}\n"
BROKEN = "apiVersion: kfgit.dev/v1\nkind: Pipeline\nspec: [\n"
FOREIGN = "name:   v1\nimplementation: {container: {image:   x}}\n"


def text(path: Path) -> str:
    return path.read_bytes().decode()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_sources_are_formatted_and_named(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/p.yaml": UNTIDY, "components/v1.yaml": FOREIGN, "pipelines/t.yaml.j2": UNTIDY})
    found = kfgit("fmt", cwd=root)
    assert found.code == exits.DONE
    assert found.out == "pipelines/p.yaml\n"
    assert "1 file formatted, 2 files already in form" in found.err
    assert text(root / "pipelines/p.yaml") == TIDY
    assert text(root / "components/v1.yaml") == FOREIGN
    assert text(root / "pipelines/t.yaml.j2") == UNTIDY
    again = kfgit("fmt", cwd=root / "pipelines")
    assert (again.code, again.out) == (exits.DONE, "")


def test_a_file_in_form_is_not_written(kfgit: Kfgit, project: MakeProject) -> None:
    path = project({"pipelines/p.yaml": TIDY}) / "pipelines/p.yaml"
    before = path.stat()
    kfgit("fmt", cwd=path.parent)
    assert path.stat() == before


def test_check_writes_nothing(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/p.yaml": UNTIDY})
    found = kfgit("fmt", "--check", cwd=root)
    assert (found.code, found.out) == (exits.INVALID, "pipelines/p.yaml\n")
    assert "1 file would be formatted" in found.err
    assert text(root / "pipelines/p.yaml") == UNTIDY
    kfgit("fmt", cwd=root)
    assert kfgit("fmt", "--check", cwd=root).code == exits.DONE


def test_diff_shows_what_would_change(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/p.yaml": UNTIDY})
    found = kfgit("fmt", "--diff", cwd=root)
    assert found.code == exits.INVALID
    assert "--- a/pipelines/p.yaml\n+++ b/pipelines/p.yaml\n" in found.out
    assert "+kind: Pipeline  # p\n" in found.out
    assert text(root / "pipelines/p.yaml") == UNTIDY


def test_a_broken_file_is_told_and_the_others_are_formatted(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/a.yaml": BROKEN, "pipelines/p.yaml": UNTIDY})
    found = kfgit("fmt", cwd=root)
    assert found.code == exits.INVALID
    assert "error[yaml-syntax]" in found.err
    assert "pipelines/a.yaml:" in found.err
    assert text(root / "pipelines/a.yaml") == BROKEN
    assert text(root / "pipelines/p.yaml") == TIDY


def test_paths_narrow_it(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/p.yaml": UNTIDY, "components/c.yaml": UNTIDY, "other/o.yaml": UNTIDY})
    assert kfgit("fmt", "components", cwd=root).out == "components/c.yaml\n"
    assert kfgit("fmt", ".", cwd=root / "other").out == ""
    assert kfgit("fmt", "other/o.yaml", cwd=root).out == "other/o.yaml\n"
    assert kfgit("fmt", "p.yaml", cwd=root / "pipelines").out == "p.yaml\n"
    assert text(root / "other/o.yaml") == TIDY


def test_nothing_outside_is_touched(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(UNTIDY)
    root = project({})
    (root / "pipelines").mkdir()
    (root / "pipelines/link.yaml").symlink_to(outside)
    assert kfgit("fmt", str(outside), cwd=root).code == exits.USAGE
    assert kfgit("fmt", "nowhere.yaml", cwd=root).code == exits.USAGE
    assert kfgit("fmt", cwd=root).code == exits.INVALID
    assert kfgit("fmt", cwd=tmp_path).code == exits.USAGE
    assert text(outside) == UNTIDY


def test_links_and_modes_stay(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({"pipelines/p.yaml": UNTIDY})
    path = root / "pipelines/p.yaml"
    path.chmod(0o640)
    (root / "pipelines/a.yaml").symlink_to("p.yaml")
    found = kfgit("fmt", cwd=root)
    assert found.out == "pipelines/a.yaml\n"
    assert text(path) == TIDY
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (root / "pipelines/a.yaml").is_symlink()
    assert names(root / "pipelines") == ["a.yaml", "p.yaml"]


def test_json_has_every_file(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(
        {"pipelines/a.yaml": BROKEN, "pipelines/p.yaml": UNTIDY, "components/v1.yaml": FOREIGN,
         "pipelines/left.yaml": f"%YAML 1.2\n---\n{UNTIDY}"}
    )  # fmt: skip
    found = kfgit("fmt", "-o", "json", cwd=root)
    assert found.code == exits.INVALID
    assert found.json["kind"] == "Format"
    assert {entry["file"]: entry["state"] for entry in found.json["files"]} == {
        "kfgit.yaml": "unchanged",
        "components/v1.yaml": "foreign",
        "environments/local.yaml": "unchanged",
        "pipelines/a.yaml": "invalid",
        "pipelines/left.yaml": "left",
        "pipelines/p.yaml": "formatted",
    }
    assert [told["code"] for told in found.json["diagnostics"]] == ["yaml-syntax"]
    assert found.json["summary"]["formatted"] == 1
    pending = kfgit("fmt", "--check", "-o", "json", "pipelines/left.yaml", cwd=root).json
    assert pending["files"][0]["reason"]


@pytest.mark.parametrize(
    ("given", "flags", "code", "out"),
    [
        (UNTIDY, (), exits.DONE, TIDY),
        (TIDY, (), exits.DONE, TIDY),
        (FOREIGN, (), exits.DONE, FOREIGN),
        (BROKEN, (), exits.INVALID, ""),
        (UNTIDY, ("--check",), exits.INVALID, ""),
        (TIDY, ("--check",), exits.DONE, ""),
        (UNTIDY, ("-o", "json"), exits.USAGE, None),
        (UNTIDY, ("more.yaml",), exits.USAGE, None),
    ],
)
def test_standard_input(
    kfgit: Kfgit,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    flags: tuple[str, ...],
    code: int,
    out: str | None,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    found = kfgit("fmt", "-", *flags)
    assert found.code == code
    if out is not None:
        assert found.out == out


def test_new_projects_are_in_form(kfgit: Kfgit, tmp_path: Path) -> None:
    for template in ("minimal", "examples"):
        kfgit("init", template, "--template", template)
        assert kfgit("fmt", "--check", cwd=tmp_path / template).code == exits.DONE


def test_what_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"new")
    assert not rewrite(tmp_path, "x.yaml", b"old", b"form")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["x.yaml"]
    assert rewrite(tmp_path, "x.yaml", b"new", b"form")
    assert path.read_bytes() == b"form"
    assert names(tmp_path) == ["x.yaml"]


def test_what_cannot_be_written_stays(project: MakeProject) -> None:
    root = project({"pipelines/p.yaml": UNTIDY})
    full_disk = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *KFGIT, "fmt"]
    found = subprocess.run(full_disk, cwd=root, capture_output=True, text=True, check=False)
    assert found.returncode == exits.MACHINE
    assert "pipelines/p.yaml is left as it is: it cannot be written" in found.stderr
    assert text(root / "pipelines/p.yaml") == UNTIDY
    assert names(root / "pipelines") == ["p.yaml"]
