"""What profiles bring to a cluster, through the door: made, healed, changed, replaced, removed, on real API servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.cluster import kueue
from tests.cluster.cluster import Cluster, User
from tests.cluster.forks import Told
from tests.cluster.scenarios import ENVIRONMENT, PROJECT, TOOLS
from tests.cluster.stage import APPLY, KEPT_CLUSTER_ROLES, KEPT_ROLES, PLAN, ROLE, Stage, rules

PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: team-STAND}
spec:
  requests: {cpu: 500m, memory: 1024Mi}
  priority: {class: batch-STAND, value: 10}
  queue:
    localQueue: team
    clusterQueue: gpu-STAND
    cohort: research
    strategy: StrictFIFO
    preemption: {reclaimWithinCohort: Any}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4-STAND}
spec:
  extends: team-STAND
  accelerator: {resource: nvidia.com/gpu, count: 1, model: NVIDIA-L4}
  node:
    selector: {pool: l4}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  queue: {localQueue: team, borrowingLimit: {nvidia.com/gpu: 4}, lendingLimit: {nvidia.com/gpu: 2}}
  quota: {cpu: 500m, memory: 1024Mi, nvidia.com/gpu: 8}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: a100-STAND}
spec:
  extends: team-STAND
  node: {selector: {pool: a100}}
  quota: {cpu: "64", memory: 256Gi, nvidia.com/gpu: 4}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: plain-STAND}
spec:
  priority: {class: plain-STAND, value: 7}
  quota: {cpu: 0.5, memory: 1024Mi, ephemeralStorage: 100Gi, nvidia.com/gpu: 2, pods: 100}
  limitRange: {default: {cpu: 500m, memory: 1Gi}, defaultRequest: {cpu: 100m}, max: {memory: 65536Mi}}
  claim: {name: two, deviceClass: l4-STAND, count: 2, selectors: ["device.driver == 'gpu.nvidia.com'"]}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: dra-STAND}
spec:
  accelerator: {resource: example.com/l4, count: 1}
  deviceClass: {name: l4-STAND, selectors: ["device.driver == 'gpu.nvidia.com'"], extendedResourceName: example.com/l4}
"""
PIPELINE = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: train}
spec:
  tasks:
    first: {component: say, profile: gpu}
