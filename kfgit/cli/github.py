"""`kfgit github`: what workflows tell GitHub, each step one command that people can use as well."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfgit.cli import actions, exits, options
from kfgit.cli.names import Choice, Group
from kfgit.cli.session import Session
from kfgit.render.envelope import envelope, items
from kfgit.render.style import clean, one_line

if TYPE_CHECKING:
    from kfgit.driver import Repository

_LARGEST_TEXT = 16 << 20
# What GitHub takes of a step (docs.github.com, "Adding a job summary").
_LARGEST_SUMMARY = 1 << 20

repository = click.option(
    "--repo",
    metavar="OWNER/NAME",
    envvar="GITHUB_REPOSITORY",
    help="The repository on GitHub; default: the workflow's.",
)
key = click.option("--key", required=True, metavar="KEY", help="What tells it from others of kfgit's.")
shown = options.output("human", "json")


@click.group("github", cls=Group)
def command() -> None:
    """Tell GitHub: comments, summaries, issues, deployments.

    The token comes from GITHUB_TOKEN or GH_TOKEN. What a workflow knows is read from GitHub's own variables.

    \b
    Examples:
      kfgit diff origin/main -o markdown | kfgit github comment - --key diff --pr 12
      kfgit github environments
    """


@command.command("comment")
@click.argument("file", metavar="FILE|-")
@key
@click.option(
    "--pr",
    "number",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="The pull request; default: the workflow's.",
)
@repository
@shown
@options.session
def comment(
    session: Session, /, file: str, key: str, number: int | None, repo: str | None, output: str
) -> int:
    """Keep one comment on a pull request.

    It is found again by KEY and by who wrote it, and changed instead of followed by another. Nothing is written
    where it says the same already.

    \b
    Examples:
      kfgit github comment diff.md --key diff
      kfgit plan -e staging -o markdown | kfgit github comment - --key plan-staging --pr 12
    """
    _check_key(key)
    text = _text(session, file)
    pull = number or actions.pull_request()
    if pull is None:
        raise click.UsageError("which pull request? Give --pr NUMBER: this is no workflow about one")
    done = actions.github(repo).comment(pull, key, text)
    if output == "json":
        told = {"number": pull, "url": done.url, "action": done.action, "removed": done.removed}
        session.json(envelope("Comment", key=key, **told))
    else:
        session.print(f"{done.action}: {clean(done.url)}")
    return exits.DONE


@command.command("summary")
@click.argument("file", metavar="FILE|-")
@shown
@options.session
def summary(session: Session, /, file: str, output: str) -> int:
    """Add a text to a step's summary.

    Outside of workflows it is printed. What GitHub has no room for (1 MiB a step) is left out, with a remark.

    \b
    Example:
      kfgit github summary plan.md
    """
    from kfgit.github.bodies import within

    text, path = _text(session, file), actions.summary_file()
    if path is None:
        if output == "json":
            session.json(envelope("Summary", written=False, text=text))
        else:
            session.print(clean(text))
        return exits.DONE
    there = path.stat().st_size if path.exists() else 0
    kept = within(text.rstrip("\n") + "\n", _LARGEST_SUMMARY - there)
    with path.open("a", encoding="utf-8") as opened:
        opened.write(kept)
    if output == "json":
        session.json(envelope("Summary", written=True, text=kept))
    return exits.DONE


@command.command("issue")
@click.argument("file", metavar="[FILE|-]", required=False)
@key
@click.option("--title", help="Its title; wanted unless it is closed.")
@click.option("--close", is_flag=True, help="Close it, after FILE was said in it.")
@repository
@shown
@options.session
def issue(
    session: Session, /, file: str | None, key: str, repo: str | None, output: str, **flags: Any
) -> int:
    """Keep one issue open, or close it.

    There is one open issue for each KEY, with the label `kfgit-drift`.

    \b
    Examples:
      kfgit github issue drift.md --key drift-prod --title "prod has drifted"
      kfgit github issue --key drift-prod --close
    """
    _check_key(key)
    title = flags["title"]
    if not flags["close"] and (file is None or not title):
        raise click.UsageError("an issue wants FILE and --title; to close one, give --close")
    text = _text(session, file) if file is not None else ""
    hub = actions.github(repo)
    done = hub.close_issue(key, text) if flags["close"] else hub.issue(key, title, text)
    if output == "json":
        session.json(envelope("Issue", key=key, action=done.action, number=done.number, url=done.url or None))
    elif done.number is None:
        session.say(f"no open issue has the key {key}")
    else:
        session.print(f"{done.action}: {clean(done.url)}")
    return exits.DONE


@command.command("deployment")
@options.named_environment
@click.option(
    "--state",
    type=Choice("in_progress", "success", "failure", "error"),
    required=True,
    help="How far it has come.",
)
@click.option("--result", metavar="FILE", help="What `apply -o json` printed; told in one line.")
@click.option("--sha", metavar="COMMIT", envvar="GITHUB_SHA", help="The commit; default: the workflow's.")
@repository
@shown
@options.session
def deployment(session: Session, /, env: str, state: str, repo: str | None, output: str, **flags: Any) -> int:
    """Tell how far a deployment has come.

    That is the deployment which Actions opened for a job with an `environment`, or else a new one.

    \b
    Examples:
      kfgit github deployment -e staging --state in_progress
      kfgit github deployment -e staging --state success --result apply.json
    """
    from kfgit.cli.applied import in_short
    from kfgit.github import Report

    if not flags["sha"]:
        raise click.UsageError("which commit? Give --sha COMMIT: this is no workflow")
    path = flags["result"]
    description = one_line(in_short(session.folder / path), 140) if path else ""
    report = Report(env, flags["sha"], state, description, actions.log_url())  # type: ignore[arg-type] # the choices
    id_ = actions.github(repo).report(report)
    if output == "json":
        about = {"id": id_, "environment": env, "commit": flags["sha"], "state": state}
        session.json(envelope("Deployment", **about, description=description))
    else:
        session.print(f"{clean(env)}: {state}{f' ({description})' if description else ''}")
    return exits.DONE


@command.command("environments")
@click.option("--branch", metavar="NAME", help="Only those that this branch is applied to.")
@click.option(
    "--only",
    multiple=True,
    metavar="NAMES",
    help="Only these: a JSON list, or names with spaces or commas between; given twice, those in both.",
)
@shown
@options.session
def environments(session: Session, branch: str | None, only: tuple[str, ...], output: str) -> int:
    """List the environments on clusters.

    As a matrix of jobs wants them. A step gets them as its output `environments`, too. An environment without
    `git.branch` belongs to the repository's default branch.

    \b
    Examples:
      kfgit github environments
      kfgit github environments --branch main --only '["staging", "prod"]'
    """
    found = session.repository()
    if found.diagnostics:
        from kfgit.diagnostics import has_errors

        if has_errors(found.diagnostics):
            return session.invalid(found, found.diagnostics)
    chosen = _chosen(session, found, branch, _in_all([_names(text) for text in only]))
    names = json.dumps([name for name, _ in chosen])
    actions.put_output("include", json.dumps([{"environment": name, "branch": of} for name, of in chosen]))
    actions.put_output("environments", names)
    if output == "json":
        session.json(items("Environment", [{"name": name, "branch": of} for name, of in chosen]))
    else:
        session.print(names)
    return exits.DONE


def _chosen(
    session: Session, found: Repository, branch: str | None, only: Sequence[str] | None
) -> list[tuple[str, str | None]]:
    """The clusters' environments that are asked for, with their branches; what is asked for and is none, is told."""
    from kfgit.cli.standing import standing

    stands = {name: standing(found, name) for name in found.environments}
    clusters = {name: each.branch for name, each in stands.items() if each.cluster is not None}
    for name in only or ():
        if name not in clusters:
            why = "is not on a cluster" if name in stands else "is no environment of this commit"
            session.warn(f"kfgit: `{clean(name)}` {why}: it is left out")
    default = actions.default_branch() if branch is not None else None
    kept = {name: of for name, of in clusters.items() if only is None or name in only}
    return [(name, of) for name, of in kept.items() if branch is None or (of or default) == branch]


