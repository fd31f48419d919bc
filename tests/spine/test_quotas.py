"""What a cluster gives out: what Kueue admits is never refused, and what no flavor has is."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import product
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from kfgit import driver
from kfgit.demand import Quotas, quotas
from kfgit.model import Project
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
        "resources": {"accelerator": {"resource": GPU, "count": 4}},
    }
    sources = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "pipelines/made.yaml": document("Pipeline", "made", {"tasks": {"a": inner, "b": inner}}),
    }
    package = driver.compile_all(driver.check(loaded(sources), "local").value)["made"]
    for quota, code, severity, words in (
        (2, "quota-exceeded", "error", "`a` of the package of `p` asks for 4 × nvidia.com/gpu"),
        (4, "quota-exceeded", "warning", "a run of `p` holds at most 8 × nvidia.com/gpu at once: a 4, b 4"),
    ):
        texts = {
            "kfgit.yaml": sources["kfgit.yaml"],
            "environments/local.yaml": document("Environment", "local", CLUSTER),
            "components/profile.yaml": document("ResourceProfile", "a", {"quota": {GPU: quota}}),
            "pipelines/p.yaml": document("Pipeline", "p", {"package": "../made.yaml"}),
        }
        for path, text in {**texts, "made.yaml": json.dumps(package.spec)}.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        checkout = driver.check(driver.load(tmp_path), "local").value
        (told_,) = driver.violations(checkout)
        assert (told_.code, told_.severity) == (code, severity)
        assert words in told_.message
