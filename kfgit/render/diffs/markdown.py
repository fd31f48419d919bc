"""A difference as a comment on a pull request: what breaks first, then what changes, and the rest folded.

What several environments share is told once. The page fits into one comment, however much differs; what is left out
for that is said, with the command that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from kfgit.diff.values import Diff
from kfgit.render.diffs.merging import Merged, merged
from kfgit.render.diffs.sections import sections
from kfgit.render.diffs.words import command, counts, joined, side
from kfgit.render.markdown.blocks import listed
from kfgit.render.markdown.fitting import LIMIT, Detail, fitted, shortened
from kfgit.render.markdown.inline import code

_SENTENCES = 40


def markdown(diff: Diff, limit: int = LIMIT) -> str:
    """The page, at most so long; `limit` leaves room for what else a comment says."""
    return fitted(partial(_blocks, diff, merged(diff)), limit=limit)


def _blocks(diff: Diff, found: Merged, detail: Detail) -> Iterator[str]:
    yield f"### {_title(diff)}"
    if diff.environments:
        yield listed(_summary(diff))
    yield from shortened(detail, command(diff))
    yield from sections(found, detail)
    yield f"<sub>{code(command(diff), 300)}</sub>"


def _title(diff: Diff) -> str:
    base, head = (code(side(each)[0], 60) for each in (diff.base, diff.head))
    if diff.is_across:
        return f"What {head} has otherwise than {base}"
    return f"What changes from {base} to {head}"


def _summary(diff: Diff) -> Iterator[str]:
    """A sentence for each environment, and one for those of which the same is said."""
    said: dict[str, list[str]] = {}
    for each in diff.environments:
        said.setdefault("; ".join(_emphasised(counts(each))), []).append(each.environment)
    for sentence, names in islice(said.items(), _SENTENCES):
        yield f"{joined([code(name, 60) for name in names])}: {sentence}"
    if len(said) > _SENTENCES:
        yield f"and {len(said) - _SENTENCES} more"


def _emphasised(parts: Sequence[str]) -> list[str]:
    loud = ("breaking", "error")
    return [f"**{part}**" if any(word in part for word in loud) else part for part in parts]