def _in_all(lists: Sequence[Sequence[str]]) -> Sequence[str] | None:
    """The names that are in each list; None where there is no list."""
    return [name for name in lists[0] if all(name in each for each in lists)] if lists else None


def _names(text: str) -> Sequence[str]:
    """The names that somebody wrote, as a variable of a repository has them."""
    if not text.strip().startswith("["):
        return text.replace(",", " ").split()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise click.UsageError(f'`{one_line(text)}` is no JSON list; write `["staging", "prod"]`') from None
    if not all(isinstance(name, str) for name in found):
        raise click.UsageError(f"`{one_line(text)}` is no list of names")
    return tuple(found)


def _check_key(key: str) -> None:
    from kfgit.github.bodies import is_key

    if not is_key(key):
        raise click.UsageError(
            f"`{one_line(key)}` is no key: letters, digits, `.`, `_`, `/` and single `-`, at most 100"
        )


def _text(session: Session, file: str) -> str:
    """A text of bounded size, from a file or from stdin."""
    if file == "-":
        content = sys.stdin.buffer.read(_LARGEST_TEXT + 1)
    else:
        path = session.folder / Path(file)
        if not path.is_file():
            raise click.UsageError(f"there is no file {file}")
        with path.open("rb") as opened:
            content = opened.read(_LARGEST_TEXT + 1)
    if len(content) > _LARGEST_TEXT:
        raise click.UsageError(f"{file} has more than {_LARGEST_TEXT >> 20} MiB")
    if not content.strip():
        raise click.UsageError(f"there is nothing in {'what came in' if file == '-' else file}")
    return content.decode(errors="replace")
