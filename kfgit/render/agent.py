"""What an agent tells, a line for each event: JSON for machines, a sentence for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kfgit.render.style import Style, clean, instant, one_line

_MAX_LINE = 2000


def as_json(at: datetime, level: str, event: str, message: str, fields: Mapping[str, Any]) -> str:
    """One object on one line; what is None is left out."""
    line = {"time": instant(at), "level": level, "event": event, "message": message, **fields}
    known = {key: value for key, value in line.items() if value is not None}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"), default=str)


def human(at: datetime, level: str, event: str, message: str, style: Style) -> str:
    """`2026-11-23 02:00:00Z  warning  drift: schedule/nightly has drifted: …`."""
    paint = {"error": style.red, "warning": style.yellow, "debug": style.dim}.get(level, style.cyan)
    when = f"{at:%Y-%m-%d %H:%M:%S}Z"
    return f"{style.dim(when)}  {paint(f'{level:<7}')}  {event}: {one_line(clean(message), _MAX_LINE)}"
