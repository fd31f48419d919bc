from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, until

ROOT = Path(__file__).parents[2]
SERVERS = {"etcd", "kube-apiserver"}

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
def test_two_share_one_cluster_which_ends_with_them_whoever_is_killed(programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    users = [_user(folder, programs) for _ in range(2)]
    shared = {_url(each) for each in users}
    assert len(shared) == 1
    assert _programs_of(folder).keys() >= SERVERS
    # Without its keeper it is gone too, and whoever comes next gets another one.
    for process in _programs_of(folder)["python"]:
        if process not in {each.pid for each in users}:
            os.kill(process, signal.SIGKILL)
    until(lambda: not SERVERS & _programs_of(folder).keys())
    users.append(_user(folder, programs))
    assert _url(users[-1]) not in shared
    for each in users:
        each.kill()
        each.communicate()
    until(lambda: not _programs_of(folder))


def _user(folder: Path, programs: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USES, str(folder), str(programs)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def _url(user: subprocess.Popen[str]) -> str:
    assert user.stdout is not None
    said = user.stdout.readline()
    assert said.startswith("https://")
    return said


def _programs_of(folder: Path) -> dict[str, list[int]]:
    """The programs that have to do with a folder, by their names."""
    found: dict[str, list[int]] = {}
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
        except OSError:
            continue
        if any(os.fsencode(folder) in word for word in words):
            name = Path(os.fsdecode(words[0])).name
            found.setdefault("python" if name.startswith("python") else name, []).append(int(process.name))
    return found
