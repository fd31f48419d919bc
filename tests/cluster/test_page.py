"""What docs/cluster.md shows happens: its documents are written, and its commands typed before real servers.

Only addresses and the namespace are others than are shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.docs.markdown import ROOT, fences
from tests.docs.test_transcripts import pattern, steps
from tests.e2e.door import Project
from tests.serving import serving

PAGE = ROOT / "docs" / "cluster.md"
TOKEN = "a-token-of-the-docs-1234567890"


@pytest.fixture
def shell(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Path, Mapping[str, str], Mapping[str, str]]]:
    """The folder to type in, the variables there, and what is shown for what is real."""
    namespace = cluster.namespace()
    kubeconfig = cluster.admin.kubeconfig(tmp_path / "kubeconfig", namespace)
    kubeconfig.write_text(
        kubeconfig.read_text().replace("tests", "prod").replace(f"of-the-prod", "of-the-tests")
    )
    token, bin_ = tmp_path / "token", tmp_path / "bin"
    token.write_text(TOKEN)
    token.chmod(0o600)
    bin_.mkdir()
    (bin_ / "kfgit").write_text(f'#!/bin/sh\nexec {sys.executable} -m kfgit "$@"\n')
    (bin_ / "kfgit").chmod(0o755)
    with serving(
        Project.new(tmp_path / "kfp"), "--no-engine", "--no-scheduler", "--token-file", str(token)
    ) as server:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KFGIT_", "GIT_"))}
        who = {f"GIT_{role}_{key}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        variables = {
            **kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "PATH": f"{bin_}:{kept['PATH']}", "TZ": "UTC", "NO_COLOR": "1",
            "COLUMNS": "140", "PYTHONUNBUFFERED": "1", "KUBECONFIG": str(kubeconfig), "KFP_TOKEN": TOKEN,
            "KFGIT_CACHE": str(tmp_path / "cache"),
        }  # fmt: skip
        shown = {
            server.url: "https://kfp.example.com",
            cluster.url: "https://10.0.0.1:6443",
            namespace: "ml-prod",
        }
        (tmp_path / "team").mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=tmp_path / "team", env=variables, check=True)
        yield tmp_path / "team", variables, shown


def test_it_happens_as_it_is_shown(shell: tuple[Path, Mapping[str, str], Mapping[str, str]]) -> None:
    folder, variables, shown = shell
    commands = 0
    for fence in fences(PAGE):
        if fence.language == "yaml" and (name := re.match(r"# file: (\S+)\n", fence.text)):
            text = fence.text
            for real, told in shown.items():
                text = text.replace(told, real)
            (folder / name[1]).parent.mkdir(exist_ok=True)
            (folder / name[1]).write_text(text)
        for step in steps(fence) if fence.language == "console" else ():
            done = subprocess.run(
                step.command, shell=True, cwd=folder, env=variables, text=True, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            output = done.stdout
            for real, told in shown.items():
                output = output.replace(real, told)
            assert re.fullmatch(_pattern(step.output), output), f"$ {step.command}\n{output}"
            assert done.returncode == 0, step.command
            commands += 1
    assert commands > 10


def _pattern(output: str) -> str:
    """As in the other pages; commits are shown with ten digits here, and a log line begins with its time."""
    found = re.sub(r"\\? [0-9a-f]{10}\b", " [0-9a-f]{10}", pattern(output))
    found = re.sub(r"\\? \[0-9a-f\]\{10\}", r"\\ [0-9a-f]{10}", found)
    return re.sub(r"2026\\-\d\d\\-\d\d\\ \d\d:\d\d:\d\dZ", r"[0-9-]{10}\\ [0-9:]{8}Z", found)
