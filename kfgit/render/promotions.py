"""A promotion as people read it, on a terminal and in the pull request that asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kfgit.diff import Diff
from kfgit.render import diffs
from kfgit.render.diffs.as_json import as_json as diff_as_json
from kfgit.render.envelope import envelope
from kfgit.render.markdown.fitting import LIMIT, units
from kfgit.render.markdown.inline import code, prose
from kfgit.render.style import Style, clean

# A sentence about each of so many requirements; a page with more of them tells only what is not so.
_SHOWN = 8
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was required, and how it stands."""

    name: str
    met: bool
    why: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What is promoted, and what came of it: `result` is a word for it, `promotion` the commit that it is."""

    source: str
    target: str
    commit: str
    branch: str
    layout: str
    steps: tuple[Step, ...]
    diff: Diff
    result: str = "promoted"
    promotion: str | None = None
    pull_request: str | None = None


def human(found: Promotion, style: Style) -> str:
    """What shall be, for whoever is asked."""
    lines = [f"Promote {found.commit[:10]} from {clean(found.source)} to {clean(found.target)}:"]
    for step in found.steps:
        sign = style.green("✔") if step.met else style.red("✘")
        lines.append(f"  {sign} {clean(step.name)} {style.dim(f'– {clean(step.why)}')}")
    return "\n".join(lines) + "\n\n" + diffs.human(found.diff, style)


def title(found: Promotion) -> str:
    """Of the commit, and of the pull request."""
    return f"Promote {found.commit[:10]} to {found.target}"


def markdown(found: Promotion) -> str:
    """The text of the pull request."""
    first = (
        f"Brings commit {found.commit} from {code(found.source)} to {code(found.target)}, and nothing else."
    )
    lines = [f"{first} Merge it with a merge commit.", "", *_steps(found.steps), ""]
    head = "\n".join(lines) + "\n"
    return head + diffs.markdown(found.diff, LIMIT - units(head))


def _steps(steps: Sequence[Step]) -> list[str]:
    more = [f"- and {len(steps) - _SHOWN} more"] if len(steps) > _SHOWN else []
    return [*(f"- {code(each.name)}: {prose(each.why, _LONGEST)}" for each in steps[:_SHOWN]), *more]


def as_json(found: Promotion) -> dict[str, Any]:
    """The `Promotion` object of docs/commands.md."""
    return envelope(
        "Promotion",
        **{"from": found.source},
        to=found.target,
        commit=found.commit,
        branch=found.branch,
        layout=found.layout,
        result=found.result,
        promotion=found.promotion,
        pullRequest=found.pull_request,
        requirements=[{"name": each.name, "met": each.met, "why": each.why} for each in found.steps],
        diff=diff_as_json(found.diff),
    )
