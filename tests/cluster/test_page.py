"""What docs/cluster.md shows happens: its documents are written, and its commands typed before real servers.

Only addresses and the namespace are others than are shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import by_hand
from tests.cluster.cluster import Cluster
from tests.docs.markdown import ROOT, Fence, fences
from tests.docs.test_transcripts import Step, pattern, steps
from tests.e2e.door import Project
from tests.serving import Server, serving

PAGE = ROOT / "docs" / "cluster.md"
# The section that begins with what others have made.
TAKEN_OVER = "Objects that are there already"
TOKEN = "a-token-of-the-docs-1234567890"


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder to type in, the variables there, and what is shown for what is real."""

    folder: Path
    variables: Mapping[str, str]
    shown: Mapping[str, str]

    def write(self, fence: Fence) -> None:
        """A document of the page, with the addresses of the tests."""
        name = re.match(r"# file: (\S+)\n", fence.text)
        if name is None:
            return
        text = fence.text
        for real, told in self.shown.items():
            text = text.replace(told, real)
        (self.folder / name[1]).parent.mkdir(exist_ok=True)
        (self.folder / name[1]).write_text(text)

    def type(self, step: Step) -> None:
        """A command, whose output must be like the one that is shown."""
        done = subprocess.run(
            step.command, shell=True, cwd=self.folder, env=self.variables, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output = done.stdout
        for real, told in self.shown.items():
            output = output.replace(real, told)
        assert re.fullmatch(_pattern(step.output), output), f"$ {step.command}\n{output}"
        assert done.returncode == 0, step.command


@contextmanager
def shell(cluster: Cluster, tmp_path: Path, *options: str) -> Iterator[tuple[Shell, Server]]:
    """A repository without a commit, before a Kubernetes API server and a KFP server with nothing on them."""
    namespace = cluster.namespace()
    kubeconfig = cluster.admin.kubeconfig(tmp_path / "kubeconfig", namespace)
    text = kubeconfig.read_text()
    kubeconfig.write_text(text.replace("tests", "prod").replace("of-the-prod", "of-the-tests"))
    folder, bin_ = tmp_path / "team", tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "kfgit").write_text(f'#!/bin/sh\nexec {sys.executable} -m kfgit "$@"\n')
    (bin_ / "kfgit").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KFGIT_", "GIT_"))}
    who = {f"GIT_{role}_{key}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    variables = {
        **kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "PATH": f"{bin_}:{kept['PATH']}", "TZ": "UTC", "NO_COLOR": "1",
        "COLUMNS": "140", "PYTHONUNBUFFERED": "1", "KUBECONFIG": str(kubeconfig), "KFP_TOKEN": TOKEN,
        "KFGIT_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip
    with serving(Project.new(tmp_path / "kfp"), "--no-engine", "--no-scheduler", *options) as server:
        shown = {
            server.url: "https://kfp.example.com",
            cluster.url: "https://10.0.0.1:6443",
            namespace: "ml-prod",
        }
        folder.mkdir()
        subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, env=variables, check=True)
        yield Shell(folder, variables, shown), server


def test_it_happens_as_it_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    commands = 0
    with shell(cluster, tmp_path, "--token-file", str(token)) as (typed, _):
        for fence in (each for each in fences(PAGE) if each.section != TAKEN_OVER):
            if fence.language == "yaml":
                typed.write(fence)
            for step in steps(fence) if fence.language == "console" else ():
                typed.type(step)
                commands += 1
    assert commands > 10


def test_what_is_there_already_is_taken_over_as_it_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    with shell(cluster, tmp_path) as (typed, server):
        kfp = by_hand.Server(server.url)
        pipeline = kfp.pipeline("churn", by_hand.ir("churn"))["pipeline_id"]
        [version] = kfp.versions(pipeline).values()
        kfp.schedule("nightly", pipeline, version, experiment_id=kfp.experiment("Growth Team"))
        shown = [each for each in fences(PAGE) if each.section == TAKEN_OVER and each.language == "console"]
        for fence in fences(PAGE):
            if fence.text.startswith(("# file: kfgit.yaml", "# file: environments/prod.yaml")):
                typed.write(fence)
        found = [step for fence in shown for step in steps(fence)]
        for step in found:
            typed.type(step)
    assert len(found) > 3


def _pattern(output: str) -> str:
    """As in the other pages; commits are shown with ten digits here, and a log line begins with its time."""
    found = re.sub(r"\\? [0-9a-f]{10}\b", " [0-9a-f]{10}", pattern(output))
    found = re.sub(r"\\? \[0-9a-f\]\{10\}", r"\\ [0-9a-f]{10}", found)
    found = re.sub(r"\(\d+\\ API", r"(\\d+\\ API", found)
    return re.sub(r"2026\\-\d\d\\-\d\d\\ \d\d:\d\d:\d\dZ", r"[0-9-]{10}\\ [0-9:]{8}Z", found)
