"""Times as schedules and environments write them: zones, instants and crons."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kfgit import cron

ZONE_HELP = "use an IANA name such as `Europe/Paris`"


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def instant(text: str) -> datetime | None:
    """An RFC 3339 time; one without an offset is no instant."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


# Any day will do to ask whether a cron ever fires: the next five years hold a leap year and every weekday.
_SOME_DAY = date(2024, 1, 1)


@lru_cache(maxsize=1024)
def cron_problem(text: str) -> str | None:
    """Why a cron can never fire."""
    try:
        parsed = cron.parse(text)
    except cron.CronError as fault:
        return f"`{text}` is no cron: {fault}"
    return None if cron.fires_after(parsed, _SOME_DAY) else f"`{text}` never fires"
