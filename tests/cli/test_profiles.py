"""`kfgit profiles`: what each name means where, where its values stand, and who uses it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import BASE, CLUSTER, GREET, LOCAL, PROJECT, Kfgit, MakeProject

PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: small, description: For most.}
spec: {requests: {cpu: 500m}, limits: {cpu: "1", memory: 1Gi}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4, description: One L4.}
spec:
  extends: small
  limits: {memory: 24Gi}
  accelerator: {resource: nvidia.com/gpu, count: 1, model: NVIDIA-L4}
  node: {selector: {cloud.google.com/gke-accelerator: nvidia-l4}}
  priority: {class: batch-low, value: 100}
  cost: {perHour: 0.81}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: spare}
spec: {limits: {cpu: "8"}}
"""
PIPELINES = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: train}
spec:
  defaults: {profile: small}
  tasks:
    load: {component: greet}
    sweep:
      forEach: [a, b]
      tasks:
        fit: {component: greet, profile: gpu, resources: {limits: {memory: 2Gi}}}
    test: {component: greet, profile: gpu}
"""
FILES = {
    "components/greet.yaml": GREET,
    "pipelines/profiles.yaml": PROFILES,
    "pipelines/train.yaml": PIPELINES,
    "environments/local.yaml": LOCAL + "  profiles: {gpu: small}\n",
    "environments/prod.yaml": CLUSTER + "  profiles: {gpu: l4}\n",
    "kfgit.yaml": PROJECT + "spec: {environments: [local, prod]}\n",
}
LISTED = """\
NAME  IN  MEANS  WHAT IT IS  USED BY
gpu  local  small  cpu 500m–1, memory ≤ 1Gi  1 pipeline, 2 tasks
prod  l4  cpu 500m–1, memory ≤ 24Gi, 1 × nvidia.com/gpu NVIDIA-L4, 0.81 USD/h  1 pipeline, 2 tasks
small  all  small  cpu 500m–1, memory ≤ 1Gi  1 pipeline, 1 task
l4  local  l4  cpu 500m–1, memory ≤ 24Gi, 1 × nvidia.com/gpu NVIDIA-L4, 0.81 USD/h  no task
prod  l4  cpu 500m–1, memory ≤ 24Gi, 1 × nvidia.com/gpu NVIDIA-L4, 0.81 USD/h  as gpu
spare  all  spare  cpu ≤ 8  no task
"""
SHOWN = """\
gpu in prod: l4  environments/prod.yaml:6
One L4.

  requests.cpu                                       500m            pipelines/profiles.yaml:4 (small)
  limits.cpu                                         1               pipelines/profiles.yaml:4 (small)
  limits.memory                                      24Gi            pipelines/profiles.yaml:11
  accelerator.resource                               nvidia.com/gpu  pipelines/profiles.yaml:12
  accelerator.count                                  1               pipelines/profiles.yaml:12
  accelerator.model                                  NVIDIA-L4       pipelines/profiles.yaml:12
  node.selector["cloud.google.com/gke-accelerator"]  nvidia-l4       pipelines/profiles.yaml:13
  priority.class                                     batch-low       pipelines/profiles.yaml:14
  priority.value                                     100             pipelines/profiles.yaml:14
  cost.perHour                                       0.81            pipelines/profiles.yaml:15
  cost.currency                                      USD             default

keeps on the cluster
  PriorityClass  batch-low

used by
  train  sweep/fit (memory ≤ 2Gi), test  pipelines/train.yaml:11

elsewhere
  small  in local
"""


def columns(text: str) -> list[list[str]]:
    """The cells of a table, however wide it is."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def without_class(text: str) -> str:
    """KFP tasks cannot have a priority of their own."""
    return text.replace("  priority: {class: batch-low, value: 100}\n", "")


