"""What docs/profiles.md tells of L4s and A100s happens: its documents are written, and its commands typed.

Two clusters of its own, since queues and flavors are no namespace's: Kueue of today in staging, an older one in prod.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster import kueue
from tests.cluster.cluster import Cluster, joined
from tests.cluster.test_doctor_nodes import gpu_node, nodes
from tests.docs.markdown import ROOT, Fence, fences
from tests.docs.test_transcripts import Step, steps
from tests.e2e.door import Project
from tests.serving import serving

PAGE = ROOT / "docs" / "profiles.md"
SECTION = "From L4 to A100, step by step"
SERVED = {"staging": (kueue.NEW, kueue.OLD), "prod": (kueue.OLD,)}
NODES = (
    ("pool-l4-0", 4, "NVIDIA-L4"),
    ("pool-l4-1", 4, "NVIDIA-L4"),
    ("pool-a100-0", 4, "NVIDIA-A100-SXM4-80GB"),
)
CLUSTER_QUEUE = "/apis/kueue.x-k8s.io/v1beta1/clusterqueues/gpu"


@dataclass(frozen=True, slots=True)
class Stand:
    """A clone of the team's repository, both clusters, and what is shown for what is real."""

    folder: Path
    variables: Mapping[str, str]
    clusters: Mapping[str, Cluster]
    shown: Mapping[str, str]

    def write(self, fence: Fence) -> None:
        """A document of the page, with the addresses of the tests."""
        name = re.match(r"# file: (\S+)\n", fence.text)
        assert name is not None, fence.place
        text = fence.text
        for real, told in self.shown.items():
            text = text.replace(told, real)
        (self.folder / name[1]).parent.mkdir(exist_ok=True)
        (self.folder / name[1]).write_text(text)

    def type(self, command: str) -> str:
        """What a command says."""
        if command.startswith("kubectl "):
            return self._kubectl(command)
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.variables, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        # On a terminal the line of a task that runs is written over when it has ended.
        output = re.sub(r"^ +▸ .* RUNNING\n", "", done.stdout, flags=re.MULTILINE)
        for real, told in self.shown.items():
            output = output.replace(real, told)
        return output

    def _kubectl(self, command: str) -> str:
        """The one thing that is done past kfgit, sent as kubectl sends it."""
        _, _, context, *words, body = shlex.split(command)
        assert words == ["patch", "clusterqueue", "gpu", "--type", "json", "-p"]
        admin, kind = self.clusters[context].admin, "application/json-patch+json"
        told = admin.ask("PATCH", CLUSTER_QUEUE, json.loads(body), kind=kind, fieldManager="kubectl-patch")
        assert told.is_success, told.text
        return "clusterqueue.kueue.x-k8s.io/gpu patched\n"


@contextmanager
def stand(programs: Path, folder: Path) -> Iterator[Stand]:
    """Two clusters with a namespace `ml`, KFP beside each, and a repository with a remote and without a commit."""
    with ExitStack() as stack:
        clusters = {name: stack.enter_context(joined(folder / name, programs)) for name in SERVED}
        shown: dict[str, str] = {}
        for name, cluster in clusters.items():
            kueue.install(cluster.admin, *SERVED[name])
            made = [
                gpu_node(node, count, **{"nvidia.com/gpu.product": model}) for node, count, model in NODES
            ]
            stack.enter_context(nodes(cluster, *made))
            cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": "ml"}})
            kfp = stack.enter_context(serving(Project.new(folder / f"kfp-{name}"), "--no-scheduler"))
            shown |= {
                kfp.url: f"https://kfp.{name}.example.com",
                cluster.url: f"https://{name}.example.com:6443",
            }
        variables = _variables(folder, _kubeconfig(folder, clusters))
        for words in (
            "init -q --bare bare.git",
            "init -q -b main team",
            "-C team remote add origin ../bare.git",
        ):
            subprocess.run(["git", *words.split()], cwd=folder, env=variables, check=True)
        (folder / "team" / ".gitignore").write_text(".kfgit/\n")
        yield Stand(folder / "team", variables, clusters, shown)


