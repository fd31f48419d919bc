"""A 403 says who may not do what, and the rule that is missing."""

from __future__ import annotations

import json

import pytest

from kfgit.backends.cluster.connection.denials import denial, is_denial, told


def status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "code": 403, "reason": "Forbidden", "message": message}).encode()


# As Kubernetes 1.37 and KFP 2.17 write them.
KFP = (
    "Failed to list experiments: Failed to authorize with API: PermissionDenied: User "
    "'system:serviceaccount:ci:kfgit' is not authorized with reason:  (request: &ResourceAttributes{Namespace:team,"
    "Verb:list,Group:pipelines.kubeflow.org,Version:v1beta1,Resource:experiments,Subresource:,Name:,"
    "FieldSelector:nil,LabelSelector:nil,}): Unauthorized access"
)
CASES = [
    (
        status('configmaps "kfgit-a-b" is forbidden: User "system:serviceaccount:ci:kfgit" cannot patch resource '
               '"configmaps" in API group "" in the namespace "ml"'),
        ("`system:serviceaccount:ci:kfgit` may not patch configmaps in namespace `ml`: the rule "
        '`verbs: [patch], apiGroups: [""], resources: [configmaps]` is missing'),
    ),
    (
        status('leases.coordination.k8s.io is forbidden: User "ci" cannot create resource "leases" in API group '
               '"coordination.k8s.io" in the namespace "ml"'),
        ("`ci` may not create leases in namespace `ml`: the rule "
        "`verbs: [create], apiGroups: [coordination.k8s.io], resources: [leases]` is missing"),
    ),
    (
        status('namespaces "ml" is forbidden: User "ci" cannot get resource "namespaces" in API group "" at the '
               'cluster scope'),
        ("`ci` may not get namespaces in the whole cluster: the rule of a ClusterRole "
        '`verbs: [get], apiGroups: [""], resources: [namespaces]` is missing'),
    ),
    (
        status('services "ml-pipeline:8888" is forbidden: User "ci" cannot get resource "services/proxy" in API '
               'group "" in the namespace "kubeflow"'),
        ("`ci` may not get services/proxy in namespace `kubeflow`: the rule "
        '`verbs: [get], apiGroups: [""], resources: [services/proxy]` is missing'),
    ),
    (
        status('forbidden: User "system:anonymous" cannot get path "/version"'),
        "`system:anonymous` may not get /version: the rule `verbs: [get], nonResourceURLs: [/version]` is missing",
    ),
    (
        json.dumps({"error": KFP, "code": 7, "message": KFP, "details": []}).encode(),
        ("`system:serviceaccount:ci:kfgit` may not list experiments in namespace `team`: the rule "
        "`verbs: [list], apiGroups: [pipelines.kubeflow.org], resources: [experiments]` is missing"),
    ),
    (
        status('persistentvolumeclaims "x" is forbidden: exceeded quota: storage'),
        'PATCH /x is not allowed: persistentvolumeclaims "x" is forbidden: exceeded quota: storage',
    ),
    (b"RBAC: access denied", "PATCH /x is not allowed: RBAC: access denied"),
    (b"<html>403 Forbidden</html>", "PATCH /x is not allowed"),
    (b"", "PATCH /x is not allowed"),
    (b"[1]", "PATCH /x is not allowed"),
    (b'{"message": 3}', "PATCH /x is not allowed"),
    (b"\xff" * 3, "PATCH /x is not allowed: ���"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words"), CASES)
def test_the_rule_is_named(body: bytes, words: str) -> None:
    assert denial(body, "PATCH /x") == words


def test_a_long_word_is_bounded() -> None:
    assert len(denial(status("no " * 10_000), "GET /")) < 400
    assert len(denial(b"no " * 10_000, "GET /")) < 400


def test_uploads_say_it_with_another_number() -> None:
    assert is_denial(json.dumps({"error_message": KFP, "error_details": KFP}).encode())
    assert not is_denial(b'{"error_message": "the name is taken"}')
    assert told(b'{"error_message": "the name is taken"}') == "the name is taken"
