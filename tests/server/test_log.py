"""The log of a server: whole lines, bounded, and never in anybody's way."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from kfgit.server.log import Log
from tests.e2e.door import until


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_what_is_said_is_written(tmp_path: Path) -> None:
    heard: list[str] = []
    log = Log(tmp_path / "log", heard.append)
    log.say("one")
    log.event("started", url="x\ny")
    log.close()
    assert lines(tmp_path / "log")[0] == "one"
    told = json.loads(lines(tmp_path / "log")[1])
    assert (told["event"], told["url"]) == ("started", "x\ny")
    assert heard == lines(tmp_path / "log")


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", flush_seconds=0.001)

    def speak(name: int) -> None:
        for number in range(500):
            log.say(f"{name} {number}")

    speakers = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
    for each in speakers:
        each.start()
    for each in speakers:
        each.join()
    log.close()
    assert sorted(lines(tmp_path / "log")) == sorted(f"{a} {b}" for a in range(4) for b in range(500))


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", max_bytes=1000, flush_seconds=0.001)
    for number in range(100):
        log.say(f"{number:0>99}")
        if not number % 5:
            until(lambda number=number: any(f"{number:0>99}" in lines(p) for p in tmp_path.iterdir()))  # type: ignore[misc]
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 4000
    assert f"{99:0>99}" in (tmp_path / "log").read_text() + (tmp_path / "log.1").read_text()


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "not yet"
    log = Log(folder / "log", flush_seconds=0.001)
    log.say("lost")
    until(lambda: not log.waiting)
    folder.mkdir()
    log.say("kept")
    until(lambda: "kept" in lines(folder / "log"))
    log.close()
    assert {"event": "lines dropped", "count": 1} in [
        json.loads(x) for x in lines(folder / "log") if x != "kept"
    ]
