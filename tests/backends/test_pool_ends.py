"""What the machine refuses to the pool and to locks: nothing stays taken, and nothing of others is touched."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.local import locks
from kfgit.backends.local.admission import Ask
from kfgit.backends.local.devices import Inventory
from kfgit.backends.local.machine import Capacity
from kfgit.backends.local.nvml import WHOLE, Device, Found
from kfgit.backends.local.pool import Pool
from kfgit.backends.local.room import Room

GPU = Device("GPU-1", WHOLE, "L4", 8 << 30)
ALL = Ask(cpu=1000, memory=100, resource=WHOLE, count=1)


def room(folder: Path) -> Room:
    return Room(Capacity(1000, 100), Inventory(lambda: Found((GPU,)), folder))


def refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_what_nobody_can_carry_out_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, ended = Pool(4, room(tmp_path)), threading.Event()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="thread"):
            pool.submit(lambda _: None, ALL)
    pool.submit(lambda _: ended.set(), ALL)
    assert ended.wait(30)


def test_those_that_were_let_in_with_it_are_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, begun, ended = Pool(4, room(tmp_path)), threading.Event(), threading.Event()
    other = locks.take(tmp_path / f"{GPU.uuid}.lock")
    assert other is not None
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        pool.submit(lambda _: begun.set(), ALL)  # waits for the device, which another process has
        other.release()
        with pytest.raises(RuntimeError, match="thread"):
            pool.submit(lambda _: None, Ask())
    pool.submit(lambda _: ended.set(), Ask())
    assert begun.wait(30)
    assert ended.wait(30)


def test_without_a_place_for_locks_no_device_is_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = room(tmp_path).inventory
    assert found.count(WHOLE) == 0
    assert found.found.fault == f"{tmp_path} cannot be written to"


def test_a_lock_is_no_way_to_a_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(MachineFault), locks.apply_lock(tmp_path / "lock", "me"):
        pass
    assert (tmp_path / "precious").read_text() == "as it was"
    assert room(tmp_path).inventory.take(ALL) is not None
    (tmp_path / "GPU-1.lock").unlink()
    (tmp_path / "GPU-1.lock").symlink_to(tmp_path / "made")
    assert room(tmp_path).inventory.take(ALL) is None
    assert not (tmp_path / "made").exists()
