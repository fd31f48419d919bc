"""Which proxy stands before a server: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, as curl reads them. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL; None where the server is asked directly."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if any(_covers(entry, host, port) for entry in _variable("no_proxy", environ).replace(",", " ").split()):
        return None
    found = _variable(f"{parts.scheme}_proxy", environ) or _variable("all_proxy", environ)
    return (found if "://" in found else f"http://{found}") if found else None


def _variable(name: str, environ: Mapping[str, str]) -> str:
    """Small letters come first."""
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY stands for a host: a name with all below it, an address, a range, or `*`."""
    if entry == "*":
        return True
    name, colon, number = entry.lower().rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        entry = name
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        suffix = entry.lower().removeprefix("*").strip(".")
        return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
