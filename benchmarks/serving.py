"""A server in a process of its own: `kfgit up`, or the bare one that is the floor."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, Broken

_PEERS = Path(__file__).with_name("peers")
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    port: int
    pid: int

    @property
    def memory(self) -> int:
        """Its resident memory in bytes."""
        told = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True
        )
        return int(told.stdout) * 1024

    def get(self, path: str) -> tuple[float, Mapping[str, Any]]:
        """The seconds that one call takes on a connection of its own, and the answer. Raises `Broken` for a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.connect()
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            took = time.perf_counter() - began
        finally:
            connection.close()
        if answer.status != 200:
            raise Broken(f"GET {path} was answered with {answer.status}: {body[:300]!r}")
        return took, json.loads(body)

    def load(self, bench: Bench, clients: int, seconds: float) -> Mapping[str, Any]:
        """What `peers/load.py` tells. Raises `Broken` where an answer was no 2xx, or an experiment is lost."""
        argv = (sys.executable, str(_PEERS / "load.py"), str(self.port), str(clients), str(seconds))
        told: Mapping[str, Any] = json.loads(bench.text(*argv))
        if told["refused"] or told["lost"]:
            raise Broken(
                f"{clients} clients: {told['lost']} of {told['made']} experiments are lost, "
                f"and {told['refused']} answers were no 2xx: {told['statuses']}"
            )
        return told


@contextmanager
def kfgit(bench: Bench, root: Path, *flags: str) -> Iterator[Server]:
    """`kfgit up` of the project in a folder."""
    argv = [*bench.kfgit, "up", "--port", "0", "-o", "json", *flags]
    with _process(argv, bench, root) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Broken(f"`{' '.join(argv)}` does not come up")
        told = json.loads(line)
        yield Server(int(told["url"].rpartition(":")[2]), told["pid"])


@contextmanager
def bare(bench: Bench) -> Iterator[Server]:
    """The floor: the same libraries, and nothing behind them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _process(
        [sys.executable, str(_PEERS / "bare_server.py"), str(port)], bench, bench.scratch
    ) as process:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise Broken("the bare server does not come up") from None
                time.sleep(0.05)
        yield Server(port, process.pid)


@contextmanager
def _process(argv: list[str], bench: Bench, root: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        argv, cwd=root, env={**os.environ, **bench.environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
