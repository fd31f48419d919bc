"""Times as KFP's API writes them: RFC 3339 in UTC, in whole seconds, as its database keeps them."""

from __future__ import annotations

from datetime import UTC, datetime

# KFP's 0: what has not come yet.
NEVER = "1970-01-01T00:00:00Z"


def told(at: datetime | None) -> str:
    """The text of a time."""
    return NEVER if at is None else f"{at.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"
