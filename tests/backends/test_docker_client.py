"""What docker's own client makes of our arguments: it parses them and tells a daemon, here one that only notes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local.cgroups import Limits
from kfgit.backends.local.containers import (
    Container,
    Engine,
    Mount,
    ability,
    client_variables,
    command_line,
    write_private,
)

GIBI = 2**30
GPUS = ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-a1b2c3d4-0000-5678-9abc-def012345678")


@dataclass
class Daemon:
    """Notes the containers that it is asked for, and refuses to make them."""

    url: str = ""
    created: list[dict[str, Any]] = field(default_factory=list)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        daemon = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._tell(200, {})

            def do_GET(self) -> None:
                told = {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": True, "NCPU": 64, "ID": "x"}
                self._tell(200, "OK" if self.path.endswith("/_ping") else told)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                daemon.created.append(body)
                self._tell(400, {"message": "noted"})

            def _tell(self, status: int, told: object) -> None:
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Api-Version", "1.44")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def listening() -> Iterator[Daemon]:
    daemon = Daemon()
    with ThreadingHTTPServer(("127.0.0.1", 0), daemon.handler()) as server:
        daemon.url = f"tcp://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield daemon
        server.shutdown()


@pytest.fixture
def client() -> Iterator[Path]:
    found = shutil.which("docker")
    if found is None:
        pytest.skip("there is no client of docker on this machine")
    yield Path(found)
    ability.cache_clear()


def container(folder: Path, **more: Any) -> Container:
    made = {
        "name": "kfgit-test",
        "image": "e.com/train:1",
        "argv": ("python3", "-c", "print('a b')", "--flag"),
        "variables": {"EPOCHS": "3", "GREETING": "a=b c", "HOME": "/root"},
        "writable": (folder,),
        "readable": (),
        "private": folder / "private.env",
    }
    return Container(**{**made, **more})


def asked_for(client: Path, wanted: Container, folder: Path) -> dict[str, Any]:
    """What docker's client asks its daemon for."""
    write_private(wanted)
    ability.cache_clear()
    with listening() as daemon, pytest.MonkeyPatch.context() as patch:
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_HOST": daemon.url}
        patch.setenv("DOCKER_HOST", daemon.url)
        done = subprocess.run(
            command_line(Engine("docker", client), wanted),
            env=client_variables(wanted, environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "noted" in done.stderr, done.stderr
    (body,) = daemon.created
    return body


def test_devices_are_one_request_by_their_ids(client: Path, tmp_path: Path) -> None:
    for devices in (GPUS[:1], GPUS):
        body = asked_for(client, container(tmp_path, devices=devices), tmp_path)
        (request,) = body["HostConfig"]["DeviceRequests"]
        assert request["DeviceIDs"] == [*devices]
        assert request["Capabilities"] == [["gpu"]]
        assert request["Count"] == 0
    assert not asked_for(client, container(tmp_path), tmp_path)["HostConfig"]["DeviceRequests"]


@pytest.mark.parametrize(
    ("limits", "nano_cpus", "memory"),
    [
        (Limits(memory=GIBI, cpu=1500), 1_500_000_000, GIBI),
        (Limits(memory=1, cpu=1), 10_000_000, 6 * 2**20),
        (Limits(memory=None, cpu=250), 250_000_000, 0),
        (Limits(memory=37 * GIBI + 1, cpu=None), 0, 37 * GIBI + 1),
    ],
)
def test_limits(client: Path, tmp_path: Path, limits: Limits, nano_cpus: int, memory: int) -> None:
    host = asked_for(client, container(tmp_path, limits=limits), tmp_path)["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (nano_cpus, memory, memory)


def test_program_variables_and_volumes(client: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'a, "b":c'
    odd.mkdir()
    mounts = (
        Mount(odd, "/data", readonly=True),
        Mount(tmp_path, "/dev/shm", memory=True, size=2 * GIBI),
        Mount(tmp_path, "/scratch", memory=True, size=GIBI),
    )
    body = asked_for(client, container(tmp_path, mounts=mounts), tmp_path)
    assert body["Entrypoint"] == ["python3"]
    assert body["Cmd"] == ["-c", "print('a b')", "--flag"]
    assert sorted(body["Env"]) == ["EPOCHS=3", "GREETING=a=b c", "HOME=/root"]
    host = body["HostConfig"]
    assert host["ShmSize"] == 2 * GIBI
    assert host["AutoRemove"] is True
    bound = {each["Target"]: each for each in host["Mounts"]}
    assert bound["/data"] == {"Type": "bind", "Source": str(odd), "Target": "/data", "ReadOnly": True}
    assert bound["/scratch"]["TmpfsOptions"] == {"SizeBytes": GIBI}
    assert bound[str(tmp_path)]["Source"] == str(tmp_path)
