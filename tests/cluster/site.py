"""A project of a team whose environment `prod` is a cluster, and `local` this machine: the door over both."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.forks import Forks, Told
from tests.e2e.door import Project, command_line, environment
from tests.serving import Server, serving

PROD = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  prune: {pipelines: delete}
  target:
    type: cluster
    namespace: %(namespace)s
    %(more)s
    kfp: {endpoint: "%(endpoint)s", timezone: UTC}
"""
COMPONENTS = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: greet}
spec:
  inputs: {name: {type: string, default: world}}
  outputs: {text: {type: string}, card: {type: Markdown}}
  container:
    image: alpine:3.20
    script: |
      echo "greeting $(inputs.name)"
      printf 'Hello, %s!' "$(inputs.name)" > $(outputs.text.path)
      printf '# Hello' > $(outputs.card.path)
---
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: break}
spec:
  container: {image: alpine:3.20, script: "echo it is broken >&2; exit 3"}
---
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: nap}
spec:
  inputs: {seconds: {type: int, default: 60}}
  container: {image: alpine:3.20, script: "echo napping; sleep $(inputs.seconds)"}
"""
PIPELINES = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: flow}
spec:
  inputs: {name: {type: string, default: world}, big: {type: bool, default: true}}
  onExit: {component: greet, inputs: {name: bye}}
  tasks:
    first: {component: greet, inputs: {name: $(inputs.name)}}
    sweep:
      forEach: [a, b]
      tasks:
        train: {component: greet, inputs: {name: $(item)}}
        check: {component: greet, inputs: {name: $(tasks.train.outputs.text)}}
    gate:
      switch:
        - when: $(inputs.big) == true
          tasks: {full: {component: greet, inputs: {name: full}}}
        - tasks: {small: {component: greet, inputs: {name: small}}}
    last: {component: greet, when: $(inputs.name) == "world", after: [sweep], inputs: {name: last}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: broken}
spec:
  tasks:
    good: {component: greet, inputs: {name: good}}
    fall: {component: break, after: [good]}
    never: {component: greet, after: [fall], inputs: {name: never}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: sleepy}
spec:
  inputs: {seconds: {type: int, default: 60}}
  tasks:
    nap: {component: nap, inputs: {seconds: $(inputs.seconds)}, cache: false}
"""
SCHEDULES = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec: {pipeline: flow, cron: 0 2 * * *, inputs: {name: night}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: doomed}
spec: {pipeline: broken, every: 1d}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: berlin}
spec: {pipeline: flow, cron: 30 * * * *, timezone: Europe/Berlin, enabled: false}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """The project, KFP's side, and the namespace on Kubernetes'."""

    project: Project
    server: Server
    cluster: Cluster
    namespace: str
    forks: Forks

    def kfp(self, method: str, path: str, body: Any = None) -> Any:
        """What KFP answers, asked past kfgit."""
        url = f"{self.server.url}/apis/v2beta1/{path}"
        told = httpx.request(method, url, json=body, timeout=180, trust_env=False)
        assert told.is_success, told.text
        return told.json()

    def __call__(self, *words: str, code: int | None = 0) -> Told:
        """`kfgit … -e prod`, as a process."""
        (told,) = self.forks.run(self.project.root, [*words, "-e", "prod"])
        assert code is None or told.code == code, f"{words} ended with {told.code}\n{told.out}\n{told.err}"
        assert "Traceback" not in told.err, told.err
        return told

    def json(self, *words: str, code: int | None = 0) -> Any:
        """What it tells machines."""
        return self(*words, "-o", "json", code=code).json

    def commit(self, files: Mapping[str, str]) -> None:
        """Writes files, and commits all."""
        for path, text in files.items():
            self.project.write(path, text)
        git(self.project.root, "add", "-A")
        git(self.project.root, "commit", "-q", "--allow-empty", "-m", "change")

    def interrupted(self, *words: str, after: str) -> tuple[int, str]:
        """A command that gets Ctrl-C once it has said something; its exit code, and all that it said."""
        process = subprocess.Popen(
            command_line(*words, "-e", "prod"), cwd=self.project.root, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        said = ""
        while after not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=180)
        return process.returncode, said + rest


@contextmanager
def site(cluster: Cluster, folder: Path, *options: str, more: str = "") -> Iterator[Site]:
    """A site whose KFP is `kfgit up` with these options; `more` is what its target says besides."""
    namespace = cluster.namespace()
    project = Project.new(folder / "team")
    git(project.root, "init", "-q", "-b", "main")
    kubeconfig = str(cluster.admin.kubeconfig(folder / "kubeconfig", namespace))
    with (
        serving(Project.new(folder / "kfp"), *options) as server,
        pytest.MonkeyPatch.context() as patch,
        Forks({"KUBECONFIG": kubeconfig, "GIT_CONFIG_NOSYSTEM": "1"}) as forks,
    ):
        patch.setenv("KUBECONFIG", kubeconfig)
        found = Site(project, server, cluster, namespace, forks)
        words = {"namespace": namespace, "endpoint": server.url, "more": more}
        found.commit(
            {
                "environments/prod.yaml": PROD % words, "components/all.yaml": COMPONENTS,
                "pipelines/all.yaml": PIPELINES, "pipelines/schedules.yaml": SCHEDULES,
            }
        )  # fmt: skip
        yield found


def git(folder: Path, *words: str) -> None:
    """One git command."""
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def waited(condition: Any, seconds: float = 240) -> Any:
    """What a condition becomes, once it is something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found