"""
MAPPED = ENVIRONMENT.replace("spec:\n", "spec:\n  profiles: {gpu: l4-STAND}\n", 1)

BASE: Mapping[str, str] = {
    "kfgit.yaml": PROJECT,
    "environments/prod.yaml": MAPPED,
    "components/say.yaml": TOOLS,
    "components/profiles.yaml": PROFILES,
    "pipelines/train.yaml": PIPELINE,
}
KINDS = {
    "ClusterQueue", "DeviceClass", "LimitRange", "LocalQueue", "PriorityClass", "ResourceClaimTemplate",
    "ResourceFlavor", "ResourceQuota", "WorkloadPriorityClass",
}  # fmt: skip


@pytest.fixture
def modern(stage: Stage, queued: Cluster) -> Site:
    return Site(stage, queued, queued.namespace(), kueue.NEW)


@pytest.fixture(params=[kueue.NEW, kueue.OLD])
def site(request: pytest.FixtureRequest, stage: Stage) -> Site:
    cluster: Cluster = request.getfixturevalue("queued" if request.param == kueue.NEW else "older")
    return Site(stage, cluster, cluster.namespace(), request.param)


class Site:
    """A project and its namespace on one of the servers."""

    def __init__(self, stage: Stage, cluster: Cluster, namespace: str, version: str) -> None:
        self.stage, self.cluster, self.namespace, self.version = stage, cluster, namespace, version
        self.admin = cluster.admin

    def commit(self, *changed: tuple[str, str], **files: str) -> None:
        """The documents, with some texts replaced."""
        told = {**BASE, **files}
        for old, new in changed:
            told = {path: text.replace(old, new) for path, text in told.items()}
        self.stage.commit(self.namespace, told)

    def run(self, *command: str, code: int | None = 0) -> Told:
        (told,) = self.stage.run(self.admin, self.namespace, command)
        assert code is None or told.code == code, f"{told.out}\n{told.err}"
        return told

    def pipeline(self) -> str:
        """What the pipeline is called here."""
        return f"train-{self.namespace.rpartition('-')[2]}"

    def plan(self) -> dict[tuple[str, str], Any]:
        """What a plan would change, by kind and name without the stand's own."""
        told = self.run(*PLAN, "-o", "json").json
        pending = [each for each in told["changes"] if each["action"] != "unchanged"]
        return {(each["kind"], self.short(each["name"])): each for each in pending}

    def short(self, name: str) -> str:
        return name.replace(f"-{self.namespace}", "")

    def objects(self) -> Mapping[str, str]:
        """Where the objects are, by kind; of flavors the one of the L4s."""
        own = f"-{self.namespace}"
        core = f"/api/v1/namespaces/{self.namespace}"
        return {
            "ClusterQueue": self.path("clusterqueues", f"gpu{own}"),
            "DeviceClass": f"/apis/resource.k8s.io/v1/deviceclasses/l4{own}",
            "LimitRange": f"{core}/limitranges/plain{own}",
            "LocalQueue": self.path("localqueues", "team"),
            "PriorityClass": f"/apis/scheduling.k8s.io/v1/priorityclasses/plain{own}",
            "ResourceClaimTemplate": f"/apis/resource.k8s.io/v1/namespaces/{self.namespace}/resourceclaimtemplates/two",
            "ResourceFlavor": self.path("resourceflavors", f"l4{own}"),
            "ResourceQuota": f"{core}/resourcequotas/plain{own}",
            "WorkloadPriorityClass": self.path("workloadpriorityclasses", f"batch{own}"),
        }

    def said(self) -> Mapping[str, Any]:
        """What is said of each object, and which one it is."""
        found = {kind: self.admin.get(path) for kind, path in self.objects().items()}
        return {
            kind: (each["metadata"]["uid"], each.get("spec"), each.get("value"))
            for kind, each in found.items()
        }

    def confirmed(self) -> list[str]:
        """What an apply is told of the objects that are not removed without a word."""
        names = (f"clusterqueue/gpu-{self.namespace}", "localqueue/team", f"pipeline/train-{self.namespace}")
        return [word for name in names for word in ("--confirm", name)]

    def listed(self, plural: str) -> list[Any]:
        """All of one of Kueue's kinds."""
        found: list[Any] = self.admin.get(self.path(plural, "").rstrip("/"))["items"]
        return found

    def path(self, plural: str, name: str) -> str:
        """Where one of Kueue's objects is."""
        place = "" if plural in kueue.CLUSTER_WIDE else f"/namespaces/{self.namespace}"
        return f"/apis/{kueue.GROUP}/{self.version}{place}/{plural}/{name}"


def test_all_kinds_come_stay_and_go(site: Site) -> None:
    site.commit()
    plan = site.plan()
    assert {kind for kind, _ in plan} == {*KINDS, "Pipeline"}
    assert {each["action"] for each in plan.values()} == {"create"}
    site.run(*APPLY)
    assert site.plan() == {}
    # An apply of nothing makes nothing.
    assert "Nothing to do" in site.run(*APPLY).out
    listed = site.run("status", "-e", "prod").out
    assert "11 objects" in listed or "as they should be" in listed, listed
    site.run("destroy", "-e", "prod", "--yes")
    for plural in kueue.CLUSTER_WIDE:
        names = [each["metadata"]["name"] for each in site.listed(plural)]
        assert not [name for name in names if site.namespace in name]
    assert site.listed("localqueues") == []


def test_flavors_come_before_their_queue_and_go_after_it(site: Site) -> None:
    site.commit()
    told = site.run(*APPLY, "-o", "json").json
    made = [each["kind"] for each in told["results"]]
    assert (
        made.index("ResourceFlavor")
        < made.index("ClusterQueue")
        < made.index("LocalQueue")
        < made.index("Pipeline")
    )
    told = site.run("destroy", "-e", "prod", "--yes", "-o", "json").json
    gone = [each["kind"] for each in told["results"]]
    assert gone.index("LocalQueue") < gone.index("ClusterQueue") < gone.index("ResourceFlavor")


