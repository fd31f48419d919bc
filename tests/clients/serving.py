"""A project with a local server in it, as `kfgit up` starts it in a shell."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.door import PATIENCE, Project, command_line, environment, until


class Server:
    """Begins with `with` and is stopped as Ctrl-C would stop it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.project = Project.new(folder)
        self.project.secret("store", "token=abcdefghijkl\n")
        self.project.secret("settings", "region=north\n", kind="configmaps")
        self._log = folder / "server.log"
        self._options = options

    @property
    def url(self) -> str:
        return str(self._note()["url"])

    def _note(self) -> dict[str, object]:
        lock = self.project.root / ".kfgit" / "local" / "server.lock"
        with suppress(OSError, ValueError):
            found: dict[str, object] = json.loads(lock.read_text())
            return found
        return {}

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command_line("up", "--port", "0", *self._options), cwd=self.project.root, env=environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until(lambda: self._note().get("url") or self._process.poll() is not None, "the server")
        assert self._process.poll() is None, self._log.read_text()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
