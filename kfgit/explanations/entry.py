"""What an explanation is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """A code in words: what it is about, why it is so, and a wrong and a right example."""

    title: str
    text: str
    wrong: str
    right: str
