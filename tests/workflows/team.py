"""A team with a repository on GitHub and two environments on clusters: what its people do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.cluster import Cluster
from tests.cluster.stage import ROLE, rules
from tests.e2e.door import Project, command_line
from tests.serving import Server, serving
from tests.workflows.events import Run
from tests.workflows.hub import Hub, hub
from tests.workflows.uses import branches, git

ENVIRONMENTS = ("staging", "prod")
# Who only plans reads the inventory, and nothing else.
READING = [
    {"apiGroups": [""], "resources": ["configmaps", "namespaces"], "verbs": ["get", "list"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
]
_WHO = ("-c", "user.name=mona", "-c", "user.email=mona@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True, slots=True)
class Site:
    """An environment's cluster: a namespace of Kubernetes, and KFP behind a token."""

    name: str
    namespace: str
    server: Server
    token: str

    def kfp(self, method: str, path: str) -> Any:
        """What KFP answers, asked past kfgit."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.server.url}/apis/v2beta1/{path}"
        told = httpx.request(method, url, headers=headers, timeout=60, trust_env=False)
        assert told.is_success, told.text
        return told.json()

    def names(self, what: str) -> list[str]:
        """What there is of pipelines, recurringruns or runs."""
        key = {"recurringruns": "recurringRuns"}.get(what, what)
        return sorted(each["display_name"] for each in self.kfp("GET", f"{what}?page_size=100").get(key, []))

    def versions(self, pipeline: str) -> list[str]:
        """The ids of a pipeline's versions."""
        found = self.kfp("GET", "pipelines?page_size=100").get("pipelines", [])
        (id_,) = (each["pipeline_id"] for each in found if each["display_name"] == pipeline)
        told = self.kfp("GET", f"pipelines/{id_}/versions?page_size=100").get("pipeline_versions", [])
        return sorted(each["pipeline_version_id"] for each in told)

    def crons(self) -> dict[str, str]:
        """When schedules fire, by their names."""
        found = self.kfp("GET", "recurringruns?page_size=100").get("recurringRuns", [])
        return {each["display_name"]: each["trigger"]["cron_schedule"]["cron"] for each in found}


@dataclass(frozen=True, slots=True)
class Team:
    """Their GitHub, a clone of mona's, and the clusters."""

    hub: Hub
    clone: Path
    sites: Mapping[str, Site]

    def git(self, *words: str) -> str:
        """Git in mona's clone."""
        return git(self.clone, *_WHO, *words)

    def write(self, files: Mapping[str, str | None]) -> None:
        """Writes and removes files in the clone."""
        for path, text in files.items():
            if text is None:
                (self.clone / path).unlink()
                continue
            (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / path).write_text(text)

    def commit(
        self, files: Mapping[str, str | None], message: str, branch: str = "main", base: str = "main"
    ) -> str:
        """A commit on a branch, which may be new; nobody else sees it yet."""
        if self.git("ls-remote", "origin"):
            self.git("fetch", "-q", "origin")
            start = branch if branch in self._remote() else base
            self.git("checkout", "-q", "-B", branch, f"origin/{start}")
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self, files: Mapping[str, str | None], message: str, branch: str = "main") -> list[Run]:
        """The same, pushed; what that starts."""
        self.commit(files, message, branch)
        self.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return self.hub.pushed()

    def propose(
        self, files: Mapping[str, str | None], title: str, branch: str, **more: Any
    ) -> tuple[int, Run]:
        """A pull request from a new branch; what that starts, the push apart."""
        self.push(files, title, branch)
        number, runs = self.hub.open_pull(branch, title=title, **more)
        (run,) = runs
        return number, run

    def tip(self, branch: str = "main") -> str:
        """Where a branch of GitHub's ends."""
        return self._remote()[branch]

    def tree(self, rev: str) -> str:
        """What a commit of GitHub's has."""
        return git(self.hub.remote, "rev-parse", f"{rev}^{{tree}}")

    def _remote(self) -> dict[str, str]:
        return dict(branches(self.hub.remote))

    def connect(self, *names: str) -> None:
        """Tells GitHub the clusters: variables, and secrets of environments."""
        listed = "[" + ", ".join(f'"{name}"' for name in names) + "]"
        self.hub.variables |= {"KFGIT_ENVIRONMENTS": listed, "KFGIT_PLAN_ENVIRONMENTS": listed}


@contextmanager
def team(cluster: Cluster, folder: Path, *options: str) -> Iterator[Team]:
    """A team whose repository is empty and whose clusters are not connected, but for the secrets, which are there."""
    with ExitStack() as stack:
        found = stack.enter_context(hub(folder / "github"))
        sites = {}
        for name in ENVIRONMENTS:
            namespace, token = cluster.namespace(), f"{name}-token-of-the-tests-1234567890"
            file = folder / f"{name}.token"
            file.write_text(token)
            file.chmod(0o600)
            flags = (*options, "--token-file", str(file))
            server = stack.enter_context(serving(Project.new(folder / f"kfp-{name}"), *flags))
            sites[name] = Site(name, namespace, server, token)
            for suffix, allowed in (("", rules(ROLE)), ("-plan", READING)):
                user = cluster.service_account(namespace, allowed)
                config = user.kubeconfig(folder / f"kubeconfig-{name}{suffix}", namespace).read_text()
                found.secrets[f"{name}{suffix}"] = {"KFP_TOKEN": token, "KUBECONFIG": config}
        clone = folder / "clone"
        git(folder, "clone", "-q", f"file://{found.remote}", str(clone))
        git(clone, "symbolic-ref", "HEAD", "refs/heads/main")
        yield Team(found, clone, sites)


def kfgit(folder: Path, *words: str) -> str:
    """What a command says that somebody types."""
    done = subprocess.run(command_line(*words), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
