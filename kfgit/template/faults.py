"""What is wrong with a template, as a value and on its way out of Jinja."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """Why a template cannot be rendered."""

    code: str
    message: str
    help: str | None = None


class Fault(Exception):
    """Carries a `TemplateFault` out of Jinja; it never leaves this package."""

    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def sentence(text: str | None) -> str:
    """What a library says, as the middle of one of our sentences."""
    first = (text or "unknown fault").split("\n")[0].rstrip(".")[:200]
    return first[:1].lower() + first[1:]
