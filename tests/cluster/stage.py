"""A kfgit that asks a real Kubernetes API server as whoever a test says, and KFP's side beside it, shared by tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import User
from tests.cluster.forks import Forks, Told
from tests.e2e.door import Project
from tests.serving import Server, serving

DEPLOY = Path(__file__).parents[2] / "deploy"
# What `deploy/` recommends: for the namespace, for the cluster as a whole, for a KFP behind the API server.
ROLE = "base/rbac.yaml"
CLUSTER_ROLE = "components/priority-classes/rbac.yaml"
PROXY_ROLE = "kfp-proxy/rbac.yaml"
# What profiles bring: in the namespace, and of the cluster as a whole.
KEPT_ROLES = tuple(f"components/{name}/role.yaml" for name in ("kueue", "quotas", "devices"))
KEPT_CLUSTER_ROLES = (CLUSTER_ROLE, *(f"components/{name}/clusterrole.yaml" for name in ("kueue", "devices")))

PLAN = ("plan", "-e", "prod")
APPLY = ("apply", "-e", "prod", "--yes")

Rules = list[Mapping[str, Any]]

_NAMES = re.compile(r"(?<=: )(train|serve|nightly|hourly|course|first)(?=[,}])")
_AUTH = "{type: bearer, tokenFile: TOKEN}"


def rules(path: str) -> Rules:
    """What a role of ours allows."""
    documents = yaml.safe_load_all((DEPLOY / path).read_text())
    (role,) = (each for each in documents if each["kind"] in {"Role", "ClusterRole"})
    found: Rules = role["rules"]
    return found


def single(path: str) -> list[tuple[str, str, str]]:
    """Group, resource and verb of everything that a role allows."""
    return [
        (group, resource, verb)
        for rule in rules(path)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


@dataclass(frozen=True, slots=True)
class Stage:
    """Each namespace has a repository of its own. Its names are its own too, since KFP's server is everybody's."""

    kfp: Server
    forks: Forks
    folder: Path

    def commit(self, namespace: str, files: Mapping[str, str], kfp: str | None = None) -> None:
        """Makes these documents of `scenarios` all that the repository has. `kfp` says where it is."""
        folder = self.folder / namespace
        folder.mkdir(exist_ok=True)
        git(folder, "init", "-q", "-b", "main")
        for old in [path for path in folder.rglob("*.yaml") if ".git" not in path.parts]:
            old.unlink()
        for path, text in files.items():
            text_here = text.replace("endpoint: ENDPOINT", kfp or f'endpoint: "{self.kfp.url}"')
            text_here = text_here.replace(_AUTH, "{type: none}").replace("STAND", namespace)
            own = namespace.rpartition("-")[2]
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(_NAMES.sub(rf"\1-{own}", text_here))
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", "change")

    def run(self, user: User, namespace: str, *commands: Sequence[str]) -> list[Told]:
        """What commands say, up to the first that fails."""
        user.kubeconfig(self.folder / "kubeconfig", namespace)
        return self.forks.run(self.folder / namespace, *commands)


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage, gone afterwards."""
    variables = {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
    with (
        serving(Project.new(folder / "kfp"), "--no-engine", "--no-scheduler") as kfp,
        Forks(variables) as forks,
    ):
        yield Stage(kfp, forks, folder)


def git(folder: Path, *words: str) -> None:
    """Git, as somebody."""
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
