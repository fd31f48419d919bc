"""`kfgit policy`: the team's own rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kfgit.cli import exits, options
from kfgit.cli.names import Group
from kfgit.cli.session import Session

if TYPE_CHECKING:
    from kfgit.driver import Repository
    from kfgit.model import PolicyRule
    from kfgit.policies.testing import Outcome
    from kfgit.render.policies import Tested


@click.group("policy", cls=Group)
def command() -> None:
    """Test the rules that a team has written itself.

    \b
    Example:
      kfgit policy test
    """


@command.command("test")
@options.environments
@options.output("human", "json", "github")
@options.session
def test(session: Session, envs: Sequence[str], output: str) -> int:
    """Ask every rule about the examples that are written beside it.

    Without -e in all environments. Exits with 1 when a rule says otherwise than its example, or is no rule.

    \b
    Examples:
      kfgit policy test
      kfgit policy test -e prod -o json
    """
    from kfgit.render import diagnostics, policies as show

    repository = session.repository()
    asked = dict.fromkeys(envs)
    names = [session.environment(repository, name) for name in asked] or list(repository.environments)
    found = _together(session, repository, names)
    failed = [outcome.diagnostic() for each in found for outcome in each.outcomes if not outcome.passed]
    match output:
        case "json":
            session.json(show.as_json(found))
        case "github":
            session.print(diagnostics.github(failed))
        case _:
            session.print(show.human(found, session.out))
    return exits.INVALID if failed else exits.DONE


def _together(session: Session, repository: Repository, names: Sequence[str]) -> list[Tested]:
    """The rules of all these environments; what several of them have, with equal results, once."""
    from kfgit.render.policies import Tested

    found: dict[object, Tested] = {}
    for name in names:
        for rule, outcomes in _tested(session, repository, name):
            key = (rule.span, tuple((each.test.span, each.why) for each in outcomes))
            known = found.get(key)
            before = known.environments if known is not None else ()
            found[key] = Tested(rule, tuple(outcomes), (*before, name))
    return sorted(found.values(), key=lambda each: (each.rule.span, each.environments))


def _tested(session: Session, repository: Repository, name: str) -> list[tuple[PolicyRule, list[Outcome]]]:
    """The rules of an environment; ends the command with 1 where what it says of policies has mistakes."""
    from kfgit import driver
    from kfgit.cli.standing import concerning
    from kfgit.diagnostics import has_errors
    from kfgit.document import at, plain
    from kfgit.policies.testing import outcomes

    checked = driver.check(repository, name)
    homes = [
        each
        for each in checked.value.view.documents
        if each.kind == "Project" or (each.kind, each.name) == ("Environment", name)
    ]
    told = concerning(homes, driver.mistakes(checked))
    if has_errors(told):
        raise exits.Stop(session.invalid(repository, told))
    environment = checked.value.project.project.environment
    labels = next(
        (at(each.node, ("metadata", "labels")) for each in homes if each.kind == "Environment"), None
    )
    found = outcomes(environment, plain(labels) if labels is not None else {})
    return [(rule, [each for each in found if each.rule is rule]) for rule in environment.rules]
