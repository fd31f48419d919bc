"""Whether an environment's policies let a plan be carried out, now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from kfgit import driver
from kfgit.cli.session import Session
from kfgit.driver import Checkout, Repository
from kfgit.plan import Plan


def permit(session: Session, repository: Repository, checkout: Checkout, plan: Plan) -> None:
    """Refuses a plan that changes something against a policy that blocks, or in a freeze; tells what only warns."""
    frozen = driver.frozen(checkout, datetime.now(UTC)) if plan.pending else None
    session.lawful(repository, checkout, (*driver.refusals(checkout, plan), *([frozen] if frozen else [])))


def judge(session: Session, repository: Repository, checkout: Checkout, plan: Plan) -> None:
    """The same where nothing is carried out yet: that there is a freeze now is no reason not to look ahead."""
    session.lawful(repository, checkout, driver.refusals(checkout, plan))


def remarked(plan: Plan, checkout: Checkout) -> Plan:
    """A plan with what policies say of it among its remarks, for those who read nothing but the plan."""
    told = [
        f"{'refused' if each.severity == 'error' else 'warned'} by {each.code}: {each.message} "
        f"({each.span.file}:{each.span.line})"
        for each in driver.refusals(checkout, plan)
    ]
    return replace(plan, remarks=(*plan.remarks, *told))


def freeze_remarks(checkout: Checkout) -> list[str]:
    """What a plan says of a freeze at this moment."""
    frozen = driver.frozen(checkout, datetime.now(UTC))
    if frozen is None:
        return []
    then = "apply refuses changes" if frozen.severity == "error" else "apply only warns"
    return [f"{frozen.message}; {then} ({frozen.span.file}:{frozen.span.line})"]
