"""From a commit to what it wants to be live: done once for each commit, since equal sources say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kfgit import driver
from kfgit.diagnostics import Diagnostic, has_errors
from kfgit.driver import LOCAL, Checkout, Repository
from kfgit.ir import Resource
from kfgit.model import Environment
from kfgit.project.commits import Commit


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


@dataclass(frozen=True, slots=True)
class Invalid:
    """A commit that cannot be applied, however often it is tried; `why` says so in a sentence."""

    commit: Commit
    why: str
    diagnostics: Sequence[Diagnostic] = ()


def understand(commit: Commit, environment: str) -> Wanted | Invalid:
    """What a commit wants, or what is wrong with it. Raises `MachineFault` where it cannot be read."""
    repository = driver.load_from(commit)
    if environment not in {*repository.environments, LOCAL} and ("*", environment) not in repository.broken:
        known = ", ".join(repository.environments)
        return Invalid(commit, f"there is no environment `{environment}`; there are {known}", repository.diagnostics)
    checked = driver.check(repository, environment)
    found = (*repository.diagnostics, *checked.diagnostics, *driver.violations(checked.value))
    errors = tuple(each for each in found if has_errors([each]))
    if errors:
        count = f"{len(errors)} {'mistake' if len(errors) == 1 else 'mistakes'}"
        return Invalid(commit, f"the source has {count}: {_first(errors[0])}", errors)
    return Wanted(commit, repository, checked.value, tuple(driver.resources(checked.value).value))


def _first(fault: Diagnostic) -> str:
    return f"{fault.span.file}:{fault.span.line}: {fault.code}: {fault.message}"
