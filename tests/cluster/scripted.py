"""A small HTTP server that does what a test says, request by request, on a real socket: answers, cuts, silence.

`acts` are used up in the order in which requests come in, over all connections; the last one stays.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_HEAD = 64 << 10


@dataclass(frozen=True, slots=True)
class Say:
    """Answers. `closing` ends the connection behind the answer without a word of it in the head."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection without an answer, or in the middle of one."""

    after: bytes = b""


@dataclass(frozen=True, slots=True)
class Silence:
    """Reads the request and says nothing until the server ends."""


Act = Say | Cut | Silence


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in, and over which connection."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


class Scripted:
    """The server; `asked` are the requests so far. `with` ends it."""

    def __init__(self, *acts: Act, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._acts = list(acts) or [Say()]
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._over = threading.Event()
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self._tls else ''}://localhost:{self.port}"

    def close(self) -> None:
        """Ends all connections and listens no longer."""
        self._over.set()
        # Wakes the thread that waits in `accept`.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Ends all connections."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            threading.Thread(target=self._serve, args=(connection, self._connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            spoken = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with spoken, spoken.makefile("rb") as stream:
                while not self._over.is_set() and (line := stream.readline(_HEAD)):
                    method, target, _ = line.decode().split(" ", 2)
                    headers = dict(_headers(stream))
                    body = stream.read(int(headers.get("content-length", 0)))
                    with self._lock:
                        self.asked.append(Asked(method, target, headers, body, number))
                        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                    if not self._acted(act, spoken):
                        return
        except (OSError, ValueError):  # cut, or not HTTP
            pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _acted(self, act: Act, to: socket.socket) -> bool:
        """Whether the connection goes on."""
        match act:
            case Say(status, body, headers, closing):
                head = {"Content-Length": str(len(body)), **headers}
                lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
                to.sendall(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body)
                return not closing
            case Cut(after):
                to.sendall(after)
                return False
            case Silence():
                self._over.wait()
                return False


def _headers(stream: object) -> Iterator[tuple[str, str]]:
    while line := stream.readline(_HEAD).strip():  # type: ignore[attr-defined] # a file of a socket
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip()


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority made for one test session, and a server's certificate for `localhost`."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate that clients are to trust."""
        return self.folder / "ca.pem"

    def context(self) -> ssl.SSLContext:
        """For the server."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return made


def authority(folder: Path) -> Authority:
    """Makes one with the `openssl` program."""
    config = folder / "san.cnf"
    config.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    for arguments in (
        ("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA"),
        ("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"),
        ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-out", "server.pem", "-days", "2", "-extfile", config.name),
    ):  # fmt: skip
        subprocess.run(("openssl", *arguments), cwd=folder, check=True, capture_output=True)
    return Authority(folder)


@contextmanager
def refusing() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
