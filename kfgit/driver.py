"""The story of kfgit, one verb a stage.

    read → parse → locate → overlay → validate → resolve → check → compile → plan → apply

Each stage returns its result with everything it found wrong; a fault never keeps the next stage from looking on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from kfgit import graph, overlay, pinning, policies, resolve, schema, verdicts
from kfgit.diagnostics import (
    MAX_PER_FILE,
    Checked,
    Diagnostic,
    bounded_help,
    did_you_mean,
    has_errors,
    ordered,
    untold,
)
from kfgit.document import plain
from kfgit.graph import CheckedProject
from kfgit.overlay import Located, View
from kfgit.reading import (
    LOCAL,
    Forms,
    Repository,
    load,
    load_from,
    parse,
    read,
    schemas,
    sources_of,
    wants_git,
)

if TYPE_CHECKING:
    from kfgit.backend import Backend
    from kfgit.durations import RunTimes
    from kfgit.ir import Package, Resource
    from kfgit.plan import Live, Plan

__all__ = [
    "LOCAL",
    "Checkout",
    "Repository",
    "check",
    "compare",
    "compile_all",
    "frozen",
    "load",
    "load_from",
    "mistakes",
    "parse",
    "plan",
    "priced",
    "read",
    "refusals",
    "resources",
    "schemas",
    "sources_of",
    "validate",
    "violations",
    "wants_git",
]


@dataclass(frozen=True, slots=True)
class Checkout:
    """One environment of a repository, checked. `commit` is what a cluster would get.

    `source` is what its documents are of: what was read, and with a pin the base documents of another commit.
    """

    environment: str
    view: View
    project: CheckedProject
    commit: str | None
    source: Repository = field(repr=False, compare=False)


@bounded_help()
def check(repository: Repository, environment: str) -> Checked[Checkout]:
    """One environment from its documents to checked pipelines."""
    try:
        return _check(pinning.seen(repository, environment), environment, repository)
    finally:
        repository.rest()


def _check(found: Checked[Repository], environment: str, whole: Repository) -> Checked[Checkout]:
    repository = found.value
    viewed = overlay.view(repository.documents, environment, repository.git, repository.templates)
    form = list(_forms(viewed.value, repository.forms))
    told = verdicts.without_heads(
        (fault for _, faults in form for fault in faults), (*repository.diagnostics, *viewed.diagnostics)
    )
    broken = set(repository.broken) | {
        (found.kind, found.name) for found, faults in form if found.unsound or has_errors(faults)
    }
    model = resolve.resolve(
        viewed.value,
        repository.name,
        repository.content,
        resolve.Faulty(
            frozenset(broken),
            frozenset(fault.span for fault in told if fault.code in _STRAY),
            frozenset(
                r.span
                for fault in repository.diagnostics
                if fault.code == "duplicate-key"
                for r in fault.related
            ),
        ),
        whole.elsewhere,
    )
    checked = graph.check(model.value)
    faults = verdicts.first_of_all(
        viewed.diagnostics, tuple(told), (*model.diagnostics, *checked.diagnostics)
    )
    faults = pinning.telling(repository, environment, faults)
    commit = repository.commit if model.value.environment.cluster is not None else None
    return Checked(
        Checkout(environment, viewed.value, checked.value, commit, repository),
        ordered(verdicts.without_cascades((*found.diagnostics, *faults))),
    )


# Keys without a meaning: what seems to be missing beside them may only be misspelt.
_STRAY = frozenset({"unknown-key", "exclusive-keys", "misplaced-key"})


def _forms(view: View, known: Forms) -> Iterator[tuple[Located, tuple[Diagnostic, ...]]]:
    """The schema's word on each document; of a file with very many mistakes only that there are more."""
    told: Counter[str] = Counter()
    for found in view.documents:
        faults = _form(found, view, known, tersely=told[found.file] > MAX_PER_FILE)
        told[found.file] += len(faults)
        yield found, faults


def _form(found: Located, view: View, known: Forms, *, tersely: bool) -> tuple[Diagnostic, ...]:
    """The schema's word on a document; one that was meant as an overlay is told so instead.

    `known` has what was said before: documents that environments do not touch are the same objects in all of them.
    """
    if found.kind == "Project":
        return ()
    if id(found.node) not in known:
        if not tersely:
            faults = schema.validate(found.node, found.kind, schemas())
        else:
            is_valid = schemas().accepts(plain(found.node), found.kind)
            faults = () if is_valid else (untold(found.name_span),)
        known[id(found.node)] = found.node, faults
    _, told = known[id(found.node)]
    if (found.kind, found.name) in view.additions and any(d.code == "missing-key" for d in told):
        names = [
            d.name for d in view.documents if d.kind == found.kind and (d.kind, d.name) not in view.additions
        ]
        message = (
            f"there is no {found.kind} `{found.name}` to lay this over, and by itself it is not complete"
        )
        help_ = did_you_mean(found.name, names, what=f"documents of kind {found.kind}")
        return (
            Diagnostic("overlay-without-target", message, found.name_span, help_),
            *(d for d in told if d.code != "missing-key"),
        )
    return told


