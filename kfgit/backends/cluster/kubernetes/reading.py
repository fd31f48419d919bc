"""What API servers said, as far as it has the form that is read: custom resources are as their authors left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def mapping(found: Any) -> Mapping[str, Any]:
    """A map; without keys where it is none."""
    return found if isinstance(found, Mapping) else {}


def mappings(found: Any) -> Sequence[Mapping[str, Any]]:
    """The maps of a list; none where it is no list."""
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
