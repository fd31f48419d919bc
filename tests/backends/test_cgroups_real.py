"""Limits of memory with the kernel's own control groups. Where cgroup v2 lets nobody make some, it says why not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local.cgroups import Kernel, Refusal, _own_group
from kfgit.backends.local.worker import entering

# Runs an attempt as kfgit does, and prints what became of it.
RUN = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    from kfgit.backends.local import worker
    from kfgit.backends.local.protocol import Execute

    folder, tasks = Path(sys.argv[1]), json.loads(sys.argv[2])
    told = []
    for number, (program, resources) in enumerate(tasks):
        command = Execute("t", "t", "t", "comp-t", {}, {"image": "", "command": [sys.executable, "-c", program],
            "resources": resources}, {}, {})
        settings = worker.WorkerSettings(folder, folder, folder, "0123456789ab", "r", "process")
        place = worker.AttemptPlace(folder / f"attempt-{number}", folder / f"artifacts-{number}")
        notes = [note for note in worker.parity(command, settings) if "limit" in note]
        try:
            worker.run_attempt(command, place, settings, worker.Hooks())
        except worker.TaskFailure as failure:
            told.append([str(failure), notes])
        else:
            told.append(["", notes])
        print(place.folder.joinpath("log.txt").read_text(), file=sys.stderr)
    print(json.dumps(told), flush=True)
""")
LIMIT = {"resourceMemoryLimit": "96Mi", "memoryLimit": 0.1}
GREEDY = "x = bytearray(300 << 20); print('alive')"
MODEST = "x = bytearray(20 << 20); print('alive')"
# The leader waits for a child that takes too much: both are one task.
FAMILY = (
    f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {GREEDY!r}]).returncode and 3)"
)
GROUP = "print(open('/proc/self/cgroup').read())"


def usable() -> str | None:
    """The nearest group in or above our own below which groups with limits of memory can be made."""
    kernel, own = Kernel(), _own_group(Kernel())
    while not isinstance(own, Refusal) and kernel.read(f"{own}/cgroup.controllers") is not None:
        is_root = kernel.read(f"{own}/cgroup.type") is None
        if is_root and "memory" in (kernel.read(f"{own}/cgroup.controllers") or "").split():
            try:
                kernel.write(f"{own}/cgroup.subtree_control", "+memory")
            except OSError:
                return None
        if "memory" in (kernel.read(f"{own}/cgroup.subtree_control") or "").split():
            return own if os.access(own, os.W_OK) and os.access(f"{own}/cgroup.procs", os.W_OK) else None
        own = str(Path(own).parent)
    return None


@pytest.fixture
def delegated() -> Iterator[Path]:
    """A group for one kfgit alone, as `systemd-run --scope -p Delegate=yes` makes one."""
    parent = usable()
    if parent is None:
        pytest.skip("this machine lets nobody here make groups of cgroup v2 that can bound memory")
    folder = Path(parent, f"test-of-kfgit-{os.getpid()}")
    folder.mkdir()
    yield folder
    for _ in range(200):
        for above, _, _ in os.walk(folder, topdown=False):
            try:
                Path(above).rmdir()
            except OSError:
                time.sleep(0.01)
    assert not folder.exists(), "processes or groups were left behind"


def kfgit(group: Path, folder: Path, *tasks: tuple[str, dict[str, Any]]) -> subprocess.Popen[str]:
    """A kfgit in this group that runs these tasks, one after the other."""
    argv = [sys.executable, "-I", "-S", entering.__file__, str(group)]
    argv += [sys.executable, "-c", RUN, str(folder), json.dumps(tasks)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def outcome(process: subprocess.Popen[str]) -> list[list[Any]]:
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    found: list[list[Any]] = json.loads(told)
    return found


def groups(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.is_dir()]


def test_who_takes_more_than_its_limit_is_killed(delegated: Path, tmp_path: Path) -> None:
    told = outcome(
        kfgit(delegated, tmp_path, (GREEDY, LIMIT), (MODEST, LIMIT), (GREEDY, {}), (FAMILY, LIMIT))
    )
    killed = "OOMKilled: it used more than its limit of 96Mi (exit code 137)"
    assert [error for error, _ in told] == [killed, "", "", killed]
    assert [notes for _, notes in told] == [[], [], [], []]
    assert groups(delegated) == []


def test_only_a_task_with_limits_has_a_group(delegated: Path, tmp_path: Path) -> None:
    outcome(kfgit(delegated, tmp_path, (GROUP, {}), (GROUP, LIMIT), (GROUP, {})))
    first, second, third = (
        tmp_path.joinpath(f"attempt-{n}/log.txt").read_text().strip().rpartition("/")[2] for n in range(3)
    )
    assert first == delegated.name  # nothing is moved before it is needed
    assert second.startswith(f"{third}-")
    assert third.startswith("kfgit-")


def test_who_is_not_alone_is_left_where_it_is(delegated: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", entering.__file__, str(delegated), "sleep", "300"]
    with subprocess.Popen(argv) as other:
        try:
            while str(other.pid) not in (delegated / "cgroup.procs").read_text().split():
                time.sleep(0.01)
            [(error, notes)] = outcome(kfgit(delegated, tmp_path, (GREEDY, LIMIT)))
        finally:
            other.kill()
    assert error == ""
    [note] = notes
    assert note.startswith("memory limits are not enforced: kfgit is not alone in its cgroup")


def test_a_killed_kfgit_leaves_no_group(delegated: Path, tmp_path: Path) -> None:
    asleep = f"import time; open({str(tmp_path / 'there')!r}, 'w').close(); time.sleep(300)"
    process = kfgit(delegated, tmp_path, (asleep, LIMIT))
    while not (tmp_path / "there").exists():
        assert process.poll() is None
        time.sleep(0.01)
    assert groups(delegated)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until = time.monotonic() + 60
    while groups(delegated) and time.monotonic() < until:
        time.sleep(0.05)
    assert groups(delegated) == []


def test_the_groups_of_the_dead_are_removed_by_the_next(delegated: Path, tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    (delegated / f"kfgit-{gone.pid}-0").mkdir()
    outcome(kfgit(delegated, tmp_path, (MODEST, LIMIT)))
    assert groups(delegated) == []


def test_at_the_root_of_all_groups_nobody_is_moved(tmp_path: Path) -> None:
    root = _own_group(Kernel())
    if usable() != root or Kernel().read(f"{root}/cgroup.type") is not None:
        pytest.skip("these tests do not run at the root of all groups, or may not make some there")
    [[error, notes], [_, none]] = outcome(kfgit(Path(str(root)), tmp_path, (GREEDY, LIMIT), (GROUP, {})))
    assert error == "OOMKilled: it used more than its limit of 96Mi (exit code 137)"
    assert (notes, none) == ([], [])
    assert tmp_path.joinpath("attempt-1/log.txt").read_text().strip().endswith("0::/")
    assert not [name for name in groups(Path(str(root))) if name.startswith("kfgit-")]


def test_a_program_that_cannot_start_is_told_in_its_log(delegated: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", entering.__file__, str(delegated), str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"`{tmp_path}` cannot be started: Permission denied\n")