def mistakes(checked: Checked[Checkout]) -> tuple[Diagnostic, ...]:
    """All that is wrong with an environment and what was read for it: under a pin no base document of today counts."""
    return tuple(dict.fromkeys((*checked.value.source.diagnostics, *checked.diagnostics)))


def violations(checkout: Checkout) -> tuple[Diagnostic, ...]:
    """What the environment's policies say: errors in validate, refusals in plan, apply and run."""
    return policies.check(checkout.project, checkout.view.documents)


def refusals(checkout: Checkout, plan: Plan) -> tuple[Diagnostic, ...]:
    """What the environment's policies say of a plan and of its costs, and what its target lacks for it."""
    from kfgit.policies import budget, changes, lacking  # noqa: PLC0415 - validate has no plan

    environment, documents = checkout.project.project.environment, checkout.view.documents
    told = (
        *changes.check_plan(environment, documents, plan),
        *budget.check(environment, documents, plan),
    )
    return (*told, *lacking.check_lacks(checkout.project, plan))


def frozen(checkout: Checkout, now: datetime) -> Diagnostic | None:
    """Why nothing is changed in the environment at that instant: an error, or a warning where that is only told."""
    return policies.freeze(checkout.project.project.environment, now)


def validate(repository: Repository, environments: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    """Every mistake in every environment, each told once; `environment` is None where all of them have it.

    A mistake that several environments share may read differently in each, since its values do.
    """
    found = {
        environment: verdicts.and_violations(checked.diagnostics, violations(checked.value))
        for environment in environments
        for checked in [check(repository, environment)]
    }
    everywhere = set(environments) >= set(repository.environments)
    return verdicts.in_all(repository.diagnostics, found, everywhere=everywhere)


def compile_all(checkout: Checkout) -> Mapping[str, Package]:
    """The packages of all pipelines without mistakes, by name."""
    from kfgit import compiler  # noqa: PLC0415 - validate does without

    return {name: compiler.compile_pipeline(found) for name, found in checkout.project.pipelines.items()}


def resources(checkout: Checkout) -> Checked[tuple[Resource, ...]]:
    """What the environment wants to be live, in the order in which it must come to be."""
    from kfgit import desired  # noqa: PLC0415 - only plan and apply want it

    return Checked(desired.resources(checkout.project, compile_all(checkout), checkout.commit))


def plan(
    repository: Repository,
    checkout: Checkout,
    desired: Sequence[Resource],
    backend: Backend,
    *,
    remarks: Sequence[str] = (),
    refresh: bool = False,
) -> Plan:
    """What makes the environment's target equal to what is wanted, from what is live now.

    `remarks` are about the source; with `refresh` more of the target is looked at.
    """
    found = compare(
        repository,
        checkout,
        desired,
        backend.observe(desired, refresh=refresh),
        backend.identity,
    )
    return replace(found, remarks=(*remarks, *found.remarks))


def compare(
    repository: Repository, checkout: Checkout, desired: Sequence[Resource], live: Live, target: str
) -> Plan:
    """What makes the target of that identity equal to what is wanted, from what was seen there."""
    from kfgit import plan as plans  # noqa: PLC0415 - as above
    from kfgit.policies import lacking  # noqa: PLC0415 - as above

    environment = checkout.project.project.environment
    rules = plans.Rules(environment.prune, environment.protect, environment.prefix)
    possible, left = lacking.left_out(checkout.project, desired, live.lacks)
    found = plans.plan(environment.name, target, possible, live, rules, commit=repository.commit)
    remarks = (*found.remarks, *left)
    return replace(found, branch=repository.branch, folder=repository.is_folder, remarks=remarks)


def priced(
    checkout: Checkout, desired: Sequence[Resource], plan: Plan, backend: Backend, now: datetime
) -> Plan:
    """A plan with what runs and schedules will cost, where profiles say it: by how long earlier runs took.

    Where those cannot be seen that is told, but a budget that blocks raises `MachineFault`.
    """
    from kfgit import demand  # noqa: PLC0415 - as above
    from kfgit.backend import MachineFault  # noqa: PLC0415 - as above
    from kfgit.plan import spending  # noqa: PLC0415 - as above
    from kfgit.policies.budget import budget  # noqa: PLC0415 - as above

    prices = spending.prices(checkout.project, desired)
    if not prices:
        return plan
    before, limit = backend.requests, budget(checkout.project.project.environment)
    try:
        asked = [name for name, each in prices.items() if each.tasks]
        seen: Mapping[str, Sequence[RunTimes]] | str = (
            backend.runs.durations(asked, demand.RUNS) if asked else {}
        )
    except MachineFault as fault:
        if limit is not None and limit.severity == "error":
            raise
        seen = f"its runs cannot be seen: {fault}"
    costs = demand.reckon(prices, seen, spending.firings(plan, desired), now)
    return replace(plan, costs=costs, requests=plan.requests + backend.requests - before)
