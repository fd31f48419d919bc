"""`kfgit diff`: what differs between two commits or environments, in resources and without any target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from kfgit import comparison, reading
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.project import commits, doubts
from kfgit.render.style import clean

if TYPE_CHECKING:
    from kfgit.diff import Diff
    from kfgit.project.commits import Commit

_HEAD = "HEAD"


@click.command("diff")
@click.argument("revisions", nargs=-1, metavar="[BASE [HEAD]]", shell_complete=options.complete_revisions)
@options.environments
@click.option(
    "--from-env",
    metavar="ENV",
    shell_complete=options.complete_environment,
    help="Compare this environment with --to-env, both at one commit.",
)
@click.option(
    "--to-env",
    metavar="ENV",
    shell_complete=options.complete_environment,
    help="The environment that is told: what it has otherwise.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 2 when something differs.")
@options.output("human", "json", "markdown")
@options.session
def command(
    session: Session,
    /,
    revisions: Sequence[str],
    envs: Sequence[str],
    from_env: str | None,
    to_env: str | None,
    output: str,
    **flags: bool,
) -> int:
    """Show what differs between two commits, or between two environments at one.

    BASE...HEAD begins where HEAD left BASE, as in git. HEAD is the commit that is checked out, unless it is named.

    \b
    Examples:
      kfgit diff main
      kfgit diff origin/main...HEAD -o markdown
      kfgit diff -e prod v1.4 v1.5
      kfgit diff --from-env staging --to-env prod
    """
    root = session.root()
    if from_env is None and to_env is None:
        found = _between_commits(session, root, _asked(revisions), envs)
    else:
        found = _between_environments(session, root, revisions, (from_env, to_env), envs)
    _tell(session, found, output)
    if any(each.faults for each in found.environments):
        return exits.INVALID
    return exits.PENDING if flags["exit_code"] and not found.is_empty else exits.DONE


class _Asked(NamedTuple):
    """The two revisions; `merged`: the older one is where the newer one left it."""

    base: str
    head: str
    merged: bool = False


def _asked(revisions: Sequence[str]) -> _Asked:
    match revisions:
        case [one] if "..." in one:
            base, _, head = one.partition("...")
            return _Asked(base or _HEAD, head or _HEAD, merged=True)
        case [one] if ".." in one:
            base, _, head = one.partition("..")
            return _Asked(base or _HEAD, head or _HEAD)
        case [base]:
            return _Asked(base, _HEAD)
        case [base, head]:
            return _Asked(base, head)
        case []:
            raise click.UsageError(
                "compare with what? `kfgit diff main` says what HEAD has otherwise than main"
            )
        case _:
            raise click.UsageError("a comparison has two sides: BASE and HEAD")


def _between_commits(session: Session, root: Path, asked: _Asked, envs: Sequence[str]) -> Diff:
    with _opened(root, asked.head) as head:
        base = _merge_base(head, asked) if asked.merged else asked.base
        with _opened(root, base) as older:
            _mind_the_folder(session, head)
            label = f"{asked.base}...{asked.head}" if asked.merged else asked.base
            return comparison.of_commits(older, head, envs, (label, asked.head))


def _between_environments(
    session: Session,
    root: Path,
    revisions: Sequence[str],
    pair: tuple[str | None, str | None],
    envs: Sequence[str],
) -> Diff:
    one, other = pair
    if one is None or other is None:
        raise click.UsageError("two environments are compared: give both --from-env and --to-env")
    if envs or len(revisions) > 1:
        raise click.UsageError(
            "two environments are compared at one commit: leave -e and a second commit out"
        )
    with _opened(root, revisions[0] if revisions else _HEAD) as commit:
        _mind_the_folder(session, commit)
        return comparison.of_environments(commit, one, other)


@contextmanager
def _opened(root: Path, revision: str) -> Iterator[Commit]:
    """A commit; ends the command for one that is not here, with the way to get it."""
    with ExitStack() as stack:
        try:
            commit = stack.enter_context(commits.opened(root, None if revision == _HEAD else revision))
        except NotFound:
            head = stack.enter_context(commits.opened(root))
            message = f"there is no commit `{revision}` here; {_way(shallow=head.shallow)}"
            raise click.UsageError(message) from None
        yield commit


def _way(*, shallow: bool) -> str:
    if shallow:
        return "this clone is shallow: `git fetch --unshallow`, or in CI a checkout with `fetch-depth: 0`"
    return "`git branch --all` and `git log` know which there are, `git fetch` gets new ones"


def _merge_base(head: Commit, asked: _Asked) -> str:
    """Where the newer side left the older one."""
    with _opened(head.root, asked.base) as base:
        found = commits.merge_base(head.root, base.id, head.id)
    if found is None:
        why = f"`{asked.base}` and `{asked.head}` have no commit in common"
        raise click.UsageError(f"{why}, as far as is known here; {_way(shallow=head.shallow)}")
    return found


def _mind_the_folder(session: Session, head: Commit) -> None:
    """Says what is in the folder and in no commit: nobody shall think that it was looked at."""
    if head.id == head.head and not session.quiet:
        names = doubts.uncommitted(head, reading.sources_in(head))
        if names:
            session.say(f"not compared: what differs in the folder from commit {head.short}: {clean(names)}")


def _tell(session: Session, found: Diff, output: str) -> None:
    from kfgit.render import diffs
    from kfgit.render.diffs.as_json import as_json

    match output:
        case "json":
            session.json(as_json(found))
        case "markdown":
            session.print(diffs.markdown(found))
        case _:
            session.print(diffs.human(found, session.out))
