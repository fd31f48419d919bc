"""From a commit to what it wants to be live: done once for each commit, since equal sources say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kfgit import driver
from kfgit.backend import Backend
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.driver import LOCAL, Checkout, Repository
from kfgit.ir import Resource
from kfgit.model import Environment
from kfgit.plan import Plan
from kfgit.project import doubts
from kfgit.project.commits import Commit
from kfgit.project.doubts import Doubt

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a commit wants of an environment."""

    commit: Commit
    repository: Repository
    checkout: Checkout
    desired: tuple[Resource, ...]

    @property
    def environment(self) -> Environment:
        """The environment as the commit describes it."""
        return self.checkout.project.project.environment

    def doubts(self, backend: Backend) -> tuple[Doubt, ...]:
        """Why a cluster may not be meant to get the commit: another branch than its own, or what is no later one."""
        environment = self.environment
        if environment.cluster is None:
            return ()
        last = backend.last_apply()
        told = doubts.of_checkout(self.commit, self.repository.tree.sources, environment.branch)
        return (*told, *doubts.of_history(self.commit, last.commit if last is not None else None))

    def refusal(self, plan: Plan, backend: Backend, now: datetime) -> str | None:
        """Why a policy forbids what a plan would change, and what the agent waits for; None where none does.

        What all that costs is asked only where there is a budget.
        """
        frozen = driver.frozen(self.checkout, now)
        if "budgetPerMonth" in self.environment.policies:
            plan = driver.priced(self.checkout, self.desired, plan, backend, now)
        found = (*([frozen] if frozen is not None else []), *driver.refusals(self.checkout, plan))
        first = next((each for each in found if has_errors([each])), None)
        if first is None:
            return None
        return f"{_first(first)}; the agent waits until that is over, or for a new commit"


@dataclass(frozen=True, slots=True)
class Invalid:
    """A commit that cannot be applied, however often it is tried; `why` says so in a sentence."""

    commit: Commit
    why: str
    diagnostics: Sequence[Diagnostic] = ()

    def as_json(self) -> list[dict[str, Any]]:
        """The first of its mistakes; `kfgit validate` shows them all."""
        return [
            {"code": d.code, "file": d.span.file, "line": d.span.line, "message": d.message, "help": d.help}
            for d in self.diagnostics[:_SHOWN]
        ]


def understand(commit: Commit, environment: str) -> Wanted | Invalid:
    """What a commit wants, or what is wrong with it. Raises `MachineFault` where it cannot be read."""
    repository = driver.load_from(commit)
    if environment not in {*repository.environments, LOCAL} and ("*", environment) not in repository.broken:
        known = ", ".join(repository.environments)
        return Invalid(
            commit, f"there is no environment `{environment}`; there are {known}", repository.diagnostics
        )
    checked = driver.check(repository, environment)
    found = (*driver.mistakes(checked), *driver.violations(checked.value))
    errors = tuple(each for each in found if has_errors([each]))
    if errors:
        count = f"{len(errors)} {'mistake' if len(errors) == 1 else 'mistakes'}"
        return Invalid(commit, f"the source has {count}: {_first(errors[0])}", errors)
    return Wanted(commit, repository, checked.value, tuple(driver.resources(checked.value).value))


def _first(fault: Diagnostic) -> str:
    return f"{fault.span.file}:{fault.span.line}: {fault.code}: {fault.message}"
