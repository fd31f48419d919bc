from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, until

ROOT = Path(__file__).parents[2]

USES = """
import sys, time
from pathlib import Path
from tests.cluster.cluster import joined
with joined(Path(sys.argv[1]), Path(sys.argv[2])) as cluster:
    print(cluster.url, flush=True)
    time.sleep(600)
"""


def test_a_server_account_may_do_what_its_role_says_and_nothing_else(
    cluster: Cluster, namespace: str
) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    account = cluster.service_account(namespace, rules)
    place = f"/api/v1/namespaces/{namespace}"
    assert account.get(f"{place}/configmaps")["items"] == []
    assert account.ask("GET", f"{place}/secrets").status_code == 403
    assert account.ask("GET", f"/api/v1/namespaces/{cluster.namespace()}/configmaps").status_code == 403
    assert cluster.user("alice").ask("GET", f"{place}/configmaps").status_code == 403
    assert cluster.user("nobody").ask("GET", f"{place}/configmaps").status_code == 401


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_two_share_one_cluster_which_ends_with_them_though_they_are_killed(
    programs: Path, tmp_path: Path
) -> None:
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USES, str(tmp_path / "own"), str(programs)],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = {each.stdout.readline() for each in users if each.stdout is not None}
    assert len(said) == 1
    assert next(iter(said)).startswith("https://")
    assert _programs_of(tmp_path) >= {"etcd", "kube-apiserver"}
    for each in users:
        each.kill()
        each.communicate()
    until(lambda: not _programs_of(tmp_path))


def _programs_of(folder: Path) -> set[str]:
    found = set()
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
        except OSError:
            continue
        if process.name != str(os.getpid()) and any(os.fsencode(folder) in word for word in words):
            found.add(Path(os.fsdecode(words[0])).name)
    return found
