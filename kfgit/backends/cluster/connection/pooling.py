"""Pools of connections to one server, on urllib3, and the one fact that it does not tell: whether a request was begun.

A server may close a connection that nobody uses at the very moment when the next request goes out on it. Whoever asks
then sees a cut and cannot know whether the server read the request first (RFC 9112, 9.3.1). For a read that does not
matter. A write would be in doubt, so such cuts are made rare: a connection is used again only within `IDLE_SECONDS` of
its last answer, less than any server in the way waits (uvicorn 5 s, nginx 75 s, Go and Envoy longer), and urllib3 looks
before each request whether the other side has closed. What is cut all the same stays in doubt: that a connection
was used before proves nothing.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, disable_warnings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import InsecureRequestWarning
from urllib3.response import HTTPResponse
from urllib3.util import make_headers, parse_url

IDLE_SECONDS = 3.0
# More than any number of threads that ask at once: urllib3 throws away what does not fit, and logs a warning of it.
_CONNECTIONS = 64
_USER = re.compile(r"(?<=://)[^/?#]*@")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust, and what to show. Without `ca_file` it is whom this machine trusts."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    verify: bool = True


def without_user(url: str) -> str:
    """An address without a name and a password in it: urllib3 sends neither, and both would stand in each message."""
    return _USER.sub("", url)


class Sending(threading.local):
    """Whether the request that this thread makes has begun to leave the machine."""

    begun = False


sending = Sending()


class _Plain(HTTPConnection):
    """A connection that says when it begins to send, and is closed rather than used after a rest."""

    clock: Callable[[], float] = staticmethod(time.monotonic)
    _answered_at = float("-inf")

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Connects first where urllib3 left that to http.client, so that what fails here was never sent."""
        if self.sock is None:
            self.connect()
        sending.begun = True
        super().request(*args, **kwargs)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 itself has it
        response = super().getresponse()
        self._answered_at = self.clock()
        return response

    @property
    def is_connected(self) -> bool:
        """What urllib3 asks before it uses a connection again; it closes and connects anew where this is false."""
        return super().is_connected and self.clock() - self._answered_at < IDLE_SECONDS


class _Secure(_Plain, HTTPSConnection):
    """The same over TLS."""


def pool(
    tls: Tls | None = None, proxy: str | None = None, clock: Callable[[], float] = time.monotonic
) -> PoolManager:
    """A pool of connections, through `proxy` where there is one."""
    tls = tls or Tls()
    settings: dict[str, Any] = {
        "maxsize": _CONNECTIONS,
        "cert_reqs": "CERT_REQUIRED" if tls.verify else "CERT_NONE",
        "ca_certs": tls.ca_file,
        "cert_file": tls.cert_file,
        "key_file": tls.key_file,
    }
    if not tls.verify:  # the kubeconfig says so: no warning on every request
        disable_warnings(InsecureRequestWarning)
    if tls.server_name:
        settings["server_hostname"] = tls.server_name
    made = ProxyManager(proxy, **_proxy_headers(proxy), **settings) if proxy else PoolManager(**settings)
    made.pool_classes_by_scheme = _classes(clock)
    return made


def _proxy_headers(proxy: str) -> dict[str, Any]:
    auth = parse_url(proxy).auth
    return {"proxy_headers": make_headers(proxy_basic_auth=auth)} if auth else {}


def _classes(clock: Callable[[], float]) -> dict[str, Any]:
    plain = type("Plain", (_Plain,), {"clock": staticmethod(clock)})
    secure = type("Secure", (_Secure,), {"clock": staticmethod(clock)})
    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
