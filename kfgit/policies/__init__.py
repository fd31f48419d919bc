"""What an environment wants beyond correctness: of its pipelines, of its changes, and when there are none.

A policy that blocks is an error in validate and a refusal in plan, apply and run; one that warns is a warning. What
needs a plan or the time is asked only where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kfgit.diagnostics import Diagnostic, ordered
from kfgit.graph import CheckedProject
from kfgit.overlay import Located
from kfgit.policies import sources
from kfgit.policies.freezing import freeze

__all__ = ["check", "forbidden", "freeze"]


def check(checked: CheckedProject, documents: Sequence[Located]) -> tuple[Diagnostic, ...]:
    """Every breach of the environment's policies that the sources show, and what its quotas have no room for, by place.

    Codes of policies begin with `policy-`.
    """
    project = checked.project
    found = list(sources.check(project))
    if "maxGpusPerRun" in project.environment.policies:
        from kfgit.policies import devices  # noqa: PLC0415 - most environments count no devices

        found += devices.check(checked)
    if project.environment.cluster is not None and any(p.quota for p in project.profiles.values()):
        from kfgit.policies import quotas  # noqa: PLC0415 - nor do most have quotas

        found += quotas.check(checked, documents)
    if project.environment.cluster is not None and any(p.limit_range for p in project.profiles.values()):
        from kfgit.policies import limits  # noqa: PLC0415 - nor limits

        found += limits.check(checked)
    if any(not rule.asks_change for rule in project.environment.rules):
        from kfgit.policies import own  # noqa: PLC0415 - nor have they rules of their own

        found += own.check(project.environment, documents, project.faulty)
    return ordered(found)


def forbidden(environment: str, found: Sequence[Diagnostic]) -> Iterator[str]:
    """Why what was found is refused, a sentence for each sort: not all of it is a policy."""
    sorts: dict[str, dict[str, None]] = {}
    for each in found:
        if each.severity == "error":
            sorts.setdefault(_sort(each.code), {})[each.code] = None
    for sort, codes in sorts.items():
        yield f"{sort.format(environment)}: {', '.join(codes)}"


def _sort(code: str) -> str:
    match code.split("-", maxsplit=1)[0]:
        case "quota":
            return "the quotas of `{}` have no room for this"
        case "limit":
            return "the limit ranges of `{}` allow no such tasks"
        case "target":
            return "the target of `{}` lacks what its tasks need"
        case _:
            return "the policies of `{}` forbid this"
