"""`render --explain` of what profiles bring: what a name means here, what a task gets, and where each part is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Kfgit, MakeProject

FILES = {
    "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
    "components/profiles.yaml": """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: small}
spec:
  requests:
    cpu: 100m
    memory: 512Mi
  limits:
    cpu: 4
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4}
spec:
  extends: small
  accelerator:
    resource: nvidia.com/gpu
    model: NVIDIA-L4
  node:
    selector: {example.com/gpu: l4}
    tolerations:
      - {key: nvidia.com/gpu, operator: Exists}
  queue:
    localQueue: gpu
  cost:
    perHour: 0.9
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: two}
spec:
  extends: l4
  accelerator:
    count: 2
""",
    "pipelines/p.yaml": """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: p}
spec:
  defaults:
    profile: small
  tasks:
    prepare:
      component: {container: {image: "e.com/a:1", script: echo}}
    train:
      component: {container: {image: "e.com/a:1", script: echo}}
      profile: gpu
      resources:
        limits:
          memory: 48Gi
        accelerator:
          count: 4
    choose:
      switch:
        - when: 1 == 1
          tasks:
            sweep:
              forEach: [1, 2]
              tasks:
                fit:
                  component: {container: {image: "e.com/a:1", script: echo}}
                  profile: two
                  kubernetes: {nodeSelector: {other: node}}
  onExit:
    component: {container: {image: "e.com/a:1", script: echo}}
    resources: {limits: {cpu: 1}}
""",
    "environments/prod.yaml": """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  profiles:
    gpu: l4
  patches:
    - target: {kind: ResourceProfile, name: small}
      merge:
        spec:
          requests:
            cpu: 2
""",
}

_VALUE = re.compile(
    r"#   (?P<path>\S+): (?P<value>.+?)  +# (?P<file>\S+):(?P<line>\d+)(?: of (?P<of>\S+))?\Z"
)


@pytest.fixture
def root(project: MakeProject) -> Path:
    return project(FILES)


def given(text: str) -> dict[str, list[tuple[str, str, str]]]:
    """What tasks get, by name: path, value and profile; each stands in the line that it is said to stand in."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    task = ""
    for line in text.splitlines():
        if re.fullmatch(r" +(prepare|train|fit|onExit|spec):", line.rstrip()):
            task = line.strip(" :")
        match = _VALUE.search(line)
        if match is not None:
            path, value, file, number, of = match.groups()
            written = FILES[file].splitlines()[int(number) - 1]
            assert value.strip('"') in written or value.startswith("["), line
            found.setdefault(task, []).append((path, value, of or ""))
    return found


def test_what_tasks_get_and_where_it_is_said(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("render", "pipeline/p", "-e", "prod", "--explain", cwd=root)
    assert (told.code, told.err) == (0, "")
    assert yaml.safe_load(told.out) == yaml.safe_load(kfgit("render", "p", "-e", "prod", cwd=root).out)
    means = r"profile: gpu +# pipelines/p.yaml:12\n +# means l4 in prod +# environments/prod.yaml:6\n"
    assert re.search(means, told.out)
    assert re.search(r"# means small in prod +# components/profiles.yaml:1\n", told.out)
    found = given(told.out)
    small = [("requests.cpu", '"2"', "small"), ("requests.memory", '"512Mi"', "small")]
    node = ('node.selector["example.com/gpu"]', "l4", "l4")
    assert found == {
        "prepare": [*small, ("limits.cpu", '"4"', "small")],
        "train": [
            *small,
            ("limits.cpu", '"4"', "small"),
            ("limits.memory", '"48Gi"', ""),
            ("accelerator.resource", "nvidia.com/gpu", "l4"),
            ("accelerator.count", "4", ""),
            ("accelerator.model", "NVIDIA-L4", "l4"),
            node,
            ("node.tolerations", '[{"key": "nvidia.com/gpu", "operator": "Exists"}]', "l4"),
            ("queue.localQueue", "gpu", "l4"),
        ],
        "fit": [
            *small,
            ("limits.cpu", '"4"', "small"),
            ("accelerator.resource", "nvidia.com/gpu", "l4"),
            ("accelerator.count", "2", "two"),
            ("accelerator.model", "NVIDIA-L4", "l4"),
            ("node.tolerations", '[{"key": "nvidia.com/gpu", "operator": "Exists"}]', "l4"),
            ("queue.localQueue", "gpu", "l4"),
        ],
    }


def test_devices_that_a_name_does_not_mean_here(kfgit: Kfgit, project: MakeProject) -> None:
    laptop = FILES["environments/prod.yaml"].replace("prod", "laptop").replace("gpu: l4", "gpu: small")
    root = project({**FILES, "environments/laptop.yaml": laptop})
    told = kfgit("render", "pipeline/p", "-e", "laptop", "--explain", cwd=root)
    assert told.code == 0
    assert re.search(r"#   accelerator: null +# components/profiles.yaml:1 of small\n", told.out)
    tasks = kfgit("render", "p", "-e", "laptop", "--explain", "-o", "json", cwd=root).json["items"][0][
        "tasks"
    ]
    assert tasks[1]["values"][-1] == {
        "path": "accelerator", "value": None, "profile": "small", "file": "components/profiles.yaml", "line": 1,
    }  # fmt: skip


def test_what_a_block_of_the_task_replaces_is_not_told(kfgit: Kfgit, project: MakeProject) -> None:
    source = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: queued}
