"""Who may speak to the server, decided from a request's head alone; pure.

A POST makes this machine run code, so a web page that its user happens to look at must not be able to send one. Two
ways are closed: a name of the attacker's that resolves to this machine (DNS rebinding: the `Host` is then that name),
and a request across origins (the browser says so in `Origin` and `Sec-Fetch-Site`, which no script can forge). With
a token nobody else gets in at all, and the token stands where no browser puts anything by itself.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from kfgit.server.errors import Code, GatewayError

MAX_TARGET_BYTES = 16 * 1024
MAX_BODY_BYTES = 32 * 1024 * 1024
# What stands around the file of an upload: boundaries, names of fields, and fields that nobody reads.
UPLOAD_SLACK_BYTES = 64 * 1024
_HEALTH = frozenset({"/apis/v2beta1/healthz", "/apis/v1beta1/healthz"})
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::([0-9]{1,5}))?\Z")
_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Whose requests are answered. `hosts` are names and addresses besides the loopback's; `any_host` needs a token."""

    hosts: frozenset[str] = frozenset()
    token: bytes | None = None
    any_host: bool = False


def rules(host: str, token: bytes | None) -> Rules:
    """The rules of a server that listens at `host`."""
    if token is not None and _plain(host) in _WILDCARDS:
        return Rules(token=token, any_host=True)
    return Rules(frozenset({_plain(host)}), token)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; any other name than localhost may be anybody's."""
    try:
        return ip_address(_plain(host)).is_loopback
    except ValueError:
        return _plain(host) == "localhost"


def refusal(rules: Rules, path: str, headers: Headers, target_bytes: int) -> GatewayError | None:
    """Why a request is refused before anything of it is read; None where it may come in."""
    hosts, origins, sites, tokens, lengths = [], [], [], [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"sec-fetch-site":
            sites.append(value)
        elif name == b"authorization":
            tokens.append(value)
        elif name == b"content-length":
            lengths.append(value)
    return (
        _wrong_host(rules, hosts)
        or (_foreign(hosts[0], origins, sites) if origins or sites else None)
        or (_unknown(rules.token, tokens) if rules.token is not None and path not in _HEALTH else None)
        or _too_large(target_bytes, lengths)
    )


def _wrong_host(rules: Rules, hosts: list[bytes]) -> GatewayError | None:
    if len(hosts) != 1:
        return GatewayError(Code.INVALID_ARGUMENT, "a request has exactly one Host header")
    match = _AUTHORITY.match(hosts[0].decode("latin-1"))
    if match is None:
        return GatewayError(Code.INVALID_ARGUMENT, "the Host header names no host")
    if rules.any_host or is_loopback(match[1]) or _plain(match[1]) in rules.hosts:
        return None
    told = f"this server is not {match[1][:100]}: ask for it by localhost or its own address"
    return GatewayError(Code.PERMISSION_DENIED, told)


def _foreign(host: bytes, origins: list[bytes], sites: list[bytes]) -> GatewayError | None:
    """Another origin is another scheme, name or port, so a page of another server here is foreign too."""
    ours = _authority(host)
    for origin in origins:
        scheme, _, authority = origin.partition(b"://")
        if scheme not in {b"http", b"https"} or _authority(authority) != ours:
            return GatewayError(
                Code.PERMISSION_DENIED, "a page of another origin asked, and this server answers none"
            )
    if any(site not in {b"same-origin", b"none"} for site in sites):
        return GatewayError(
            Code.PERMISSION_DENIED, "a page of another site asked, and this server answers none"
        )
    return None


def _unknown(token: bytes, given: list[bytes]) -> GatewayError | None:
    scheme, _, shown = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    # Compared in any case, so that the time says nothing.
    same = hmac.compare_digest(shown.strip(), token)
    if same and scheme.lower() == b"bearer":
        return None
    why = (
        "a token is needed: Authorization: Bearer TOKEN" if not given else "the token is not the server's own"
    )
    return GatewayError(Code.UNAUTHENTICATED, why)


def _too_large(target_bytes: int, lengths: list[bytes]) -> GatewayError | None:
    if target_bytes > MAX_TARGET_BYTES:
        told = f"the address of a request has at most {MAX_TARGET_BYTES} bytes"
        return GatewayError(Code.INVALID_ARGUMENT, told, 414)
    if lengths and not (lengths[0].isdigit() and len(lengths[0]) < 20):
        return GatewayError(Code.INVALID_ARGUMENT, "the Content-Length is no number of bytes")
    if lengths and int(lengths[0]) > MAX_BODY_BYTES + UPLOAD_SLACK_BYTES:
        return too_large()
    return None


def too_large() -> GatewayError:
    """A body beyond the bound."""
    return GatewayError(Code.INVALID_ARGUMENT, f"a body has at most {MAX_BODY_BYTES} bytes", 413)


def _authority(text: bytes) -> tuple[str, str] | None:
    match = _AUTHORITY.match(text.decode("latin-1"))
    return None if match is None else (_plain(match[1]), match[2] or "")


def _plain(host: str) -> str:
    """One way to write a host: lower case, without brackets and the dot of the root, addresses in short."""
    bare = host.strip("[]").lower().removesuffix(".")
    try:
        address = ip_address(bare)
    except ValueError:
        return bare
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
