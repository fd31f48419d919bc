"""`kfgit profiles`: what each name of a resource profile means in which environment, and who uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from kfgit.cli import exits, options
from kfgit.cli.names import Group
from kfgit.cli.session import Session

if TYPE_CHECKING:
    from kfgit.demand.usage import Meaning
    from kfgit.diagnostics import Checked, Diagnostic
    from kfgit.driver import Checkout, Repository
    from kfgit.render.profiles import Seen

# Whose mistakes make a wrong list: what profiles are, what they mean, and who uses them.
_KINDS = {"Project", "Environment", "ResourceProfile", "Pipeline"}


@click.group("profiles", cls=Group)
def command() -> None:
    """List resource profiles, and show what they mean, where each value comes from, and which tasks use them.

    A name is what tasks write: an environment maps it to a ResourceProfile, or it is one itself. No target is asked.

    \b
    Examples:
      kfgit profiles list
      kfgit profiles show gpu-training -e prod
    """


@command.command("list")
@options.environments
@options.output("human", "json")
@options.session
def list_(session: Session, envs: Sequence[str], output: str) -> int:
    """List the names that tasks may write, what each means in which environment, and who uses it.

    Without -e in all environments; those in which a name means the same share a line.

    \b
    Examples:
      kfgit profiles list
      kfgit profiles list -e staging -e prod -o json
    """
    from kfgit.render import profiles as show
    from kfgit.render.profiles import Seen

    repository = session.repository()
    asked = [session.environment(repository, name) for name in dict.fromkeys(envs)]
    names = asked or list(repository.environments) or [session.environment(repository, None)]
    found: list[Seen] = []
    told: dict[Diagnostic, None] = {}
    for name in names:
        checked = _checked(repository, name)
        told |= dict.fromkeys(_mistakes(checked))
        said = _descriptions(checked.value)
        found += [Seen(name, each, said.get(each.concrete, "")) for each in _meanings(checked.value)]
    if output == "json":
        session.json(show.as_json(found))
    elif found:
        session.print(show.human(found, names, session.out))
    else:
        session.say("there are no profiles; a document of kind ResourceProfile makes one")
    return _end(session, repository, tuple(told))


@command.command("show")
@click.argument("name", shell_complete=options.complete_profile)
@options.environment
@options.output("human", "json")
@options.session
def show(session: Session, name: str, env: str | None, output: str) -> int:
    """Show what a name means in an environment: each value with file and line, what is kept for it, and who uses it.

    \b
    Examples:
      kfgit profiles show gpu-training
      kfgit profiles show gpu-l4 -e prod -o json
    """
    from kfgit.backend import NotFound
    from kfgit.render import profiles as view

    repository = session.repository()
    environment = session.environment(repository, env)
    wanted = name.removeprefix("resourceprofile/")
    checked = _checked(repository, environment)
    found = {meaning.name: meaning for meaning in _meanings(checked.value)}
    told = _mistakes(checked)
    if wanted not in found:
        code = _end(session, repository, told)
        if code == exits.DONE:
            raise NotFound("profile", wanted, sorted(found))
        return code
    seen = _whole(checked.value, found[wanted])
    elsewhere = _elsewhere(repository, environment, found[wanted])
    if output == "json":
        session.json(view.page_json(seen, elsewhere))
    else:
        session.print(view.page(seen, elsewhere, session.out))
    return _end(session, repository, told)


def _checked(repository: Repository, environment: str) -> Checked[Checkout]:
    from kfgit import driver

    return driver.check(repository, environment)


def _meanings(checkout: Checkout) -> tuple[Meaning, ...]:
    from kfgit.demand.usage import meanings

    return meanings(checkout.project.project)


def _mistakes(checked: Checked[Checkout]) -> tuple[Diagnostic, ...]:
    """What is wrong with the documents that the answer is made of."""
    from kfgit import driver
    from kfgit.cli.standing import concerning

    view = checked.value.view
    homes = [d for d in view.documents if d.kind in _KINDS]
    homes = [d for d in homes if d.kind != "Environment" or d.name == view.environment]
    return concerning(homes, driver.mistakes(checked))


def _end(session: Session, repository: Repository, told: Sequence[Diagnostic]) -> int:
    from kfgit.diagnostics import has_errors

    session.diagnose(told, repository)
    return exits.INVALID if has_errors(told) else exits.DONE


def _descriptions(checkout: Checkout) -> Mapping[str, str]:
    """What the profiles say of themselves."""
    from kfgit.document import Scalar, at

    documents = [each for each in checkout.view.documents if each.kind == "ResourceProfile"]
    texts = {each.name: at(each.node, ("metadata", "description")) for each in documents}
    return {
        name: text.value
        for name, text in texts.items()
        if isinstance(text, Scalar) and isinstance(text.value, str)
    }


def _whole(checkout: Checkout, meaning: Meaning) -> Seen:
    """Everything that is known of a name; what is kept for it also where a profile that it extends says so."""
    from dataclasses import replace

    from kfgit.demand.folded import values
    from kfgit.demand.keeping import kept_for
    from kfgit.render.profiles import Seen

    seen = Seen(checkout.environment, meaning, _descriptions(checkout).get(meaning.concrete, ""))
    project = checkout.project.project
    if meaning.profile is None:
        return seen
    objects = tuple((each.kind, each.name, each.profiles) for each in kept_for(project, meaning.profile))
    return replace(seen, values=values(project, meaning.profile), objects=objects)


def _elsewhere(repository: Repository, environment: str, meaning: Meaning) -> Mapping[str, list[str]]:
    """What the same name means in the other environments, where that is something else."""
    found: dict[str, list[str]] = {}
    for other in repository.environments:
        if other == environment:
            continue
        same = {each.name: each for each in _meanings(_checked(repository, other).value)}.get(meaning.name)
        what = same.concrete if same is not None and same.profile is not None else "nothing"
        if what != meaning.concrete:
            found.setdefault(what, []).append(other)
    return found
