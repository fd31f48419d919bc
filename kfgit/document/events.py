"""libyaml's events, the first reading of every text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

try:
    from yaml._yaml import CParser as Parser
except ImportError:  # a PyYAML without libyaml: the same events, slower
    from yaml import SafeLoader as Parser  # type: ignore[assignment]

__all__ = ["Parser", "events"]


def events(text: str) -> Iterator[Any]:
    """All events of a text. Raises `yaml.YAMLError`."""
    parser = Parser(text)
    try:
        while True:
            event = parser.get_event()
            yield event
            if event.__class__ is yaml.StreamEndEvent:
                return
    finally:
        parser.dispose()
