"""`deploy/` as kustomize builds it: with kubectl or kustomize of this machine, else with one that Go installs once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests import apart

DEPLOY = apart.ROOT / "deploy"
# The newest that Go 1.26 builds.
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
WORKLOADS = ("base", "cronjob")
COMPONENTS = (
    "devices", "git-password", "git-ssh", "kueue", "multi-user", "network-policy", "nodes", "priority-classes",
    "quotas",
)  # fmt: skip


@cache
def tool() -> tuple[str, ...]:
    """The command that builds a folder. Raises Unavailable."""
    if found := shutil.which("kustomize"):
        return (found, "build")
    if found := shutil.which("kubectl"):
        return (found, "kustomize")
    go = shutil.which("go")
    if go is None:
        raise apart.Unavailable("there is neither kustomize nor kubectl, and no Go to build one")
    with apart.folder("kustomize", KUSTOMIZE) as made:
        program = made / "kustomize"
        if not program.exists():
            apart.run("env", f"GOBIN={made}", "GOFLAGS=-buildvcs=false", go, "install", KUSTOMIZE)
    return (str(program), "build")


def build(folder: Path) -> list[dict[str, Any]]:
    """The manifests of a folder."""
    done = subprocess.run([*tool(), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def overlay(folder: Path, workload: str, components: Sequence[str], namespace: str) -> list[dict[str, Any]]:
    """A workload with some components, as somebody's own kustomization would have them."""
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(os.path.relpath(DEPLOY.resolve(), folder.resolve()))
    own = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [str(root / workload)],
        "components": [str(root / "components" / name) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(own))
    return build(folder)


def pods(manifests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods that the manifests would make."""
    found = []
    for each in manifests:
        match each["kind"]:
            case "Deployment":
                found.append(each["spec"]["template"])
            case "CronJob":
                found.append(each["spec"]["jobTemplate"]["spec"]["template"])
            case _:
                pass
    return found
