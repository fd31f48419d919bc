"""`kfgit render --out`: a file for each document, and none anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import BASE, STAGING, WRONG, Kfgit, MakeProject

OVERLAY = "kind: Pipeline\nmetadata: {name: hello}\nspec: {displayName: In staging}\n"
LOCAL = STAGING.replace("staging", "local")
FILES = {**BASE, "environments/staging.yaml": STAGING, "environments/local.yaml": LOCAL}


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_each_document_of_each_environment_is_a_file(
    kfgit: Kfgit, project: MakeProject, tmp_path: Path
) -> None:
    root = project({**FILES, "environments/staging/hello.yaml": OVERLAY})
    out = tmp_path / "out"
    told = kfgit("render", "--out", str(out), cwd=root)
    assert (told.code, told.err) == (0, "")
    assert told.out == f"{out}/local: 4 documents\n{out}/staging: 4 documents\n"
    written = kfgit("render", "--out", str(out), "-o", "json", cwd=root).json
    assert written["kind"] == "Rendered"
    assert sorted(written["files"]) == [f"{out}/{path}" for path in files(out)]
    for name in ("local", "staging"):
        shown = kfgit("render", "pipeline/hello", "-e", name, cwd=root).out
        assert (out / name / "pipeline" / "hello.yaml").read_text() == shown
    assert "In staging" in (out / "staging" / "pipeline" / "hello.yaml").read_text()


def test_one_environment_and_some_documents(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(FILES)
    assert kfgit("render", "hello", "-e", "staging", "--out", "out", cwd=root).code == 0
    assert files(root / "out") == ["staging/pipeline/hello.yaml"]


def test_without_environments_there_is_this_machine(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(BASE)
    assert kfgit("render", "hello", "--out", "out", cwd=root).code == 0
    assert files(root / "out") == ["local/pipeline/hello.yaml"]


def test_what_is_sound_is_written_and_a_bad_name_is_no_path(kfgit: Kfgit, project: MakeProject) -> None:
    bad = BASE["components/greet.yaml"].replace("name: greet", "name: ../../../owned", 1)
    root = project({**FILES, "components/bad.yaml": bad, "pipelines/wrong.yaml": WRONG})
    told = kfgit("render", "--out", "a/b", cwd=root)
    assert told.code == 1
    assert "unknown-component" in told.err
    assert list(root.parent.rglob("*owned*")) == []
    assert "local/pipeline/hello.yaml" in files(root / "a" / "b")


@pytest.mark.parametrize("link", ["out", "out/local", "out/local/pipeline", "out/local/pipeline/hello.yaml"])
def test_nothing_is_written_through_a_link_of_the_repository(
    kfgit: Kfgit, project: MakeProject, tmp_path: Path, link: str
) -> None:
    root, outside = project(BASE), tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside / "file" if link.endswith(".yaml") else outside)
    told = kfgit("render", "hello", "--out", "out", cwd=root)
    assert (told.code, told.out) == (3, "")
    assert f"{link} is a link, and nothing is written through it" in told.err
    assert files(outside) == ["file"]
    assert (outside / "file").read_text() == "mine"


def test_a_folder_elsewhere_may_be_a_link(kfgit: Kfgit, project: MakeProject, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert kfgit("render", "hello", "--out", str(tmp_path / "link"), cwd=project(BASE)).code == 0
    assert files(tmp_path / "real") == ["local/pipeline/hello.yaml"]
