"""Kueue's older version and its newer one say the same, and nothing else is touched."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from kfgit.backends.cluster.kubernetes import versions

NEW, OLD = "kueue.x-k8s.io/v1beta2", "kueue.x-k8s.io/v1beta1"
SPECS = st.dictionaries(
    st.sampled_from(["cohortName", "queueingStrategy", "resourceGroups", "preemption"]), st.text(max_size=3)
)
KINDS = st.sampled_from(["ClusterQueue", "LocalQueue", "ResourceFlavor"])


def entry(version: str, *fields: str) -> dict[str, Any]:
    return {"apiVersion": version, "fieldsV1": {"f:spec": {f"f:{name}": {} for name in fields}}}


@given(KINDS, SPECS, st.sampled_from([NEW, OLD]))
def test_what_is_sent_comes_back_as_it_was_said(kind: str, spec: dict[str, Any], served: str) -> None:
    said = {"apiVersion": NEW, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    sent = versions.sent(said, served)
    assert sent["apiVersion"] == served
    if kind == "ClusterQueue" and served == OLD:
        assert "cohortName" not in sent["spec"]
        assert sent["spec"].get("cohort") == spec.get("cohortName")
    assert versions.told(sent, NEW) == said


def test_who_set_what_is_told_in_the_newer_words_whichever_version_it_was_set_in() -> None:
    entries = [entry(OLD, "cohort", "preemption"), entry(NEW, "cohortName"), {"manager": "odd"}]
    live = {
        "apiVersion": NEW,
        "kind": "ClusterQueue",
        "metadata": {"name": "a", "managedFields": entries},
        "spec": {"cohortName": "x"},
    }
    fields = versions.told(live, NEW)["metadata"]["managedFields"]
    assert fields == [entry(OLD, "cohortName", "preemption"), entry(NEW, "cohortName"), {"manager": "odd"}]


def test_kinds_of_others_have_one_version() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "spec": {"cohort": "x"}}
    assert versions.older("v1") is None
    assert versions.sent(manifest, "v1") is manifest
    assert versions.told(manifest, "v1") == manifest
