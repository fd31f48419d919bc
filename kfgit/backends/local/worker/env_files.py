"""The files that stand in for secrets and config maps."""

from __future__ import annotations

import re
from pathlib import Path

from kfgit.backends.local.launcher import TaskFailure


def env_file(path: Path) -> dict[str, str] | None:
    r"""The `KEY=VALUE` lines of a file, None if there is no file. Raises `TaskFailure` with the line that is none.

    Comments and `export` are allowed, '…' stands as it is, "…" knows \n, \t, \" and \\, and both may span lines.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskFailure(f"{path} cannot be read: {error}") from error
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        if (match := _ENV_LINE.match(text, position)) is None:
            raise TaskFailure(
                f"{path}, line {text.count(chr(10), 0, position) + 1}: not of the form KEY=VALUE"
            )
        position = match.end()
        if match["key"] is not None:
            found[match["key"]] = _env_value(match)
    return found


_ENV_LINE = re.compile(
    r"[ \t]*(?:(?:export[ \t]+)?(?P<key>[-._A-Za-z0-9]+)[ \t]*="
    r"[ \t]*(?:'(?P<raw>[^']*)'|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>[^'\"\s#][^\n]*?|))"
    r"[ \t]*(?:(?<=[ \t'\"=])\#[^\n]*)?"
    r"|\#[^\n]*)?\r?(?:\n|\Z)",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _env_value(match: re.Match[str]) -> str:
    if match["raw"] is not None:
        return match["raw"]
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), match["quoted"], flags=re.DOTALL)
    return match["plain"] or ""
