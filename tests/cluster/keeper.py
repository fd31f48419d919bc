"""The process that keeps one test session's etcd and API server running, and ends with the session, however that dies.

Whoever uses the cluster holds a shared lock on a file; a lock dies with its process. When this process gets that lock
for itself, nobody is left. When this process is killed, its reaper ends the servers.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kfgit.backends.local import processes

ADMIN = "admin-of-the-tests"
# Users without any right but what a test gives them.
USERS = ("alice", "bob")
# Seconds until a busy machine has them ready.
PATIENCE = 180
TICK = 0.05


class Gone(Exception):
    """A server ended, or nobody waits for it any more."""


@dataclass(slots=True)
class Servers:
    """Programs that run until `stop`."""

    folder: Path
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, program: Path, *arguments: str) -> None:
        """Starts one; what it prints is in the folder."""
        thread = threading.Thread(target=self._run, args=(program, arguments))
        self.threads.append(thread)
        thread.start()

    def _run(self, program: Path, arguments: Sequence[str]) -> None:
        marker = f"KFGIT_TEST_SERVER={self.folder}/{program.name}/{os.getpid()}"
        job = processes.Job((str(program), *arguments), os.environ, self.folder, marker, grace=0.2)
        try:
            with (self.folder / f"{program.name}.log").open("ab") as log:
                processes.run(job, log.fileno(), self.stop)
        finally:
            self.ended.set()

    def close(self) -> None:
        """Ends them all."""
        self.stop.set()
        for thread in self.threads:
            thread.join()


def main(folder: Path, programs: Path, *flags: str) -> None:
    """Runs the servers until nobody uses them."""
    with (folder / "keeper.lock").open("w") as own, (folder / "users.lock").open("w") as users:
        fcntl.flock(own, fcntl.LOCK_EX)
        try:
            _keep(folder, programs, lambda: _is_unused(users.fileno()), flags)
        finally:
            (folder / "ready.json").unlink(missing_ok=True)
            shutil.rmtree(folder / "etcd", ignore_errors=True)


def _keep(folder: Path, programs: Path, is_unused: Callable[[], bool], flags: Sequence[str]) -> None:
    # A port that is free now may be another's in a moment.
    for _ in range(3):
        servers = Servers(folder)
        try:
            ready = _start(servers, programs, is_unused, flags)
        except Gone:
            if is_unused():
                return
        else:
            _write(folder / "ready.json", ready)
            while not servers.ended.wait(TICK) and not is_unused():
                pass
            return
        finally:
            servers.close()


def _start(
    servers: Servers, programs: Path, is_unused: Callable[[], bool], flags: Sequence[str]
) -> dict[str, str]:
    folder = servers.folder
    shutil.rmtree(folder / "etcd", ignore_errors=True)
    store, peers, secure = _free_ports(3)
    servers.start(
        programs / "etcd",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )
    tokens = [f'{ADMIN},admin,1,"system:masters"', *(f"{name},{name},{name}" for name in USERS)]
    (folder / "tokens.csv").write_text("\n".join(tokens) + "\n")
    certificates = folder / "certificates"
    # The server makes itself a certificate; its key is as good as any to sign tokens with.
    key = certificates / "apiserver.key"
    servers.start(
        programs / "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{store}",
        f"--cert-dir={certificates}",
        "--bind-address=127.0.0.1",
        f"--secure-port={secure}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        *flags,
    )
    ready = {
        "url": f"https://127.0.0.1:{secure}",
        "ca": str(certificates / "apiserver.crt"),
        "store": f"http://127.0.0.1:{store}",
    }
    limit = time.monotonic() + PATIENCE
    while not _answers(ready):
        if servers.ended.wait(TICK) or is_unused() or time.monotonic() > limit:
            raise Gone
    return ready


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _answers(ready: dict[str, str]) -> bool:
    request = urllib.request.Request(f"{ready['url']}/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
    try:
        trust = ssl.create_default_context(cafile=ready["ca"])
        with urllib.request.urlopen(request, context=trust, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _is_unused(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(path: Path, value: dict[str, str]) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(value))
    scratch.rename(path)


def spawn(folder: Path, programs: Path, *flags: str) -> None:
    """Starts this process apart from the caller, whose child it is not."""
    with (folder / "keeper.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.cluster.keeper", str(folder), str(programs), *flags]
        root = Path(__file__).parents[2]
        subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    os.setsid()
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
