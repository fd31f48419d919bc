"""What an agent tells: events with a name that machines hold on to, and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Told:
    """One event. `fields` are JSON values; None is left out where it is shown."""

    level: Level
    event: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
