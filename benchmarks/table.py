"""The result: one row for each comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.bench import Samples

_LEGEND = "Times are the minimum (median) of the counted runs; the ratio is that of the minimums."
_HEAD = ("what", "kfgit", "beside", "its time", "ratio", "aim")


@dataclass(frozen=True, slots=True)
class Aim:
    """What was promised, and whether the best sample keeps it."""

    text: str
    met: bool


def at_most(taken: Samples, seconds: float) -> Aim:
    """The aim that it takes no longer."""
    return Aim(f"≤ {duration(seconds)}", taken.least <= seconds)


def at_most_more(taken: Samples, floor: Samples, seconds: float) -> Aim:
    """The aim that it takes no longer than a floor and so much more."""
    more = taken.least - floor.least
    return Aim(f"≤ +{duration(seconds)} (+{duration(max(more, 0.0))})", more <= seconds)


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def size(amount: float) -> str:
    """Bytes as people read them."""
    return f"{amount / 1e6:.1f} MB" if amount < 10e6 else f"{amount / 1e6:,.0f} MB"


@dataclass(frozen=True, slots=True)
class Row:
    """kfgit beside a peer or a floor; `other` is None where that could not be had. `shown` writes the samples."""

    what: str
    kfgit: Samples
    beside: str
    other: Samples | None
    aim: Aim | None = None
    shown: Callable[[float], str] = duration


def table(rows: Sequence[Row]) -> str:
    """The rows in columns, with a line under the head."""
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    cells.insert(1, tuple("-" * width for width in widths))
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, "", _LEGEND])


def _cells(row: Row) -> tuple[str, ...]:
    if row.other is None:
        other, ratio = "not measured", ""
    else:
        other, ratio = (
            _times(row, row.other),
            f"{row.kfgit.least / row.other.least:.2f}×" if row.other.least else "",
        )
    aim = f"{row.aim.text}: {'met' if row.aim.met else 'MISSED'}" if row.aim is not None else ""
    return row.what, _times(row, row.kfgit), row.beside, other, ratio, aim


def _times(row: Row, taken: Samples) -> str:
    return f"{row.shown(taken.least)} ({row.shown(taken.middle)})"
