"""Globs of `kind/name`: whether there is anything of such a kind."""

from __future__ import annotations

from fnmatch import fnmatchcase

from kfgit.diagnostics import did_you_mean
from kfgit.document import Node, plain
from kfgit.resolve.reader import Reader

_KINDS = ("pipeline", "schedule", "experiment", "run", "profile", "resourceprofile", "priorityclass")


def check_globs(reader: Reader, node: Node | None) -> None:
    """Tells globs that can match nothing, since there is no such kind."""
    for item in reader.items(node):
        text = plain(item)
        kind = text.partition("/")[0] if isinstance(text, str) else "*"
        if not any(fnmatchcase(known, kind) for known in _KINDS) and "/" in str(text):
            help_ = did_you_mean(kind, _KINDS, what="kinds")
            reader.fault("unknown-kind", f"there is nothing of kind `{kind}` to protect", item.span, help_)
