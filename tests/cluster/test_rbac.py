"""A service account with the rules that `deploy/` recommends, and with each of them less, through the door."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.cluster import rights
from kfgit.backends.cluster.connection.wire import Forbidden
from kfgit.backends.cluster.records.codec import Place
from kfgit.backends.cluster.records.inventory import Entry
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.model import ClusterTarget, KfpServer
from tests.cluster.asking import asking
from tests.cluster.cluster import Cluster, User
from tests.cluster.forks import Told
from tests.cluster.scenarios import BASE, GOLD
from tests.cluster.stage import (
    APPLY,
    CLUSTER_ROLE,
    KEPT_CLUSTER_ROLES,
    KEPT_ROLES,
    PLAN,
    PROXY_ROLE,
    ROLE,
    Rules,
    Stage,
    rules,
    single,
)

# Only an inventory that is too large for one ConfigMap has shards to delete.
SHARDS = ("", "configmaps", "delete")


def test_doctor_asks_for_the_recommended_rules() -> None:
    asked = {
        ROLE: rights.NAMESPACED,
        CLUSTER_ROLE: rights.OF_CLUSTER["PriorityClass"],
        "components/nodes/rbac.yaml": rights.NODES,
        "components/multi-user/rbac.yaml": rights.MULTI_USER,
        PROXY_ROLE: rights.PROXY,
    }
    for path, known in asked.items():
        told = {(*what, verb) for what, verbs in known.items() for verb in verbs}
        assert told == set(single(path)), path


def test_all_that_profiles_bring_has_its_rules() -> None:
    for kinds, paths in ((rights.OF_NAMESPACE, KEPT_ROLES), (rights.OF_CLUSTER, KEPT_CLUSTER_ROLES)):
        told = {(*what, verb) for of in kinds.values() for what, verbs in of.items() for verb in verbs}
        assert told == {each for path in paths for each in single(path)}


def test_doctor_asks_for_what_the_environment_wants_and_no_more() -> None:
    target = ClusterTarget(kfp=KfpServer("http://kfp"))
    base = set(rights.needed(target, "ml"))
    more = set(
        rights.needed(target, "ml", ["LocalQueue", "DeviceClass"], ["WorkloadPriorityClass", "LocalQueue"])
    )
    assert base == set(rights.needed_in("ml"))
    verbs: dict[tuple[str, str | None], set[str]] = {}
    for right in more - base:
        verbs.setdefault((right.resource, right.namespace), set()).add(right.verb)
    kept = {"get", "list", "create", "patch", "delete"}
    assert verbs == {
        ("localqueues", "ml"): kept,
        ("deviceclasses", None): kept,
        ("workloadpriorityclasses", None): {"list"},
    }


def without(path: str, gone: tuple[str, str, str]) -> Rules:
    """The rules without one verb."""
    left = deepcopy(rules(path))
    for rule in left:
        if (gone[0], gone[1]) == (rule["apiGroups"][0], rule["resources"][0]):
            rule["verbs"].remove(gone[2])
    return [rule for rule in left if rule["verbs"]]


TOOLS = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: say}
spec:
  inputs: {text: {type: string, default: hello}, rate: {type: float, default: 1.0}}
  container:
    image: alpine:3.20
    command: [echo, $(inputs.text), "$(inputs.rate)"]
    env:
      BUCKET: {configMap: settings, key: bucket}
"""
FILES = {**BASE, "components/say.yaml": TOOLS}


def play(stage: Stage, account: User, namespace: str) -> list[Told]:
    """What the commands of a whole life say, up to the first that fails."""
    stage.commit(namespace, FILES)
    told = stage.run(account, namespace, PLAN, APPLY, ("status", "-e", "prod"))
    if told[-1].code:
        return told
    # A class of another value is another object.
    stage.commit(namespace, {**FILES, "components/gold.yaml": GOLD.replace("1000", "2000")})
    return [*told, *stage.run(account, namespace, APPLY, ("destroy", "-e", "prod", "--yes"))]


def test_the_recommended_rules_are_enough(cluster: Cluster, stage: Stage, namespace: str) -> None:
    account = cluster.service_account(namespace, rules(ROLE), rules(CLUSTER_ROLE))
    told = play(stage, account, namespace)
    assert [each.code for each in told] == [0] * 5, told[-1]
    assert "may not" not in "".join(each.out + each.err for each in told)


@pytest.mark.parametrize(
    ("path", "gone"),
    [(path, gone) for path in (ROLE, CLUSTER_ROLE) for gone in single(path) if gone != SHARDS],
    ids=lambda each: "-".join(each) if isinstance(each, tuple) else None,
)
def test_each_rule_is_needed_and_named_where_it_is_missing(
    cluster: Cluster, stage: Stage, namespace: str, path: str, gone: tuple[str, str, str]
) -> None:
    allowed = [without(each, gone) if each == path else rules(each) for each in (ROLE, CLUSTER_ROLE)]
    account = cluster.service_account(namespace, *allowed)
    last = play(stage, account, namespace)[-1]
    group, resource, verb = gone
    assert last.code in {6, 8}, last
    groups = group or '""'
    assert f"verbs: [{verb}], apiGroups: [{groups}], resources: [{resource}]" in last.out + last.err


def test_the_right_to_delete_is_for_shards(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"

    def shrink(allowed: Sequence[Mapping[str, Any]]) -> None:
        account = cluster.service_account(namespace, allowed)
        ledger = Ledger(asking(account, namespace, tmp_path), Place("p", "e"), room=250)
        ledger.read()
        for number in range(9):
            ledger.put(
                Entry("Pipeline", f"p{number}", f"id{number}", random.Random(number).randbytes(32).hex(), {})
            )
        ledger.checkpoint()
        assert len(cluster.admin.get(maps)["items"]) > 1
        for number in range(9):
            ledger.forget("Pipeline", f"id{number}")
        ledger.checkpoint()

    shrink(rules(ROLE))
    assert [each["metadata"]["name"] for each in cluster.admin.get(maps)["items"]] == ["kfgit-p-e"]
    with pytest.raises(Forbidden, match=r"verbs: \[delete\], apiGroups: \[\"\"\], resources: \[configmaps\]"):
        shrink(without(ROLE, SHARDS))
