"""`kfgit promote`: bring a commit that ran green in one environment to the next."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.render.style import clean

if TYPE_CHECKING:
    from kfgit.project.publishing import Clone
    from kfgit.promotion import Asked, Level, Prepared
    from kfgit.promotion.commits import Commits
    from kfgit.render.promotions import Promotion

_DURATION = re.compile(r"(?=.)(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,8})s)?\Z", re.ASCII)
_PIPELINE = re.compile(r"pipeline/([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)\Z")
_ON_GITHUB = re.compile(
    r"(?:https://|ssh://git@|git@)github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\Z", re.ASCII
)


@click.command("promote")
@click.argument("source", metavar="FROM", shell_complete=options.complete_environment)
@click.argument("target", metavar="TO", shell_complete=options.complete_environment)
@click.option(
    "--commit",
    metavar="REV",
    shell_complete=options.complete_revision,
    help="Promote this commit; default: the one that FROM applied last. An earlier one goes back.",
)
@click.option(
    "--pr", is_flag=True, help="Open a pull request into TO's branch instead of moving the branch on."
)
@click.option(
    "--require",
    multiple=True,
    metavar="WHAT",
    shell_complete=options.complete_required,
    help="What it must have done in FROM: applied, green or all, and pipeline/NAME; default: TO's `git.require`.",
)
@click.option(
    "--soak", metavar="TIME", help="For how long it must have been so, such as 2h; default: TO's `git.soak`."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-push", is_flag=True, help="Change the branch of this clone alone, and ask no remote.")
@options.output("human", "json", "markdown")
@options.session
def command(session: Session, /, source: str, target: str, output: str, **flags: Any) -> int:
    """Bring a commit that ran green in FROM to TO.

    With a branch for each environment TO's branch gets a merge that has exactly the commit's files; with one branch TO
    is pinned to the commit. It shows what changes in TO before it asks.

    \b
    Examples:
      kfgit promote staging prod
      kfgit promote staging prod --pr
      kfgit promote staging prod --require all --soak 12h --yes
      kfgit promote staging prod --commit v1.4
    """
    from kfgit.project.publishing import Clone
    from kfgit.promotion import prepare
    from kfgit.promotion.commits import Commits
    from kfgit.promotion.publishing import proposed

    asked = _asked(source, target, flags)
    root = session.root()
    clone = Clone(root, os.environ)
    with Commits(root) as commits:
        for name in (source, target):
            session.environment(commits.repository("HEAD"), name)
        found = prepare(asked, clone, commits, session.reached, datetime.now(UTC))
        if flags["pr"] and found.made.is_news:
            found = proposed(clone, found)
        told = _told(clone, commits, found)
        session.diagnose(found.remarks, commits.repository(found.made.commit))
        if not found.made.is_news:
            return _end(session, replace(told, result="unchanged"), output)
        if faults := told.diff.environments[0].faults:
            return session.invalid(commits.repository(found.made.commit), faults)
        checkout = commits.checkout(found.made.commit, target).value
        session.lawful(commits.repository(found.made.commit), checkout)
        _agree(session, told, output, asked=not flags["yes"] and not flags["pr"])
        done = (
            _proposed(session, clone, found, told)
            if flags["pr"]
            else _published(session, clone, found, told, asked)
        )
        return _end(session, done, output)


def _asked(source: str, target: str, flags: dict[str, Any]) -> Asked:
    from kfgit.promotion import LEVELS, Asked

    if source == target:
        raise click.UsageError(
            f"`{source}` is both FROM and TO: a promotion goes from one environment to another"
        )
    if flags["pr"] and flags["no_push"]:
        raise click.UsageError("a pull request needs a push: --pr and --no-push exclude each other")
    level: Level | None = None
    pipelines = []
    for what in flags["require"]:
        if what in LEVELS:
            level = what if level is None or LEVELS.index(what) > LEVELS.index(level) else level
        elif named := _PIPELINE.match(what):
            pipelines.append(named.group(1))
        else:
            raise click.UsageError(f"`{what}` cannot be required; write applied, green, all or pipeline/NAME")
    soak = _duration(flags["soak"]) if flags["soak"] is not None else None
    return Asked(source, target, flags["commit"], level, tuple(pipelines), soak, pushes=not flags["no_push"])


def _duration(text: str) -> timedelta:
    found = _DURATION.match(text)
    if found is None:
        raise click.UsageError(f"`{text}` is no time; write 90s, 30m, 2h or 1d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _told(clone: Clone, commits: Commits, found: Prepared) -> Promotion:
    """The promotion, with what changes in the environment."""
    from kfgit import comparison
    from kfgit.promotion import Branches
    from kfgit.render.promotions import Promotion, Step

    is_new = found.made.before is None
    before = commits.opened(found.made.before or clone.empty())
    after = commits.opened(found.made.commit)
    labels = ("nothing" if is_new else found.branch.name, "the promotion")
    diff = comparison.of_commits(before, after, (found.move.target,), labels)
    return Promotion(
        found.move.source,
        found.move.target,
        found.move.commit,
        found.branch.name,
        "branches" if isinstance(found.layout, Branches) else "pin",
        tuple(Step(each.name, each.met, each.why) for each in found.requirements),
        replace(diff, base=replace(diff.base, commit=None)) if is_new else diff,
    )


def _agree(session: Session, told: Promotion, output: str, *, asked: bool) -> None:
    """Shows what will be, and asks; raises `Refused` where the answer is no, or nobody can be asked."""
    from kfgit.render import promotions as show

    if output == "human":
        session.print(show.human(told, session.out))
    if not asked:
        return
    if not session.asks:
        raise Refused("nobody can be asked here: say --yes, or open a pull request with --pr")
    if output != "human":
        session.warn(show.human(told, session.err))
    if session.answer(f"Bring this to {clean(told.target)}? [y/N] ").lower() not in {"y", "yes"}:
        raise Refused("nothing was changed")


def _published(session: Session, clone: Clone, found: Prepared, told: Promotion, asked: Asked) -> Promotion:
    from kfgit.promotion import publish

    done = publish(clone, found, pushes=asked.pushes)
    for remark in done.remarks:
        session.say(clean(remark))
    where = f" of {done.where}" if done.where is not None else " of this clone"
    session.say(
        f"{told.target} gets {told.commit[:10]}: the branch {done.branch}{where} is at {done.commit[:10]} now"
    )
    if done.where is None and found.branch.remote is not None:
        session.say(f"push it: {shlex.join(['git', 'push', clean(found.branch.remote), clean(done.branch)])}")
    return replace(told, promotion=done.commit)


def _proposed(session: Session, clone: Clone, found: Prepared, told: Promotion) -> Promotion:
    """Opens the pull request where GitHub can be asked, else says how."""
    from kfgit.cli import actions
    from kfgit.promotion.publishing import propose
    from kfgit.render import promotions as show

    done = propose(clone, found)
    assert done.where is not None
    address = clone.address(done.where)
    here = os.environ.get("GITHUB_REPOSITORY") or (
        match.group(1) if (match := _ON_GITHUB.match(address)) is not None else None
    )
    url = None
    if here is not None and actions.has_token():
        github = actions.github(here)
        url = github.open_pull_request(done.branch, told.branch, show.title(told), show.markdown(told))
        session.say(f"the pull request: {clean(url)}")
    else:
        session.say(
            f"the branch {done.branch} of {clean(done.where)} is pushed; open a pull request from it:"
        )
        session.say(f"  {_way(here, told.branch, done.branch)}")
    return replace(told, result="opened", promotion=done.commit, pull_request=url)


def _way(repository: str | None, base: str, head: str) -> str:
    if repository is not None:
        words = ("gh", "pr", "create", "--repo", repository, "--base", base, "--head", head, "--fill")
        return shlex.join(map(clean, words))
    return f"from {head} into {base}"


def _end(session: Session, told: Promotion, output: str) -> int:
    from kfgit.render import promotions as show

    if told.result == "unchanged":
        session.say(f"nothing to do: {told.target} has commit {told.commit[:10]} already")
    match output:
        case "json":
            session.json(show.as_json(told))
        case "markdown":
            session.print(show.markdown(told))
        case _:
            pass
    return exits.DONE
