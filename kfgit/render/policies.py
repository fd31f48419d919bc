"""The tests of rules, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kfgit.model import PolicyRule
from kfgit.policies.testing import Outcome
from kfgit.render.envelope import envelope
from kfgit.render.style import Style, clean, one_line

_LONG = 300


@dataclass(frozen=True, slots=True)
class Tested:
    """A rule with what came of its tests, and the environments that have both."""

    rule: PolicyRule
    outcomes: tuple[Outcome, ...]
    environments: tuple[str, ...]


def human(found: Sequence[Tested], style: Style) -> str:
    """Each rule with its tests, and how it went."""
    return "\n".join([*(_block(each, style) for each in found), _summary(found, style)])


def _block(tested: Tested, style: Style) -> str:
    rule, span = tested.rule, tested.rule.span
    place = f"{span.file}:{span.line}, in {', '.join(tested.environments)}"
    lines = [f"{style.bold(clean(rule.name))}  {style.dim(clean(place))}"]
    if not tested.outcomes:
        lines.append(f"  {style.yellow('no tests')}")
    for each in tested.outcomes:
        mark = style.green("✓") if each.passed else style.red("✗")
        doubt = style.dim(f"  {one_line(each.why, _LONG)}") if each.passed and each.unasked else ""
        lines.append(f"  {mark} {one_line(each.test.name, _LONG)}{doubt}")
        if not each.passed:
            where = f"{each.test.span.file}:{each.test.span.line}"
            lines.append(f"      expected: {each.expected}; got: {one_line(each.got, _LONG)}")
            lines.append(f"      {style.dim(clean(where))}")
    return "\n".join(lines) + "\n"


def _summary(found: Sequence[Tested], style: Style) -> str:
    counts = _counts(found)
    told = f"{_many(counts['rules'], 'rule')}, {_many(counts['tests'], 'test')}"
    failed = style.red(f"{counts['failed']} failed") if counts["failed"] else "all pass"
    untested = f"; {_many(counts['untested'], 'rule')} without tests" if counts["untested"] else ""
    return f"{told}: {failed}{untested}" if counts["tests"] else f"{told}{untested}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _counts(found: Sequence[Tested]) -> dict[str, int]:
    outcomes = [outcome for each in found for outcome in each.outcomes]
    return {
        "rules": len(found),
        "tests": len(outcomes),
        "failed": sum(not outcome.passed for outcome in outcomes),
        "untested": sum(not each.outcomes for each in found),
    }


def as_json(found: Sequence[Tested]) -> dict[str, Any]:
    """The same for machines."""
    return envelope("PolicyTests", rules=[_as_json(each) for each in found], summary=_counts(found))


def _as_json(tested: Tested) -> dict[str, Any]:
    rule = tested.rule
    return {
        "name": rule.name,
        "file": rule.span.file,
        "line": rule.span.line,
        "level": "block" if rule.blocks else "warn",
        "environments": list(tested.environments),
        "tests": [
            {
                "name": each.test.name,
                "file": each.test.span.file,
                "line": each.test.span.line,
                "passed": each.passed,
                "expected": "passes" if each.test.passes else "refused",
                "got": "passes" if each.why is None else "refused",
                "why": each.why,
            }
            for each in tested.outcomes
        ],
    }
