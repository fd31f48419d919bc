"""How an attempt ends other than well."""

from __future__ import annotations


class TaskFailure(Exception):
    """An attempt failed; the text is one sentence for people (what a tool printed may follow)."""


class Stopped(Exception):
    """An attempt was stopped because someone asked for it."""