def test_a_lost_inventory_is_no_drift(site: Site) -> None:
    site.commit()
    site.run(*APPLY)
    site.admin.delete(f"/api/v1/namespaces/{site.namespace}/configmaps/kfgit-demo-prod")
    plan = site.plan()
    assert all(each["diff"] == [] for each in plan.values()), plan
    site.run(*APPLY)
    assert site.plan() == {}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_somebody_removed_is_made_again(modern: Site, kind: str) -> None:
    modern.commit()
    modern.run(*APPLY)
    modern.admin.delete(modern.objects()[kind])
    plan = modern.plan()
    assert [(key[0], each["action"], each["cause"]) for key, each in plan.items()] == [
        (kind, "create", "drift")
    ]
    modern.run(*APPLY)
    assert modern.plan() == {}
    assert modern.admin.exists(modern.objects()[kind])


REMOVED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "ClusterQueue": ({"spec": {"namespaceSelector": None}}, "spec.namespaceSelector"),
    "DeviceClass": ({"spec": {"selectors": None}}, "spec.selectors"),
    "ResourceFlavor": ({"spec": {"tolerations": None}}, "spec.tolerations"),
    "ResourceQuota": ({"spec": {"hard": {"pods": None}}}, "spec.hard.pods"),
}


def test_what_somebody_took_out_of_them_is_put_back(modern: Site) -> None:
    modern.commit()
    modern.run(*APPLY)
    for kind, (patch, _) in REMOVED.items():
        modern.admin.patch(modern.objects()[kind], patch)
    plan = modern.plan()
    told = {
        key[0]: (each["action"], each["cause"], [d["path"] for d in each["diff"]])
        for key, each in plan.items()
    }
    assert told == {kind: ("update", "drift", [path]) for kind, (_, path) in REMOVED.items()}
    modern.run(*APPLY)
    assert modern.plan() == {}


def test_what_somebody_says_otherwise_is_named_and_not_taken(modern: Site) -> None:
    modern.commit()
    modern.run(*APPLY)
    modern.admin.patch(modern.objects()["ClusterQueue"], {"spec": {"cohortName": "theirs"}})
    (change,) = modern.plan().values()
    assert [(d["path"], d["before"], d["after"]) for d in change["diff"]] == [
        ("spec.cohortName", "theirs", "research")
    ]
    assert "`.spec.cohortName` by `somebody`" in "".join(change["notes"])
    told = modern.run(*APPLY, code=6)
    assert "`.spec.cohortName` by `somebody`" in told.out + told.err


def test_a_change_of_the_source_is_made_in_place_or_anew(modern: Site) -> None:
    modern.commit()
    modern.run(*APPLY)
    uids = {kind: modern.admin.get(path)["metadata"]["uid"] for kind, path in modern.objects().items()}
    modern.commit(
        ("StrictFIFO", "BestEffortFIFO"), ("nvidia.com/gpu: 8", "nvidia.com/gpu: 16"), ("value: 10", "value: 20"),
        ("value: 7", "value: 8"), ("count: 2", "count: 3"), ("pool: l4", "pool: l40s"), ("pods: 100", "pods: 50"),
        ("65536Mi", "32Gi"), ("extendedResourceName: example.com/l4", "extendedResourceName: example.com/gpu"),
    )  # fmt: skip
    plan = modern.plan()
    actions = {key: each["action"] for key, each in plan.items()}
    assert actions == {
        ("ClusterQueue", "gpu"): "update",
        ("DeviceClass", "l4"): "update",
        ("LimitRange", "plain"): "update",
        ("Pipeline", actions_name(plan)): "update",
        ("PriorityClass", "plain"): "replace",
        ("ResourceClaimTemplate", "two"): "replace",
        ("ResourceFlavor", "l4"): "update",
        ("ResourceQuota", "plain"): "update",
        ("WorkloadPriorityClass", "batch"): "update",
    }
    modern.run(*APPLY)
    assert modern.plan() == {}
    anew = {
        kind
        for kind, path in modern.objects().items()
        if modern.admin.get(path)["metadata"]["uid"] != uids[kind]
    }
    assert anew == {"PriorityClass", "ResourceClaimTemplate"}


