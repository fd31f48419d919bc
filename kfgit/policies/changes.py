"""What an environment's policies say of a plan: of changes to what is protected, and by the team's own rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kfgit.cel import rules as scope
from kfgit.diagnostics import Diagnostic, Related, Severity, ordered
from kfgit.model import Environment, Name, PolicyRule
from kfgit.overlay import API_VERSION, Located
from kfgit.plan import (
    PAST,
    Adopt,
    Change,
    Create,
    Delete,
    LiveObject,
    Plan,
    Replace,
    Unchanged,
    Update,
    action,
    difference,
    level,
    subject,
)
from kfgit.policies.own import Purse, Subject, Surroundings, asked, surroundings
from kfgit.source import Span


def check_plan(environment: Environment, documents: Sequence[Located], plan: Plan) -> tuple[Diagnostic, ...]:
    """Every breach of a policy by a change of the plan, by place."""
    if environment.protected is None and not any(rule.asks_change for rule in environment.rules):
        return ()
    around = surroundings(environment, documents)
    touched = [_Touched.of(change, around, environment) for change in plan.pending if _changes(change)]
    found = [fault for each in touched for fault in _protected(environment, each)]
    purse = Purse.of(len(touched))
    for rule in environment.rules:
        if rule.asks_change:
            found += _asked(rule, touched, around, purse)
    return ordered(found)


def _changes(change: Change) -> bool:
    """Whether an object is changed: what only becomes ours, or is only written down, stays as it is."""
    match change:
        case Adopt() | Unchanged():
            return False
        case Update(diff=diff):
            return bool(diff)
        case _:
            return True


@dataclass(frozen=True, slots=True)
class _Touched:
    """A change, the documents behind its object, all that it goes by (`kind/name`), and where that stands."""

    change: Change
    kind: str
    documents: tuple[str, ...]
    addresses: tuple[str, ...]
    span: Span | None

    @classmethod
    def of(cls, change: Change, around: Surroundings, environment: Environment) -> _Touched:
        kind, name = subject(change)
        documents = _written(change) or (name.removeprefix(environment.prefix),)
        source = kind if level(kind) else "ResourceProfile"
        kinds = (kind, source) if source == kind else (kind, source, "profile")
        addresses = [f"{each.lower()}/{text}" for each in kinds for text in (name, *documents)]
        found = around.documents.get((source, documents[0]))
        return cls(
            change, source, documents, tuple(dict.fromkeys(addresses)), found.name_span if found else None
        )

    @property
    def told(self) -> str:
        """What happens, in a sentence's words."""
        kind, name = subject(self.change)
        return f"{kind.lower()}/{name} would be {PAST[action(self.change)]}"


def _written(change: Change) -> tuple[str, ...]:
    """The documents that want an object, or once did, where that is known."""
    match change:
        case Create(desired=desired) | Update(desired=desired) | Replace(desired=desired):
            return desired.documents
        case Delete(live=live):
            return live.documents
        case Adopt() | Unchanged():
            return ()


def _protected(environment: Environment, touched: _Touched) -> Iterator[Diagnostic]:
    policy = environment.protected
    if policy is None or action(touched.change) == "create":
        return
    glob = next((each for each in policy.globs if _matches(each, touched)), None)
    if glob is not None:
        message = f"{touched.told}, and `{glob.text}` is protected"
        help_ = "leave it as it is, or take it out of `protected` in a commit of its own"
        related = (Related("protected here", glob.span),) if touched.span is not None else ()
        severity: Severity = "error" if policy.blocks else "warning"
        yield Diagnostic("policy-protected", message, touched.span or glob.span, help_, severity, related)


def _matches(glob: Name, touched: _Touched) -> bool:
    kind, _, name = glob.text.partition("/")
    return any(fnmatchcase(address, f"{kind.lower()}/{name}") for address in touched.addresses)


def _asked(
    rule: PolicyRule, touched: Sequence[_Touched], around: Surroundings, purse: Purse
) -> Iterator[Diagnostic]:
    for each in touched:
        if each.kind not in rule.kinds or action(each.change) not in rule.actions:
            continue
        for name in each.documents:
            yield from asked(rule, _subject(rule, each, name, around), purse)
            if not purse.left:
                return


def _subject(rule: PolicyRule, touched: _Touched, name: str, around: Surroundings) -> Subject:
    found = around.documents.get((touched.kind, name))
    gone = {"apiVersion": API_VERSION, "kind": touched.kind, "metadata": {"name": name}}
    variables = {
        "resource": around.document(found) if found is not None else scope.document(gone),
        "environment": around.environment,
        "change": scope.change(_described(touched.change)),
    }
    return Subject(touched.told + ", which", found.name_span if found is not None else rule.span, variables)


def _described(change: Change) -> Mapping[str, Any]:
    """The variable `change`, without what must not be shown: a rule's message could tell it."""
    kind, name = subject(change)
    told: dict[str, Any] = {"action": action(change), "kind": kind, "name": name}
    match change:
        case Create(cause=cause):
            return {**told, "cause": cause}
        case Update(live=live, cause=cause, diff=diff) | Replace(live=live, cause=cause, diff=diff):
            fields = [{"path": each.path, "before": each.before, "after": each.after} for each in diff]
            return {**told, "cause": cause, "diff": fields, "before": _shown(live)}
        case Delete(live=live):
            return {**told, "before": _shown(live)}
        case Adopt() | Unchanged():
            return told


def _shown(live: LiveObject) -> Any:
    """An object as a plan may show it."""
    return next((each.after for each in difference(None, dict(live.spec))), {})
