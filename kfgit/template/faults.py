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
    """Carries a `TemplateFault` out of Jinja, with its line if that is known; it never leaves this package."""

    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.line: int | None = None


# What helps where a fault itself says nothing better.
_REMEDIES = {
    "template-syntax": "an expression is `{{ vars.x }}`, a choice `{% if vars.x %}…{% endif %}`",
    "template-failed": "look at the values that the template is given: `kfgit render --explain` names their places",
    "template-too-large": "a template names or joins values; what is large belongs into a file or a task",
    "template-not-allowed": "only expressions, filters and `{% if %}` may stand in a value",
}


def remedy(fault: TemplateFault) -> str | None:
    """The way out of a fault."""
    return fault.help or _REMEDIES.get(fault.code)


def sentence(text: str | None) -> str:
    """What a library says, as the middle of one of our sentences."""
    first = (text or "unknown fault").split("\n")[0].rstrip(".")[:200]
    return first[:1].lower() + first[1:]