spec: {sharedMemory: 1Gi, queue: {localQueue: gpu}, priority: {class: high}, limits: {cpu: 2}}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: p}
spec:
  defaults: {profile: queued}
  tasks:
    plain: {component: {container: {image: alpine, script: echo}}}
    own:
      component: {container: {image: alpine, script: echo}}
      kubernetes:
        podLabels: {kueue.x-k8s.io/queue-name: mine, kueue.x-k8s.io/priority-class: low}
        emptyDirs: [{name: shm, mountPath: /dev/shm/, medium: Memory}]
"""
    root = project({"pipelines/p.yaml": source})
    told = kfgit("render", "pipeline/p", "--explain", "-o", "json", cwd=root).json
    got = {task["path"]: [value["path"] for value in task["values"]] for task in told["items"][0]["tasks"]}
    assert got == {
        "spec.tasks.plain": ["limits.cpu", "sharedMemory", "priority.class", "queue.localQueue"],
        "spec.tasks.own": ["limits.cpu"],
    }


def test_what_a_profile_inherits(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("render", "resourceprofile/two", "-e", "prod", "--explain", cwd=root)
    assert yaml.safe_load(told.out)["spec"] == {"extends": "l4", "accelerator": {"count": 2}}
    inherited = given(told.out)
    assert [path for values in inherited.values() for path, _, _ in values] == [
        "requests.cpu",
        "requests.memory",
        "limits.cpu",
        "accelerator.resource",
        "accelerator.model",
        'node.selector["example.com/gpu"]',
        "node.tolerations",
        "queue.localQueue",
        "cost.perHour",
    ]
    assert "inherits" not in kfgit("render", "resourceprofile/small", "-e", "prod", "--explain", cwd=root).out


def test_the_same_for_machines(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("render", "p", "two", "-e", "prod", "--explain", "-o", "json", cwd=root).json["items"]
    pipeline, profile = told
    places = [task["path"] for task in pipeline["tasks"]]
    assert places == [
        "spec.tasks.prepare",
        "spec.tasks.train",
        "spec.tasks.choose.switch[0].tasks.sweep.tasks.fit",
        "spec.onExit",
    ]
    train, leave = pipeline["tasks"][1], pipeline["tasks"][3]
    assert train["profile"] == {"name": "gpu", "means": "l4", "file": "environments/prod.yaml", "line": 6}
    assert train["values"][3] == {
        "path": "limits.memory", "value": "48Gi", "profile": None, "file": "pipelines/p.yaml", "line": 15,
    }  # fmt: skip
    assert leave["profile"] is None
    assert [each["path"] for each in leave["values"]] == ["limits.cpu"]
    values = {each["path"]: each for each in profile["values"]}
    assert values["accelerator.count"]["profile"] == "two"
    assert values["cost.perHour"]["value"] == 0.9
    assert (values["cost.currency"]["value"], values["cost.currency"]["file"]) == ("USD", None)


def test_what_is_written_to_files_says_it_too(kfgit: Kfgit, root: Path) -> None:
    assert kfgit("render", "-e", "prod", "--explain", "--out", "out", cwd=root).code == 0
    assert "means l4 in prod" in (root / "out/prod/pipeline/p.yaml").read_text()


def test_without_explain_nothing_is_said(kfgit: Kfgit, root: Path) -> None:
    told = kfgit("render", "p", "two", "-e", "prod", cwd=root)
    assert "#" not in told.out
    assert "tasks" not in kfgit("render", "p", "-e", "prod", "-o", "json", cwd=root).json["items"][0]


def test_a_name_ends_no_comment(kfgit: Kfgit, project: MakeProject) -> None:
    bad = '"l4\\nx: y"'
    files = {path: text.replace("name: l4", f"name: {bad}") for path, text in FILES.items()}
    files["environments/prod.yaml"] = files["environments/prod.yaml"].replace("gpu: l4", f"gpu: {bad}")
    files["pipelines/a\nx: y.yaml"] = files.pop("pipelines/p.yaml")
    root = project(files)
    told = kfgit("render", "-e", "prod", "--explain", cwd=root)
    assert 'means "l4\\nx: y" in prod' in told.out
    assert "\nx: y" not in told.out
    plain = kfgit("render", "-e", "prod", cwd=root)
    assert [*yaml.safe_load_all(told.out)] == [*yaml.safe_load_all(plain.out)]


def test_a_profile_that_is_not_there_means_nothing(kfgit: Kfgit, project: MakeProject) -> None:
    root = project(
        {**FILES, "pipelines/p.yaml": FILES["pipelines/p.yaml"].replace("profile: gpu", "profile: gup")}
    )
    told = kfgit("render", "p", "-e", "prod", "--explain", cwd=root)
    assert told.code == 1
    assert "unknown-profile" in told.err
    assert "means gup" not in told.out