def _variables(folder: Path, kubeconfig: Path) -> Mapping[str, str]:
    bin_ = folder / "bin"
    bin_.mkdir()
    (bin_ / "kfgit").write_text(f'#!/bin/sh\nexec {sys.executable} -m kfgit "$@"\n')
    (bin_ / "kfgit").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KFGIT_", "GIT_"))}
    who = {f"GIT_{role}_{key}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    return {
        **kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "PATH": f"{bin_}:{kept['PATH']}", "TZ": "UTC", "NO_COLOR": "1",
        "COLUMNS": "140", "PYTHONUNBUFFERED": "1", "KUBECONFIG": str(kubeconfig), "KFGIT_CACHE": str(folder / "cache"),
    }  # fmt: skip


def _kubeconfig(folder: Path, clusters: Mapping[str, Cluster]) -> Path:
    """One with a context for each cluster."""
    parts: dict[str, list[object]] = {"clusters": [], "users": [], "contexts": []}
    for name, cluster in clusters.items():
        one = yaml.safe_load(cluster.admin.kubeconfig(folder / f"kubeconfig-{name}", "ml").read_text())
        parts["clusters"].append({**one["clusters"][0], "name": name})
        parts["users"].append({**one["users"][0], "name": name})
        context = {"cluster": name, "user": name, "namespace": "ml"}
        parts["contexts"].append({"name": name, "context": context})
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **parts}))
    path.chmod(0o600)
    return path


def test_it_happens_as_it_is_shown(programs: Path, tmp_path: Path, *, accept: bool) -> None:
    page, wrong = PAGE.read_text(), []
    with stand(programs, tmp_path) as found:
        for fence in (each for each in fences(PAGE) if each.section == SECTION):
            if fence.language == "yaml":
                found.write(fence)
            if fence.language != "console":
                continue
            told = ""
            for step in steps(fence):
                output = found.type(step.command)
                if not _is_like(step.output, output):
                    wrong.append(f"$ {step.command}\n{output}")
                told += f"$ {step.command}\n{_shortened(output, step)}"
            page = page.replace(f"```console\n{fence.text}```", f"```console\n{told}```")
        _as_the_text_says(found)
    assert accept or not wrong, "write it anew: pytest tests/cluster/test_remap.py --accept\n" + "\n".join(
        wrong
    )
    if wrong:
        PAGE.write_text(page)


def _as_the_text_says(found: Stand) -> None:
    """What is live in the end, asked past kfgit."""
    flavors = {}
    for name, cluster in found.clusters.items():
        queue = cluster.admin.get(CLUSTER_QUEUE)["spec"]
        assert queue["namespaceSelector"] == {}
        flavors[name] = {each["name"] for each in queue["resourceGroups"][0]["flavors"]}
        kept = cluster.admin.get("/apis/kueue.x-k8s.io/v1beta1/resourceflavors")["items"]
        assert {each["metadata"]["name"] for each in kept} == flavors[name]
    assert flavors == {"staging": {"a100"}, "prod": {"a100", "l4"}}


def _shortened(output: str, shown: Step) -> str:
    """An output with what the page leaves out left out: as many lines before and after the ellipsis as it has."""
    lines, told = output.splitlines(keepends=True), shown.output.splitlines()
    if "…" not in told:
        return output
    at = told.index("…")
    return "".join([*lines[:at], "…\n", *lines[len(lines) - (len(told) - at - 1) :]])


# What is another each time: how long something took and so what it cost, ids, commits, dates, requests.
_VARYING = re.compile(
    r"\b(?=[a-f]*\d)[0-9a-f]{8,12}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?\b|\w{3} \d{4}-\d\d-\d\d|\d+ API requests"
    r"|\b\d+(?:\.\d+)?s\b|\b\d+\.\d+`? USD(?! per)"
)


def _is_like(shown: str, output: str) -> bool:
    """Whether an output is as it is shown, where `…` on a line of its own stands for any lines."""
    before, left_out, after = _masked(shown).partition("…\n")
    found = _masked(output)
    return found.startswith(before) and found.endswith(after) if left_out else found == before


def _masked(text: str) -> str:
    """A text without what varies; what is done side by side ends in any order."""
    done = re.compile(r"(?:^  ✔ .*\n)+", re.MULTILINE)
    ordered = done.sub(lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text)
    return _VARYING.sub("*", ordered)
