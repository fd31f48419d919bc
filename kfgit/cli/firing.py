"""When a live schedule fires next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kfgit import cron


def next_times(spec: Mapping[str, Any], now: datetime, count: int) -> list[datetime]:
    """The next fire times of a Schedule, in its own zone."""
    zone = cron.zone_of(spec["timezone"])
    start = datetime.fromisoformat(spec["start"]) if spec["start"] else None
    end = datetime.fromisoformat(spec["end"]) if spec["end"] else None
    after = max(now, start) if start is not None else now
    if spec["cron"]:
        times = cron.next_times(cron.parse(spec["cron"]), after, spec["timezone"], count)
    else:
        times = cron.next_every(spec["every"], start or now, after, count)
    return [at.astimezone(zone) for at in times if end is None or at <= end]