def actions_name(plan: Mapping[tuple[str, str], Any]) -> str:
    return next(name for kind, name in plan if kind == "Pipeline")


def test_a_local_queue_of_another_cluster_queue_is_a_new_one_once_that_is_confirmed(modern: Site) -> None:
    modern.commit()
    modern.run(*APPLY)
    modern.commit(("clusterQueue: gpu-STAND", "clusterQueue: other-STAND"))
    actions = {key: each["action"] for key, each in modern.plan().items()}
    assert actions == {
        ("ClusterQueue", "other"): "create",
        ("LocalQueue", "team"): "replace",
        ("ClusterQueue", "gpu"): "delete",
    }
    told = modern.run(*APPLY, code=3)
    assert f"--confirm clusterqueue/gpu-{modern.namespace}" in told.err
    assert "--confirm localqueue/team" in told.err
    modern.run(*APPLY, *modern.confirmed())
    assert modern.plan() == {}
    other = modern.admin.get(modern.objects()["LocalQueue"])["spec"]["clusterQueue"]
    assert other == f"other-{modern.namespace}"


def test_profiles_that_go_take_their_objects_along(modern: Site) -> None:
    modern.commit()
    modern.run(*APPLY)
    modern.commit(
        **{"components/profiles.yaml": THEIRS.replace("queue: {localQueue: theirs}", "requests: {cpu: 1}")}
    )
    gone = {key[0] for key, each in modern.plan().items() if each["action"] == "delete"}
    assert gone == KINDS
    told = modern.run(*APPLY, code=3)
    (digest,) = [word for word in told.err.split() if len(word) == 64]
    modern.run(*APPLY, *modern.confirmed(), "--confirm", digest)
    assert modern.plan() == {}
    assert not [kind for kind, path in modern.objects().items() if modern.admin.exists(path)]


def test_what_kueue_still_holds_makes_nobody_wait(modern: Site) -> None:
    modern.commit()
    modern.run(*APPLY)
    path = modern.objects()["ClusterQueue"]
    holder = "kueue.x-k8s.io/resource-in-use"
    modern.admin.patch(path, {"metadata": {"finalizers": [holder]}})
    assert modern.plan() == {}
    modern.run("destroy", "-e", "prod", "--yes")
    # It is on its way: nothing is left to do.
    assert "Nothing to do" in modern.run("destroy", "-e", "prod", "--yes").out
    # Wanted again, it is made anew when the old one has gone.
    (change,) = [each for key, each in modern.plan().items() if key[0] == "ClusterQueue"]
    assert change["action"] == "create"
    assert f"is being deleted, and goes when nothing uses it any more ({holder})" in change["notes"][0]
    told = modern.run(*APPLY, code=6)
    assert "something still holds it" in told.out + told.err
    modern.admin.patch(path, {"metadata": {"finalizers": None}})
    modern.run(*APPLY)
    assert modern.plan() == {}


def test_objects_of_others_are_left_alone_until_they_are_adopted(modern: Site) -> None:
    modern.commit(("name: demo", "name: other"))
    modern.run(*APPLY)
    before = modern.said()
    modern.commit()
    assert {key[0] for key in modern.plan()} == set()
    names = [f"{kind.lower()}/*" for kind in sorted(KINDS)]
    told = modern.run("adopt", *names, "-e", "prod", "--yes", code=3)
    assert "belongs to another set of kfgit" in told.err
    modern.run("adopt", *names, "pipeline/*", "-e", "prod", "--yes", "--from-other")
    assert modern.plan() == {}
    # Nothing of what the other set has said is taken away.
    assert modern.said() == before


