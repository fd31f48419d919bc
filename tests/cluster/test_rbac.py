"""A service account with the rules that `deploy/` recommends, and with each of them less, through the door."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfgit.backends.cluster.inventory import Entry
from kfgit.backends.cluster.inventory_codec import Place
from kfgit.backends.cluster.records import Ledger
from kfgit.backends.cluster.wire import Forbidden
from tests.cluster.asking import asking
from tests.cluster.cluster import Cluster, User
from tests.cluster.forks import Forks, Told
from tests.cluster.scenarios import BASE, GOLD
from tests.e2e.door import Project
from tests.serving import Server, serving

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLE = "base/rbac.yaml"
CLUSTER_ROLE = "components/priority-classes/rbac.yaml"
# Only an inventory that is too large for one ConfigMap has shards to delete.
SHARDS = ("", "configmaps", "delete")

Rules = list[Mapping[str, Any]]


def rules(path: str) -> Rules:
    """What a role of ours allows."""
    documents = yaml.safe_load_all((DEPLOY / path).read_text())
    (role,) = (each for each in documents if each["kind"] in {"Role", "ClusterRole"})
    found: Rules = role["rules"]
    return found


def single(path: str) -> list[tuple[str, str, str]]:
    """Group, resource and verb of everything that a role allows."""
    return [
        (group, resource, verb)
        for rule in rules(path)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


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
APPLY = ("apply", "-e", "prod", "--yes")
STORY = (("plan", "-e", "prod"), APPLY, ("status", "-e", "prod"))


@dataclass(frozen=True, slots=True)
class Stage:
    """A namespace, and a kfgit that asks as whoever is in the kubeconfig."""

    cluster: Cluster
    kfp: Server
    forks: Forks
    folder: Path

    def play(self, account: User, namespace: str) -> list[Told]:
        """What the commands of the story say, up to the first that fails."""
        account.kubeconfig(self.folder / "kubeconfig", namespace)
        repository = self.folder / namespace
        words = {
            "STAND": namespace,
            "ENDPOINT": self.kfp.url,
            "{type: bearer, tokenFile: TOKEN}": "{type: none}",
        }
        commit(repository, FILES, words)
        told = self.forks.run(repository, *STORY)
        if told[-1].code:
            return told
        # A class of another value is another object.
        commit(repository, {**FILES, "components/gold.yaml": GOLD.replace("1000", "2000")}, words)
        return [*told, *self.forks.run(repository, APPLY, ("destroy", "-e", "prod", "--yes"))]


def commit(folder: Path, files: Mapping[str, str], words: Mapping[str, str]) -> None:
    """Puts files into a repository."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(told(text, words))
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com")
    for step in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "change")):
        subprocess.run(["git", *step], cwd=folder, check=True, capture_output=True)


def told(text: str, words: Mapping[str, str]) -> str:
    """A document of `scenarios`; its names are the namespace's own, since KFP's server is everybody's here."""
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    own = words["STAND"].rpartition("-")[2]
    return re.sub(r"(?<=: )(train|serve|nightly|hourly|course|first)(?=[,}])", rf"\1-{own}", text)


@pytest.fixture(scope="module")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("rbac")
    variables = {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
    with (
        serving(Project.new(folder / "kfp"), "--no-engine", "--no-scheduler") as kfp,
        Forks(variables) as forks,
    ):
        yield Stage(cluster, kfp, forks, folder)


def test_the_recommended_rules_are_enough(stage: Stage, namespace: str) -> None:
    account = stage.cluster.service_account(namespace, rules(ROLE), rules(CLUSTER_ROLE))
    told = stage.play(account, namespace)
    assert [each.code for each in told] == [0] * 5, told[-1]
    assert "may not" not in "".join(each.out + each.err for each in told)


@pytest.mark.parametrize(
    ("path", "gone"),
    [(path, gone) for path in (ROLE, CLUSTER_ROLE) for gone in single(path) if gone != SHARDS],
    ids=lambda each: "-".join(each) if isinstance(each, tuple) else None,
)
def test_each_rule_is_needed_and_named_where_it_is_missing(
    stage: Stage, namespace: str, path: str, gone: tuple[str, str, str]
) -> None:
    allowed = [without(each, gone) if each == path else rules(each) for each in (ROLE, CLUSTER_ROLE)]
    account = stage.cluster.service_account(namespace, *allowed)
    last = stage.play(account, namespace)[-1]
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
