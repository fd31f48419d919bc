"""A team's own rules, asked of documents: CEL with a bound on what all of them together may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kfgit import cel
from kfgit.cel import rules as scope
from kfgit.cel.values import MAX_COST, Meter, Value
from kfgit.diagnostics import Diagnostic, Related, Severity
from kfgit.document import at, plain
from kfgit.model import Environment, PolicyRule
from kfgit.overlay import Located
from kfgit.source import Span

# Steps of all rules of one environment together, as `MAX_COST` is of one evaluation: so many, and more for each thing
# that they are asked about, up to some seconds' worth.
_STEPS, _STEPS_EACH, _MOST = 300_000, 3_000, 2_000_000
# What asking costs by itself, however short the rule is.
_ASKING = 20
# How the reason begins where a rule is neither true nor false.
UNASKED = "it could not be asked"


@dataclass(slots=True, eq=False)
class Purse:
    """What is left of the steps that all rules share."""

    left: int

    @classmethod
    def of(cls, subjects: int) -> Purse:
        """Enough to ask about so many."""
        return cls(min(_STEPS + _STEPS_EACH * subjects, _MOST))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is asked about: what is told of it, where, and the variables."""

    name: str
    span: Span
    variables: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment as rules see it, and the documents by kind and name as they were made for rules."""

    environment: Value
    documents: Mapping[tuple[str, str], Located]
    made: dict[tuple[str, str], Value] = field(default_factory=dict)

    def document(self, found: Located) -> Value:
        """A document as rules see it. Raises `CelEvaluationError` if it nests absurdly."""
        key = found.kind, found.name
        if key not in self.made:
            self.made[key] = scope.document(plain(found.node))
        return self.made[key]


def surroundings(environment: Environment, documents: Iterable[Located]) -> Surroundings:
    """What rules can see of an environment."""
    known = {(each.kind, each.name): each for each in documents}
    home = known.get(("Environment", environment.name))
    labels = at(home.node, ("metadata", "labels")) if home is not None else None
    value = described(environment, plain(labels) if labels is not None else {})
    return Surroundings(scope.environment(value), known)


def described(environment: Environment, labels: Any) -> dict[str, Any]:
    """The variable `environment`, as JSON."""
    known = {key: str(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}
    return {"name": environment.name, "mode": environment.mode, "labels": known}


def check(
    environment: Environment, documents: Sequence[Located], faulty: frozenset[tuple[str, str]]
) -> Iterator[Diagnostic]:
    """What the rules about documents refuse; documents with mistakes are left alone."""
    around, purse = surroundings(environment, documents), Purse.of(len(documents))
    sound = [each for each in documents if not each.unsound and (each.kind, each.name) not in faulty]
    for rule in environment.rules:
        if rule.asks_change:
            continue
        for found in sound:
            if found.kind in rule.kinds:
                yield from asked(rule, _subject(found, around), purse)
                if not purse.left:
                    return


def _subject(found: Located, around: Surroundings) -> Subject:
    name = f"the {found.kind} `{found.name}`"
    try:
        document = around.document(found)
    except cel.CelEvaluationError:
        document = None
    return Subject(name, found.name_span, {"resource": document, "environment": around.environment})


def asked(rule: PolicyRule, subject: Subject, purse: Purse) -> Iterator[Diagnostic]:
    """What a rule says of a subject; that it was given up, where all rules together have cost too much."""
    severity: Severity = "error" if rule.blocks else "warning"
    why = broken(rule, subject.variables, purse)
    if not purse.left:
        message = (
            f"the rules take too many steps: with `{rule.name}` kfgit gave up, and what is left was not asked"
        )
        help_ = "ask for less: no macro inside another one over long lists, fewer rules, or `kinds`"
        yield Diagnostic("policy-rules-too-costly", message, rule.span, help_)
    elif why is not None:
        message = f"{subject.name} breaks the rule `{rule.name}`: {why}"
        help_ = rule.description or f"the rule wants {rule.text}"
        related = (Related("the rule stands here", rule.span),) if subject.span != rule.span else ()
        yield Diagnostic("policy-rule", message, subject.span, help_, severity, related)


def broken(rule: PolicyRule, variables: Mapping[str, Value], purse: Purse) -> str | None:
    """Why a rule does not hold; None where it does. One that cannot be evaluated does not hold."""
    meter = Meter(min(MAX_COST, purse.left))
    before = meter.left
    try:
        meter.charge(_ASKING)
        holds = cel.holds(rule.require, variables, meter)
    except cel.CelEvaluationError as fault:
        return f"{UNASKED}: {fault}"
    finally:
        purse.left -= before - meter.left
    return None if holds else rule.message or "it does not hold"