def test_a_queue_that_people_made_becomes_ours_as_it_is(modern: Site) -> None:
    queues = modern.objects()["LocalQueue"].rpartition("/")[0]
    body = {
        "apiVersion": f"{kueue.GROUP}/{kueue.NEW}",
        "kind": "LocalQueue",
        "metadata": {"name": "team", "labels": {"by": "hand"}},
        "spec": {"clusterQueue": f"gpu-{modern.namespace}"},
    }
    made = modern.admin.create(queues, body)
    modern.commit()
    modern.run(*APPLY)
    assert "left alone" in modern.run(*PLAN, "-o", "markdown").out or modern.plan() == {}
    modern.run("adopt", "localqueue/team", "-e", "prod", "--yes")
    assert modern.plan() == {}
    now = modern.admin.get(modern.objects()["LocalQueue"])["metadata"]
    assert (now["uid"], now["labels"]["by"]) == (made["metadata"]["uid"], "hand")
    assert now["labels"]["app.kubernetes.io/managed-by"] == "kfgit"


@pytest.fixture
def bare(stage: Stage, cluster: Cluster) -> Site:
    """On a server that has no Kueue."""
    return Site(stage, cluster, cluster.namespace(), kueue.NEW)


LACKS = "has no Kueue (kueue.x-k8s.io/v1beta2 or v1beta1), and tasks of `l4-STAND` need it"


def test_a_cluster_without_kueue_is_told_before_anything_is_applied(bare: Site) -> None:
    bare.commit()
    lacks = LACKS.replace("STAND", bare.namespace)
    told = bare.run(*PLAN, code=3)
    assert "+ create   clusterqueue/gpu" in told.out
    assert "has no Kueue" in told.out
    assert lacks in " ".join(told.err.split())
    assert "target-lacks" in told.err
    # Where it is said that there is a queue, and what to do then.
    line = PROFILES[: PROFILES.index("{localQueue")].count("\n") + 1
    assert f"components/profiles.yaml:{line}:" in told.err
    assert "install Kueue" in told.err
    document = bare.run(*PLAN, "-o", "json", code=3).json
    assert any("refused by target-lacks" in each for each in document["remarks"])
    told = bare.run(*APPLY, code=3)
    assert lacks in " ".join(told.err.split())
    told = bare.run("agent", "-e", "prod", "--once", code=None)
    assert told.code != 0
    assert "target-lacks" in told.out
    assert not bare.admin.exists(f"/api/v1/namespaces/{bare.namespace}/configmaps/kfgit-demo-prod")


def test_what_no_task_needs_is_left_out_where_there_is_no_kueue(bare: Site) -> None:
    bare.commit(("gpu: l4-STAND", "gpu: dra-STAND"))
    told = bare.run(*PLAN)
    assert "no task uses a profile that needs it: left out are clusterqueue/gpu" in " ".join(told.out.split())
    assert {kind for kind, _ in bare.plan()} == {
        "DeviceClass", "LimitRange", "Pipeline", "PriorityClass", "ResourceClaimTemplate", "ResourceQuota",
    }  # fmt: skip
    bare.run(*APPLY)
    assert bare.plan() == {}


THEIRS = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4-STAND}
spec:
  queue: {localQueue: theirs}
