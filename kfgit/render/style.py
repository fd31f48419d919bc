"""Colour, columns and durations, and text made safe: names and logs of strangers reach terminals through here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
# What GitHub's runner obeys in a log: `::error::` at the beginning of a line, `##[error]` anywhere in it
# (actions/runner, src/Runner.Common/ActionCommand.cs).
_COMMAND = re.compile(r"(?m)^([^\S\n]*):(?=:[A-Za-z][^\n]*::)|#(?=#\[[A-Za-z])")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What `Style.paint` makes.
_PAINTED = re.compile(r"(\x1b\[(?:[12]|3[1-6])m)([^\x1b]*)(\x1b\[0m)")


def clean(text: str) -> str:
    """The text with control and direction characters, and bytes that are no text, shown instead of obeyed.

    Commands to GitHub's runner, which reads logs for them, are broken. Lines stay lines.
    """
    shown = _CONTROL.sub(
        lambda m: f"\\x{ord(m.group()):02x}" if ord(m.group()) < 256 else f"\\u{ord(m.group()):04x}", text
    )
    return _COMMAND.sub(lambda m: "\\x23" if m.group(1) is None else f"{m.group(1)}\\x3a", shown)


def one_line(text: object, limit: int = 60) -> str:
    """A value on one line, shortened."""
    flat = clean(" ".join(str(text).split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Style:
    """Whether to colour, and how wide a line may be."""

    colour: bool = False
    width: int = 100

    def paint(self, text: str, *codes: int) -> str:
        """The text in SGR codes, or as it is."""
        return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if self.colour and text else text

    def bold(self, text: str) -> str:
        """Emphasised."""
        return self.paint(text, 1)

    def dim(self, text: str) -> str:
        """In the background."""
        return self.paint(text, 2)

    def red(self, text: str) -> str:
        """Bad."""
        return self.paint(text, 31)

    def green(self, text: str) -> str:
        """Good."""
        return self.paint(text, 32)

    def yellow(self, text: str) -> str:
        """Worth a look."""
        return self.paint(text, 33)

    def cyan(self, text: str) -> str:
        """Under way."""
        return self.paint(text, 36)


def length(text: str) -> int:
    """Columns on a terminal."""
    bare = _ANSI.sub("", text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in bare
    )


def pad(text: str, width: int) -> str:
    """The text filled up to so many columns, whatever its colours and letters."""
    return text + " " * (width - length(text))


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), style: Style | None = None) -> str:
    """Columns, left-aligned, with a dim head; without a style no cell has colours."""
    look = style or Style()
    body = [[clean_cell(cell, colour=look.colour) for cell in row] for row in rows]
    every = [list(head), *body] if head else body
    if not every:
        return ""
    widths = [max(length(row[i]) for row in every) for i in range(len(every[0]))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()

    lines = [line([look.dim(cell) for cell in head])] if head else []
    return "\n".join([*lines, *map(line, body)]) + "\n"


def clean_cell(text: str, *, colour: bool = True) -> str:
    """A cell: colours that `Style` gave stay, each up to its end; everything else of a stranger is shown."""
    parts = _PAINTED.split(text.replace("\n", " ")) if colour else [text.replace("\n", " ")]
    # Between two parts: the begin of a colour, what is in it, and its end.
    return "".join(part if index % 4 in {1, 3} else clean(part) for index, part in enumerate(parts))


def duration(seconds: float | None) -> str:
    """`0.4s`, `12s`, `3m 05s`, `2h 10m`, `3d 4h`; a clock that was set back counts as no time."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 48 else f"{hours // 24}d {hours % 24}h"


def every(seconds: int, most: int | None = None) -> str:
    """An interval as documents write it: `90s`, `30m`, `2h`, `1h30m`, `1d`; its largest units, if only so many."""
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts[:most]) or "0s"


def moment(at: datetime) -> str:
    """A fire time, in the zone it carries: `Mon 2026-11-23 02:00 UTC`."""
    return at.strftime("%a %Y-%m-%d %H:%M:%S %Z" if at.second else "%a %Y-%m-%d %H:%M %Z")


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(".000Z", "Z")


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago something was."""
    if at is None:
        return ""
    seconds = max(0.0, (now - at).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return f"{int(seconds)}s ago"
