"""The long texts behind the codes of diagnostics, for `kfgit explain` and `docs/diagnostics.md`.

Pure data: one table, code to explanation, in groups that follow a document on its way. A code never changes its
meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

from kfgit.explanations import (
    components,
    documents,
    environments,
    form,
    kubernetes,
    packages,
    pipelines,
    policies,
    profiles,
    quotas,
    references,
    run_policies,
    schedules,
    templates,
    types,
    yaml,
)
from kfgit.explanations.entry import Explanation

__all__ = ["EXPLANATIONS", "Explanation", "as_markdown", "explain"]

_GROUPS = (
    yaml,
    documents,
    form,
    environments,
    policies,
    quotas,
    templates,
    references,
    types,
    pipelines,
    run_policies,
    profiles,
    kubernetes,
    components,
    packages,
    schedules,
)

EXPLANATIONS: Mapping[str, Explanation] = {
    code: entry for group in _GROUPS for code, entry in group.ENTRIES.items()
}


def explain(code: str) -> str | None:
    """The explanation of a code as text; None for an unknown code."""
    found = EXPLANATIONS.get(code)
    if found is None:
        return None
    wrong, right = _indented(found.wrong), _indented(found.right)
    return f"{code}: {found.title}\n\n{found.text}\n\nWrong:\n\n{wrong}\n\nRight:\n\n{right}\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def as_markdown() -> str:
    """The page `docs/diagnostics.md`."""
    parts = [_HEAD]
    for group in _GROUPS:
        parts.append(f"## {group.TITLE}\n")
        parts += [_section(code, entry) for code, entry in sorted(group.ENTRIES.items())]
    return "\n".join(parts)


_HEAD = """# Diagnostics

Every mistake that kfgit tells has a code that never changes its meaning. `kfgit explain CODE` shows the same texts.
This page is made from `kfgit/explanations/`; a test holds the two equal.
"""


def _section(code: str, entry: Explanation) -> str:
    examples = "".join(
        f"{what}:\n\n```yaml\n{text}\n```\n\n"
        for what, text in (("Wrong", entry.wrong), ("Right", entry.right))
    )
    return (
        f"### `{code}`\n\n{entry.title[:1].upper()}{entry.title[1:]}. {entry.text}\n\n{examples}".rstrip()
        + "\n"
    )