def test_all_names_in_all_environments(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit(
        "profiles", "list", cwd=project({**FILES, "pipelines/profiles.yaml": without_class(PROFILES)})
    )
    assert (told.code, told.err) == (0, "")
    assert columns(told.out) == columns(LISTED)


def test_one_environment_needs_no_column(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("profiles", "list", "-e", "local", cwd=project(FILES))
    assert columns(told.out)[:2] == [
        ["NAME", "MEANS", "WHAT IT IS", "USED BY"],
        ["gpu", "small", "cpu 500m–1, memory ≤ 1Gi", "1 pipeline, 2 tasks"],
    ]


def test_the_list_for_machines(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("profiles", "list", "-e", "local", "-e", "prod", "-o", "json", cwd=project(FILES)).json
    assert (told["kind"], told["apiVersion"]) == ("ProfileList", "kfgit.dev/cli/v1")
    assert [(each["name"], each["environment"], each["profile"]) for each in told["items"]] == [
        ("gpu", "local", "small"), ("small", "local", "small"), ("l4", "local", "l4"), ("spare", "local", "spare"),
        ("gpu", "prod", "l4"), ("small", "prod", "small"), ("l4", "prod", "l4"), ("spare", "prod", "spare"),
    ]  # fmt: skip
    assert told["items"][4] == {
        "name": "gpu",
        "environment": "prod",
        "profile": "l4",
        "mapped": {"file": "environments/prod.yaml", "line": 6},
        "description": "One L4.",
        "extends": "small",
        "resources": {
            "requests": {"cpu": "500m"},
            "limits": {"cpu": "1", "memory": "24Gi"},
            "accelerator": {"resource": "nvidia.com/gpu", "count": 1, "model": "NVIDIA-L4"},
        },
        "queue": None,
        "cost": {"perHour": 0.81, "currency": "USD"},
        "pipelines": ["train"],
        "tasks": 2,
        "aliases": ["l4"],
        "baseOf": [],
    }


def test_a_name_that_means_nothing_is_listed_and_a_mistake(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FILES, "environments/prod.yaml": CLUSTER})
    told = kfgit("profiles", "list", cwd=root)
    assert told.code == 1
    assert ["prod", "not mapped", "1 pipeline, 2 tasks"] in columns(told.out)
    assert "unknown-profile" in told.err
    assert kfgit("profiles", "list", "-e", "local", cwd=root).code == 0
    shown = kfgit("profiles", "show", "gpu", "-e", "prod", cwd=root)
    assert (shown.code, shown.out.splitlines()[0]) == (1, "gpu in prod: not mapped")
    assert "small  in local" in shown.out
    listed = kfgit("profiles", "list", "-e", "prod", "-o", "json", cwd=root).json["items"]
    assert [each["name"] for each in listed if each["profile"] is None] == ["gpu"]


def test_a_mapping_to_nothing_says_so(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit(
        "profiles",
        "list",
        "-e",
        "prod",
        cwd=project({**FILES, "environments/prod.yaml": CLUSTER + "  profiles: {gpu: l5}\n"}),
    )
    assert told.code == 1
    assert ["gpu", "there is no l5", "1 pipeline, 2 tasks"] in columns(told.out)


def test_a_profile_with_mistakes_is_not_missing(kfgit: Kfgit, project: MakeProject) -> None:
    wrong = PROFILES.replace('spec: {limits: {cpu: "8"}}', "spec: {extends: spare}")
    told = kfgit("profiles", "show", "spare", cwd=project({**FILES, "pipelines/profiles.yaml": wrong}))
    assert (told.code, told.out.splitlines()[0]) == (1, "spare in local: spare has mistakes")
    assert "profile-cycle" in told.err


def test_other_mistakes_do_not_matter(kfgit: Kfgit, project: MakeProject) -> None:
    broken = (
        "apiVersion: kfgit.dev/v1\nkind: Schedule\nmetadata: {name: s}\nspec: {pipeline: nobody, every: 1d}\n"
    )
    root = project({**FILES, "schedules/s.yaml": broken})
    assert kfgit("validate", cwd=root).code == 1
    told = kfgit("profiles", "list", "-e", "local", cwd=root)
    assert (told.code, told.err) == (0, "")


def test_one_with_all_its_values_and_places(kfgit: Kfgit, project: MakeProject) -> None:
    queued = PROFILES.replace("batch-low, value: 100}", "batch-low, value: 100}\n  queue: {localQueue: gpu}")
    told = kfgit(
        "profiles", "show", "gpu", "-e", "prod", cwd=project({**FILES, "pipelines/profiles.yaml": queued})
    )
    assert told.code == 0, told.err
    assert "queue.localQueue" in told.out
    unused = PIPELINES.replace("profile: gpu", "profile: small")
    told = kfgit(
        "profiles", "show", "l4", "-e", "prod", cwd=project({**FILES, "pipelines/train.yaml": unused})
    )
    assert told.code == 0, told.err
    wanted = SHOWN.replace("gpu in prod: l4  environments/prod.yaml:6", "l4 in prod: l4")
    begin = wanted.partition("\nused by")[0]
    assert told.out == f"{begin}\nas gpu\n"


QUEUED = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: day}
spec:
  accelerator: {resource: nvidia.com/gpu}
  queue: {localQueue: day, clusterQueue: day, cohort: all}
  quota: {nvidia.com/gpu: 4}
  priority: {class: low, value: 1}
  limitRange: {max: {memory: 8Gi}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: urgent}
spec: {extends: day, priority: {class: high, value: 9}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: night}
spec: {extends: day, queue: {localQueue: night, clusterQueue: night}, quota: {nvidia.com/gpu: 8}}
"""


KEPT = {
    "day": "ClusterQueue day, LimitRange day, LocalQueue day, ResourceFlavor day, WorkloadPriorityClass low",
    "urgent": "ClusterQueue day of day, LimitRange day of day, LocalQueue day of day, ResourceFlavor day of day, "
    "WorkloadPriorityClass high",
    "night": "ClusterQueue night, LimitRange day of day, LocalQueue night, ResourceFlavor night, "
    "WorkloadPriorityClass low",
}


@pytest.mark.parametrize("name", KEPT)
def test_what_the_cluster_keeps_and_for_whom(kfgit: Kfgit, project: MakeProject, name: str) -> None:
    root, wanted = project({**FILES, "pipelines/queued.yaml": QUEUED}), KEPT[name].split(", ")
    told = kfgit("profiles", "show", name, "-e", "prod", cwd=root).out
    kept = told.partition("keeps on the cluster\n")[2].partition("\n\n")[0]
    assert [" ".join(line.split()) for line in kept.splitlines()] == wanted
    told = kfgit("profiles", "show", name, "-e", "prod", "-o", "json", cwd=root).json
    assert [f"{each['kind']} {each['name']}" for each in told["objects"]] == [
        " ".join(each.split()[:2]) for each in wanted
    ]
    assert "keeps on" not in kfgit("profiles", "show", name, "-e", "local", cwd=root).out


def test_one_for_people(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FILES, "pipelines/profiles.yaml": without_class(PROFILES)})
    told = kfgit("profiles", "show", "gpu", "-e", "prod", cwd=root)
    assert (told.code, told.err) == (0, "")
    without = SHOWN.replace("keeps on the cluster\n  PriorityClass  batch-low\n\n", "").splitlines()
    kept = [line for line in without if "priority." not in line]
    assert [
        line.replace(":14", ":15") if "cost.perHour" in line else line for line in told.out.splitlines()
    ] == kept


def test_one_for_machines(kfgit: Kfgit, project: MakeProject) -> None:
    root = project({**FILES, "pipelines/profiles.yaml": without_class(PROFILES)})
    told = kfgit("profiles", "show", "resourceprofile/gpu", "-e", "prod", "-o", "json", cwd=root).json
    assert (told["kind"], told["profile"]) == ("Profile", "l4")
    assert told["values"][2] == {
        "path": "limits.memory", "value": "24Gi", "profile": "l4", "file": "pipelines/profiles.yaml", "line": 11,
    }  # fmt: skip
    assert [each for each in told["values"] if each["profile"] is None] == [
        {"path": "cost.currency", "value": "USD", "profile": None, "file": None, "line": None}
    ]
    assert [(each["pipeline"], each["task"], each["line"]) for each in told["uses"]] == [
        ("train", "sweep/fit", 11),
        ("train", "test", 12),
    ]
    assert told["uses"][0]["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert told["elsewhere"] == [{"profile": "small", "environments": ["local"]}]


def test_an_unknown_name_gets_the_nearest(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("profiles", "show", "smal", cwd=project(FILES))
    assert told.code == 64
    assert told.err == "kfgit: no profile `smal`\n  did you mean `small`?\n"


def test_without_profiles_it_says_how_to_make_one(kfgit: Kfgit, project: MakeProject) -> None:
    told = kfgit("profiles", "list", cwd=project(BASE))
    assert (told.code, told.out) == (0, "")
    assert "ResourceProfile" in told.err
    assert kfgit("profiles", "list", "-o", "json", cwd=project(BASE)).json["items"] == []


@pytest.mark.parametrize("what", ["list", "show"])
def test_text_of_strangers_stays_text(kfgit: Kfgit, project: MakeProject, what: str) -> None:
    evil = PROFILES.replace("For most.", '"\\e[31m::error::x"').replace("NVIDIA-L4", '"\\e[31mL4"')
    root = project({**FILES, "pipelines/profiles.yaml": without_class(evil)})
    told = kfgit("profiles", what, *(["small"] if what == "show" else []), "-e", "prod", cwd=root)
    assert "\x1b" not in told.out + told.err


def test_completion_offers_profiles_and_mapped_names(kfgit: Kfgit, project: MakeProject) -> None:
    asked = {"_KFGIT_COMPLETE": "bash_complete", "COMP_WORDS": "kfgit profiles show ", "COMP_CWORD": "3"}
    told = kfgit(cwd=project(FILES), env=asked)
    assert [answer.partition(",")[2] for answer in told.out.splitlines()] == ["gpu", "l4", "small", "spare"]
