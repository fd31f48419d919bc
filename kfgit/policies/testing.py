"""The examples beside the rules of an environment: what each rule says of them, and whether that was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfgit.cel import CelEvaluationError, rules as scope
from kfgit.cel.values import Value
from kfgit.diagnostics import Diagnostic
from kfgit.model import Environment, PolicyRule, RuleTest
from kfgit.policies.own import UNASKED, Purse, broken, described


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rule said of an example: `why` it does not hold; None where it holds."""

    rule: PolicyRule
    test: RuleTest
    why: str | None

    @property
    def passed(self) -> bool:
        """Whether the rule said what was expected."""
        return (self.why is None) is self.test.passes

    @property
    def expected(self) -> str:
        """What the example wants to be told."""
        return "it holds" if self.test.passes else "it refuses"

    @property
    def got(self) -> str:
        """What the rule told."""
        return "it holds" if self.why is None else f"it refuses: {self.why}"

    @property
    def unasked(self) -> bool:
        """Whether the rule refuses only since it cannot be asked, as for a key that is not there."""
        return self.why is not None and self.why.startswith(UNASKED)

    def diagnostic(self) -> Diagnostic:
        """A failed example as a mistake of the source."""
        message = f"the rule `{self.rule.name}` answers the test `{self.test.name}` otherwise"
        help_ = f"expected: {self.expected}; got: {self.got}"
        return Diagnostic("policy-test", message, self.test.span, help_)


def outcomes(environment: Environment, labels: Any) -> tuple[Outcome, ...]:
    """What every rule of an environment says of every example beside it; `labels` are the environment's."""
    purse = Purse.of(sum(len(rule.tests) for rule in environment.rules))
    around = described(environment, labels)
    return tuple(
        Outcome(rule, test, _answer(rule, test, around, purse))
        for rule in environment.rules
        for test in rule.tests
    )


def _answer(rule: PolicyRule, test: RuleTest, around: Mapping[str, Any], purse: Purse) -> str | None:
    try:
        variables: dict[str, Value] = {
            "resource": scope.document(test.resource),
            "environment": scope.environment({**around, **test.environment}),
        }
        if test.change is not None:
            variables["change"] = scope.change(test.change)
    except CelEvaluationError as fault:
        return f"{UNASKED}: {fault}"
    return broken(rule, variables, purse)
