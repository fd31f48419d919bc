"""How long GitHub wants to be left alone (docs.github.com, "Rate limits for the REST API"). Pure."""

from __future__ import annotations

from collections.abc import Mapping


def is_limit(status: int, headers: Mapping[str, str], said: str) -> bool:
    """Whether an answer says that there were too many requests: then nothing happened."""
    if status == 429:
        return True
    spent = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return status == 403 and (spent or "rate limit" in said.lower())


def wait(headers: Mapping[str, str], now: float, tried: int, *, limited: bool) -> float:
    """Seconds before the next try: what GitHub asks for, else ever more, of a limit at least a minute.

    `now` is in seconds since 1970.
    """
    asked = _number(headers.get("retry-after", ""))
    if asked is not None:
        return asked
    reset = _number(headers.get("x-ratelimit-reset", ""))
    if reset is not None and headers.get("x-ratelimit-remaining") == "0":
        return max(reset - now, 1.0)
    return (60.0 if limited else 1.0) * float(2 ** (tried - 1))


def _number(text: str) -> float | None:
    return float(text[:12]) if text.isascii() and text.isdigit() else None
