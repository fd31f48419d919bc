"""Freezes: whether an environment takes no changes at an instant, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from kfgit.diagnostics import Diagnostic
from kfgit.model import Environment, Window


def freeze(environment: Environment, now: datetime) -> Diagnostic | None:
    """Why nothing is changed in an environment at that instant: an error, or a warning where the policy only warns."""
    found = environment.freeze
    if found is None:
        return None
    message, span = f"`{environment.name}` is frozen", found.span
    help_ = "take `freeze` out in a commit of its own"
    if not found.always:
        open_ = [window for window in found.windows if window.start <= now < window.end]
        if not open_:
            return None
        until = thaw(found.windows, now)
        reason = "; ".join(dict.fromkeys(window.reason for window in open_ if window.reason))
        message = f"{message} until {_told(until)}" + (f": {reason}" if reason else "")
        help_ = "wait until then, or take the window out in a commit of its own"
        span = open_[0].span
    return Diagnostic("policy-freeze", message, span, help_, "error" if found.blocks else "warning")


def thaw(windows: Iterable[Window], now: datetime) -> datetime:
    """The first instant from `now` on that is in no window: windows that meet or overlap are one."""
    for window in sorted(windows, key=lambda each: each.start):
        if window.start <= now < window.end:
            now = window.end
    return now


def _told(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
