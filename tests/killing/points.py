"""Death at every point at which kfgit does something that others could see: one after the other, not by chance.

Points are the begin and the end of each SQL transaction, and each file, folder, link or process that is made, renamed
or removed below a project (PEP 578). `until_survived` lets a deed die at its first point, at its second, and so on,
each time on the same state as before, and asks in between whether what is left is whole.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DIED = 86
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "shutil.rmtree",
    "subprocess.Popen",
}  # fmt: skip

Deed = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Death:
    """Where it died: the number of the point, and what was about to be done."""

    number: int
    what: str


def until_survived(seed: Path, place: Path, deed: Deed) -> Iterator[Death]:
    """Lets the deed die on a fresh copy of `seed` at `place`, once at each point; ends when it came through.

    Each death is told while what it left is there. The deed itself runs in a forked process.
    """
    number = 0
    while True:
        number += 1
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(seed, place, symlinks=True)
        what = _die(place, deed, number)
        if what is None:
            return
        yield Death(number, what)


def alone(place: Path, deed: Deed) -> None:
    """Lets the deed come through, in a process of its own."""
    told = _die(place, deed, 0)
    assert told is None, told


def _die(place: Path, deed: Deed, number: int) -> str | None:
    """What was about to happen at the point of that number; None if the deed came through before."""
    note = place.parent / "died"
    child = os.fork()
    if child == 0:
        _live(place, deed, _Points(place, number, note))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _DIED:
        return note.read_text()
    assert code == 0, note.read_text()
    return None


def _live(place: Path, deed: Deed, points: _Points) -> None:
    code = 1
    try:
        points.watch()
        deed(place)
        code = 0
    except BaseException:  # noqa: BLE001 - told by the parent
        points.note.write_text(traceback.format_exc())
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
        os._exit(code)


class _Points:
    """Counts, and ends the process at the one that was asked for."""

    def __init__(self, place: Path, number: int, note: Path) -> None:
        self.note = note
        self._place = os.fspath(place)
        self._number = number
        self._passed = 0
        self._dead = False

    def watch(self) -> None:
        """From now on, in a process that was forked for this and is nobody else's."""
        connect = sqlite3.connect

        def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(self._statement)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and (arguments[2] or 0) & _WRITES):
            self._file(event, arguments)

    def _file(self, event: str, arguments: tuple[Any, ...]) -> None:
        told = f"{event} {arguments[:2]}"
        if self._place in told:
            self._pass(told)

    def _statement(self, text: str) -> None:
        if text in {"BEGIN IMMEDIATE", "COMMIT"}:
            self._pass(text)

    def _pass(self, what: str) -> None:
        if self._dead:
            return
        self._passed += 1
        if self._passed == self._number:
            self._dead = True
            self.note.write_text(what)
            os._exit(_DIED)
