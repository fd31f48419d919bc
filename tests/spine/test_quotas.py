"""What a cluster gives out: what Kueue admits is never refused, and what no flavor has is."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import driver
from kfgit.demand import Quotas, quotas
from kfgit.demand.packaged import amounts
from kfgit.model import Project
from kfgit.packages.compiled import Compiled
from tests.spine.test_peaks import loaded

GPU, CPU = "nvidia.com/gpu", "cpu"
CLUSTER = {"target": {"type": "cluster", "namespace": "ml", "kfp": {"endpoint": "https://kfp.example.com"}}}


def document(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "kfgit.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})


def project(profiles: dict[str, dict[str, Any]], environment: dict[str, Any]) -> Project:
    texts = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "environments/local.yaml": document("Environment", "local", environment),
        "components/profiles.yaml": "\n---\n".join(
            document("ResourceProfile", name, spec) for name, spec in profiles.items()
        ),
    }
    found = driver.check(loaded(texts), "local")
    assert [d for d in driver.mistakes(found) if d.severity == "error"] == []
    return found.value.project.project


def told(profiles: dict[str, dict[str, Any]], environment: dict[str, Any] | None = None) -> Quotas:
    return quotas(project(profiles, CLUSTER if environment is None else environment))


# --- Kueue, played


class Flavor(NamedTuple):
    """A flavor of one ClusterQueue, and what it has of GPUs with what it may borrow."""

    labels: dict[str, str]
    quota: int
    borrowing: int | None

    def amount(self, *, in_cohort: bool) -> float:
        if not in_cohort:
            return self.quota
        return inf if self.borrowing is None else self.quota + self.borrowing


LABELS = st.dictionaries(st.sampled_from(["gpu", "zone"]), st.sampled_from(["a", "b"]))
FLAVORS = st.lists(
    st.builds(Flavor, LABELS, st.integers(0, 4), st.none() | st.integers(0, 2)), min_size=1, max_size=3
)


def profiles_of(
    flavors: list[Flavor], selectors: list[dict[str, str]], *, in_cohort: bool
) -> dict[str, dict[str, Any]]:
    """A profile for each flavor, and others that only come to the queue, with a selector each."""
    queue = {"localQueue": "q", "clusterQueue": "q", **({"cohort": "c"} if in_cohort else {})}
    found: dict[str, dict[str, Any]] = {}
    for number, flavor in enumerate(flavors):
        limit = (
            {"borrowingLimit": {GPU: flavor.borrowing}} if in_cohort and flavor.borrowing is not None else {}
        )
        found[f"f{number}"] = {
            "node": {"selector": flavor.labels},
            "queue": {**queue, **limit},
            "quota": {GPU: flavor.quota},
        }
    for number, selector in enumerate(selectors):
        found[f"p{number}"] = {"node": {"selector": selector}, "queue": queue}
    return found


def fits(flavor: Flavor, selector: dict[str, str], flavors: list[Flavor]) -> bool:
    """As Kueue's flavor assigner: of a pod's selector the keys count that any flavor has."""
    keys = {key for each in flavors for key in each.labels}
    return all(flavor.labels.get(key) == value for key, value in selector.items() if key in keys)


@settings(max_examples=80)
@given(
    flavors=FLAVORS,
    selectors=st.lists(LABELS, min_size=1, max_size=3),
    counts=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    in_cohort=st.booleans(),
)
def test_what_kueue_admits_is_within_all_quotas(
    flavors: list[Flavor], selectors: list[dict[str, str]], counts: list[int], *, in_cohort: bool
) -> None:
    here = project(profiles_of(flavors, selectors, in_cohort=in_cohort), CLUSTER)
    known = quotas(here)
    tasks = [(here.profiles[f"p{i}"], s, counts[i]) for i, s in enumerate(selectors)]
    room = [flavor.amount(in_cohort=in_cohort) for flavor in flavors]
    for profile, selector, count in tasks:
        binding = [quota for quota in known.all if quota.binds(profile)]
        usable = [f for f in flavors if fits(f, selector, flavors)]
        admitted = any(count <= flavor.amount(in_cohort=in_cohort) for flavor in usable)
        assert admitted == (bool(binding) and all(count <= quota.largest for quota in binding))
        assert known.queue_of(profile) == "q"
    for choice in product(range(len(flavors)), repeat=len(tasks)):
        used = [sum(t[2] for t, f in zip(tasks, choice, strict=True) if f == i) for i in range(len(flavors))]
        fit = all(fits(flavors[f], t[1], flavors) for t, f in zip(tasks, choice, strict=True))
        if fit and all(have >= want for have, want in zip(room, used, strict=True)):
            for quota in known.all:
                assert sum(t[2] for t in tasks if quota.binds(t[0])) <= quota.most


# --- single cases


def test_a_local_target_keeps_none() -> None:
    assert told({"a": {"quota": {GPU: 1}}}, {"target": {"type": "local"}}) == Quotas()
    assert told({"a": {"limits": {CPU: "1"}}}) == Quotas()


def test_a_quota_of_the_namespace_binds_everybody() -> None:
    found = told({"a": {"quota": {GPU: 1, CPU: "500m"}}, "b": {"extends": "a"}})
    assert [(q.resource, q.most, q.largest, q.said, q.queue) for q in found.all] == [
        (GPU, 1, 1, "1", None),
        (CPU, Fraction(1, 2), Fraction(1, 2), "500m", None),
    ]
    assert all(quota.binds(None) for quota in found.all)
    assert found.queue_of(None) is None


def test_what_only_inherits_a_quota_has_the_same() -> None:
    queue = {"localQueue": "q", "clusterQueue": "q"}
    found = told({"a": {"queue": queue, "quota": {GPU: 4}}, "b": {"extends": "a", "limits": {CPU: "1"}}})
    (quota,) = found.all
    assert quota.profiles == frozenset({"a", "b"})
    assert not quota.binds(None)


@pytest.mark.parametrize("cohort", [False, True])
def test_a_resource_that_a_flavor_says_nothing_of_is_not_there_or_borrowed(*, cohort: bool) -> None:
    queue = {"localQueue": "q", "clusterQueue": "q", **({"cohort": "c"} if cohort else {})}
    found = told(
        {
            "a": {"queue": queue, "quota": {GPU: 4, CPU: 8}, "node": {"selector": {"gpu": "a"}}},
            "b": {"queue": queue, "quota": {GPU: 2}, "node": {"selector": {"gpu": "b"}}},
        }
    )
    amounts = {
        (quota.resource, tuple(sorted(quota.profiles or ()))): (quota.said, quota.most) for quota in found.all
    }
    none = inf if cohort else 0
    assert amounts[GPU, ("a", "b")] == ("4 + 2", inf if cohort else 6)
    assert amounts[GPU, ("b",)] == ("2", inf if cohort else 2)
    assert amounts[CPU, ("b",)] == ("0", none)
    assert found.covered == {"q": {GPU, CPU}}


def test_a_queue_that_kfgit_does_not_keep_has_no_quotas_that_it_knows() -> None:
    found = told({"a": {"queue": {"localQueue": "theirs"}, "quota": {GPU: 4}}})
    assert [quota.queue for quota in found.all] == [None]
    assert found.covered == {}


def test_a_package_has_what_the_namespace_has(tmp_path: Path) -> None:
    inner = {
        "component": {"container": {"image": "e.com/a:1"}},
        "resources": {
            "requests": {"cpu": "6"},
            "limits": {"memory": "8Gi"},
            "accelerator": {"resource": GPU, "count": 4},
        },
    }
    sources = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "pipelines/made.yaml": document("Pipeline", "made", {"tasks": {"a": inner, "b": inner}}),
    }
    package = driver.compile_all(driver.check(loaded(sources), "local").value)["made"]
    for quota, words in (
        ({GPU: 2}, "`a` of the package of `p` asks for 4 × nvidia.com/gpu"),
        ({GPU: 4}, "a run of `p` holds at most 8 × nvidia.com/gpu at once: a 4, b 4"),
        ({CPU: "5500m"}, "`exec-a` of the package of `p` asks for 6 of cpu"),
        ({"memory": "7Gi"}, "`exec-a` of the package of `p` asks for 8Gi of memory"),
        ({CPU: 6, "memory": "8Gi", GPU: 8}, None),
    ):
        texts = {
            "kfgit.yaml": sources["kfgit.yaml"],
            "environments/local.yaml": document("Environment", "local", CLUSTER),
            "components/profile.yaml": document(
                "ResourceProfile",
                "a",
                {"quota": quota, "limitRange": {"defaultRequest": {CPU: 1, "memory": "1Gi"}}},
            ),
            "pipelines/p.yaml": document("Pipeline", "p", {"package": "../made.yaml"}),
        }
        for path, text in {**texts, "made.yaml": json.dumps(package.spec)}.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        checkout = driver.check(driver.load(tmp_path), "local").value
        told_ = [each for each in driver.violations(checkout) if each.code == "quota-exceeded"]
        assert [each.severity for each in told_] == (["error"] if words else [])
        assert all(str(words) in each.message for each in told_)


@pytest.mark.parametrize(
    ("resources", "told_"),
    [
        ({"resourceCpuRequest": "500m", "cpuRequest": 4.0, "resourceCpuLimit": "8"}, [("cpu", "500m")]),
        ({"cpuRequest": 0.5, "cpuLimit": 2.0}, [("cpu", "0.5")]),
        ({"cpuLimit": 2.0, "memoryLimit": 1.5}, [("cpu", "2.0"), ("memory", "1.5G")]),
        ({"memoryRequest": 0.0, "resourceMemoryLimit": "2Gi"}, [("memory", "2Gi")]),
        ({"resourceMemoryRequest": "{{$.inputs.parameters['m']}}"}, []),
        ({}, []),
    ],
)
def test_what_an_executor_asks_for_of_cpu_and_memory(
    resources: dict[str, Any], told_: list[tuple[str, str]]
) -> None:
    executors = {"e": {"container": {"resources": resources}}, "i": {"importer": {}}}
    spec = {"deploymentSpec": {"executors": executors}}
    package = cast("Compiled", SimpleNamespace(spec=spec))
    assert [(each.resource, each.told) for each in amounts(package)] == told_
    assert all(each.amount > 0 and each.executor == "e" for each in amounts(package))


# --- runs whose tasks have room one by one, and not together

PLAIN: dict[str, dict[str, Any]] = {"gpu": {"accelerator": {"resource": GPU, "count": 2}, "quota": {GPU: 4}}}
QUEUE = {"localQueue": "q", "clusterQueue": "q"}
QUEUED: dict[str, dict[str, Any]] = {
    "gpu": {
        "accelerator": {"resource": GPU, "count": 2},
        "queue": QUEUE,
        "quota": {GPU: 4, "cpu": 64, "memory": "64Gi"},
    }
}
# The queue has 4 of the namespace's 5.
BOTH: dict[str, dict[str, Any]] = {**QUEUED, "all": {"quota": {GPU: 5}}}
LEAF = {"component": {"container": {"image": "e.com/a:1", "script": "echo"}}, "profile": "gpu"}
SWEEP = {"forEach": [1, 2, 3, 4], "tasks": {"train": LEAF}}
FREE = {**LEAF, "profile": "all", "resources": {"accelerator": {"resource": GPU, "count": 3}}}
MOMENT = "a run of `p` holds at most 8 × nvidia.com/gpu at once: sweep/train 4 × 2"
FIT = "give `sweep` `parallelism: 2`, with which it holds 4"
QUEUE_UP = "give the profile a `queue`, where tasks wait their turn, or raise the quota"
ORDER = "order tasks with `after`, give loops a smaller `parallelism`"
OPEN = {"forEach": "$(inputs.of)", "tasks": {"train": LEAF}}


def violations(profiles: dict[str, dict[str, Any]], tasks: dict[str, Any]) -> list[tuple[str, str, str]]:
    texts = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "environments/local.yaml": document("Environment", "local", CLUSTER),
        "components/profiles.yaml": "\n---\n".join(
            document("ResourceProfile", name, spec) for name, spec in profiles.items()
        ),
        "pipelines/p.yaml": document(
            "Pipeline", "p", {"inputs": {"of": {"type": "list", "default": [1]}}, "tasks": tasks}
        ),
    }
    found = driver.check(loaded(texts), "local")
    assert [d for d in driver.mistakes(found) if d.severity == "error"] == []
    return [(each.severity, each.message, each.help or "") for each in driver.violations(found.value)]


@pytest.mark.parametrize(
    ("profiles", "tasks", "severity", "message", "help_"),
    [
        (PLAIN, {"sweep": SWEEP}, "error", f"{MOMENT}; the quota of the profile `gpu` has 4", FIT),
        (PLAIN, {"sweep": SWEEP}, "error", MOMENT, QUEUE_UP),
        (PLAIN, {"a": LEAF, "b": LEAF, "c": LEAF}, "error", "at once: a 2, b 2, c 2", ORDER),
        # One iteration has no room by itself: no number of them has.
        (
            PLAIN,
            {"sweep": {"forEach": [1, 2], "tasks": {"a": LEAF, "b": LEAF, "c": LEAF}}},
            "error",
            "a run of `p` holds at most 12",
            ORDER,
        ),
        # Of an outer loop nobody knows how much it holds while the items of the inner one are not known.
        (
            PLAIN,
            {"outer": {"forEach": [1, 2, 3], "tasks": {"sweep": OPEN}}},
            "error",
            "at most 6 × nvidia.com/gpu at once with one iteration of `outer/sweep`",
            ORDER,
        ),
        (
            QUEUED,
            {"sweep": SWEEP},
            "warning",
            f"{MOMENT}; the ClusterQueue `q` has 4, and the rest waits",
            f"{FIT}, or raise the quota",
        ),
        (
            PLAIN,
            {"sweep": OPEN},
            "warning",
            (
                "nobody knows how many nvidia.com/gpu a run of `p` holds at once: the items of `sweep` are known only "
                "when it runs; the quota of the profile `gpu` has 4"
            ),
            "give the loop a `parallelism` of at most 2",
        ),
        (PLAIN, {"sweep": OPEN, "a": LEAF}, "warning", "nobody knows", "give the loop a `parallelism`"),
        (BOTH, {"a": FREE, "b": FREE}, "error", "at most 6 × nvidia.com/gpu at once: a 3, b 3", ORDER),
    ],
)
def test_what_is_told_of_a_run(
    profiles: dict[str, Any], tasks: dict[str, Any], severity: str, message: str, help_: str
) -> None:
    (told_,) = violations(profiles, tasks)
    assert told_[0] == severity
    assert message in told_[1]
    assert help_ in told_[2]


@pytest.mark.parametrize(
    ("profiles", "tasks"),
    [
        (PLAIN, {"sweep": {**SWEEP, "parallelism": 2}}),
        (PLAIN, {"sweep": {**OPEN, "parallelism": 2}}),
        (PLAIN, {"a": LEAF, "b": LEAF, "c": {**LEAF, "after": ["a"]}}),
        # In a queue tasks wait: how many there are matters to nobody.
        (QUEUED, {"sweep": OPEN}),
        (BOTH, {"sweep": OPEN}),
        # Only tasks without devices are in the loop.
        (PLAIN, {"sweep": {**OPEN, "tasks": {"t": {"component": LEAF["component"]}}}, "a": LEAF}),
        # The queue holds back what the namespace has no room for, so that no run holds more than 4 and 1.
        (BOTH, {"a": LEAF, "b": LEAF}),
    ],
)
def test_what_fits_is_not_told(profiles: dict[str, Any], tasks: dict[str, Any]) -> None:
    assert violations(profiles, tasks) == []


def test_what_a_queue_holds_back_is_no_error_of_the_namespace() -> None:
    found = violations(BOTH, {"a": LEAF, "b": LEAF, "c": LEAF})
    assert {severity for severity, *_ in found} == {"warning"}
    assert all("and the rest waits" in message for _, message, _ in found)