"""


def test_a_queue_of_others_must_be_there(modern: Site, bare: Site) -> None:
    files = {"components/profiles.yaml": THEIRS}
    modern.commit(**files)
    told = modern.run(*PLAN, code=3)
    missing = f"namespace `{modern.namespace}` has no LocalQueue `theirs`"
    assert f"{missing}, and `first` would wait for ever" in " ".join(told.out.split())
    assert f"{missing}, and tasks of `l4-{modern.namespace}` need it" in " ".join(told.err.split())
    queues = modern.objects()["LocalQueue"].rpartition("/")[0]
    body = {"apiVersion": f"{kueue.GROUP}/{kueue.NEW}", "kind": "LocalQueue", "metadata": {"name": "theirs"}}
    modern.admin.create(queues, {**body, "spec": {"clusterQueue": "any"}})
    assert [kind for kind, _ in modern.plan()] == ["Pipeline"]
    bare.commit(**files)
    assert "has no Kueue" in bare.run(*PLAN, code=3).err


def test_a_run_is_refused_where_it_would_wait_for_ever(modern: Site, bare: Site) -> None:
    run = ("run", "train", "-e", "prod", "--detach")
    for site, missing in (
        (modern, f"namespace `{modern.namespace}` has no LocalQueue `team`, and `first` would wait for ever"),
        (bare, "has no Kueue (kueue.x-k8s.io/v1beta2 or v1beta1), and `first` would wait for ever; install"),
    ):
        site.commit()
        pipeline = site.pipeline()
        told = site.run("run", pipeline, *run[2:], code=3)
        assert missing in " ".join(told.err.split())
        # Beside the runs of others, who share the server.
        items = site.run("runs", "list", "-e", "prod", "-o", "json").json["items"]
        assert pipeline not in {each["pipeline"] for each in items}
    modern.commit()
    modern.run(*APPLY)
    assert modern.run("run", modern.pipeline(), *run[2:]).out.strip()


def test_who_may_see_no_queues_may_run_all_the_same(modern: Site) -> None:
    nobody = modern.cluster.service_account(modern.namespace, [])
    modern.commit()
    run = ("run", modern.pipeline(), "-e", "prod", "--detach")
    (told,) = modern.stage.run(nobody, modern.namespace, run)
    assert told.code == 0, told.err


def test_a_server_that_leaves_the_extended_resource_out_is_told_of_it(stage: Stage, older: Cluster) -> None:
    site = Site(stage, older, older.namespace(), kueue.OLD)
    site.commit()
    told = " ".join(site.run(*PLAN).out.split())
    assert f"the cluster leaves `extendedResourceName` out of the DeviceClass `l4-{site.namespace}`" in told
    site.run(*APPLY)
    assert site.plan() == {}
    # It is still told, and refused where a task would ask for such devices.
    assert "leaves `extendedResourceName` out" in site.run(*PLAN).out
    site.commit(("gpu: l4-STAND", "gpu: dra-STAND"))
    assert "target-lacks" in site.run(*PLAN, code=3).err


def account(site: Site, *gone: tuple[str, str]) -> User:
    """Somebody with the rules of `deploy/`, but for some verbs on some resources."""

    def allowed(paths: Iterable[str]) -> list[Mapping[str, Any]]:
        return [
            {**rule, "resources": [resource], "verbs": verbs}
            for path in paths
            for rule in rules(path)
            for resource in rule["resources"]
            if (verbs := [verb for verb in rule["verbs"] if (resource, verb) not in gone])
        ]

    return site.cluster.service_account(
        site.namespace, allowed((ROLE, *KEPT_ROLES)), allowed(KEPT_CLUSTER_ROLES)
    )


def test_the_recommended_rules_are_enough_for_all_kinds(modern: Site) -> None:
    robot = account(modern)
    modern.commit()
    apply, doctor = modern.stage.run(robot, modern.namespace, APPLY, ("doctor", "-e", "prod"))
    assert (apply.code, doctor.code) == (0, 0), f"{apply}{doctor}"
    assert "it has all that are wanted: ClusterQueue, DeviceClass" in " ".join(doctor.out.split())
    # Some are changed in place, some made anew, all removed.
    modern.commit(
        ("nvidia.com/gpu: 8", "nvidia.com/gpu: 16"), ("value: 7", "value: 8"), ("count: 2", "count: 3")
    )
    told = modern.stage.run(robot, modern.namespace, APPLY, ("destroy", "-e", "prod", "--yes"))
    assert [each.code for each in told] == [0, 0], told[-1]
    assert not [kind for kind, path in modern.objects().items() if modern.admin.exists(path)]


@pytest.mark.parametrize("verb", ["get", "list", "create", "patch", "delete"])
def test_each_verb_on_a_queue_is_needed_and_named_where_it_is_missing(modern: Site, verb: str) -> None:
    robot = account(modern, ("clusterqueues", verb))
    modern.commit()
    told = modern.stage.run(robot, modern.namespace, PLAN, APPLY, ("destroy", "-e", "prod", "--yes"))
    assert told[-1].code in {6, 8}, told[-1]
    rule = f"verbs: [{verb}], apiGroups: [kueue.x-k8s.io], resources: [clusterqueues]"
    assert rule in told[-1].out + told[-1].err
    (doctor,) = modern.stage.run(robot, modern.namespace, ("doctor", "-e", "prod"))
    assert f"may not {verb} clusterqueues in the whole cluster" in doctor.out
