"""`kfgit apply`: make the target equal to the repository."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfgit import apply as applying, driver
from kfgit.backend import Locked, MachineFault, NotFound, Refused
from kfgit.cli import exits, options, saved, source
from kfgit.cli.actor import who
from kfgit.cli.ending import finishing
from kfgit.cli.follow import Followed, code, follow, terminable
from kfgit.cli.permission import permit
from kfgit.cli.plan import notes_of, tell
from kfgit.cli.progress import Progress
from kfgit.cli.saved import Saved
from kfgit.cli.session import Session
from kfgit.driver import Checkout
from kfgit.events import FINAL, ChangeFinished, RunRecord
from kfgit.ir import Resource
from kfgit.plan import LOCAL_TARGET, Delete, Plan
from kfgit.render import as_json, plans as show
from kfgit.render.style import clean

if TYPE_CHECKING:
    from kfgit.backend import Backend


@dataclass(frozen=True, slots=True)
class Performed:
    """What became of a plan: its changes, and the exit code so far."""

    results: tuple[ChangeFinished, ...] = ()
    code: int = exits.DONE


@click.command("apply")
@options.environment
@source.revision
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="Apply exactly this plan, or stop as stale."
)
@click.option("--refresh", is_flag=True, help="Look at more of the target, as `plan --refresh` does.")
@click.option("--yes", is_flag=True, help="Do not ask (local targets never do).")
@click.option(
    "--wait", is_flag=True, help="Wait for runs that others execute, too; exit with 7 when one fails."
)
@click.option("--no-prune", is_flag=True, help="Delete nothing.")
@click.option(
    "--confirm",
    multiple=True,
    metavar="DIGEST|KIND/NAME",
    help="Confirm a plan that deletes much, or an object whose loss is for good.",
)
@source.allowances
@options.output("human", "json")
@options.session
def command(session: Session, /, env: str | None, plan_file: Path | None, output: str, **flags: Any) -> int:
    """Make the target equal to the repository.

    A cluster gets a commit, a local target what is in the folder. A local target runs what it starts to the end, since
    nobody else would, unless `kfgit up` serves it.

    \b
    Examples:
      kfgit apply --wait
      kfgit apply -e prod --yes
      kfgit plan --out plan.json && kfgit apply --plan plan.json
    """
    kept = saved.read(session.folder, plan_file) if plan_file is not None else None
    allowed = source.allowed(flags)
    with (
        terminable(),
        source.opened(session, _wanted(env, kept), _rev(flags["rev"], kept), flags["branch"]) as read,
    ):
        repository = read.repository
        checkout = session.checkout(repository, read.environment)
        session.lawful(repository, checkout)
        desired = driver.resources(checkout).value
        environment = checkout.project.project.environment
        doubts = read.doubts(environment)
        source.refuse(doubts, allowed)
        with session.backend(repository, checkout) as backend:
            with backend.lock(who()):
                more = read.more_doubts(environment, backend)
                source.refuse(more, allowed)
                remarks = [doubt.text for doubt in (*doubts, *more)]
                refresh = flags["refresh"] or (kept is not None and kept.refreshed)
                plan = driver.plan(repository, checkout, desired, backend, remarks=remarks, refresh=refresh)
                plan = driver.priced(checkout, desired, plan, backend, datetime.now(UTC))
                if kept is not None and (why := saved.stale(kept, plan)) is not None:
                    more_of_it = " --refresh" if refresh else ""
                    again = f"look again: kfgit plan -e {read.environment}{more_of_it} --out {plan_file}"
                    session.door.failed(exits.STALE, why, again)
                    return exits.STALE
                if flags["no_prune"]:
                    plan = replace(plan, changes=tuple(c for c in plan.changes if not isinstance(c, Delete)))
                if output == "human":
                    tell(
                        session,
                        plan,
                        notes_of(plan, desired, checkout),
                        output,
                        pinned=read.commit is not None,
                    )
                permit(session, repository, checkout, plan)
                applying.guard(plan, flags["confirm"])
                if not flags["yes"] and kept is None:
                    agree(session, plan, output)
                done = perform(session, plan, backend)
            followed = _follow(session, checkout, backend, (desired, done), wait=flags["wait"])
            _note(session, backend, followed)
            runs = [each.run for each in followed]
            if output == "json" and not plan.is_local:
                runs += _left(session, backend, done, {each.id for each in runs})
    if output == "json":
        session.json(as_json.apply(plan, done.results, runs))
    return done.code or _code(followed)


def _wanted(env: str | None, kept: Saved | None) -> str | None:
    """A plan brings its environment along; another one beside it is a slip."""
    if kept is None:
        return env
    if env is not None and env != kept.environment:
        raise click.UsageError(f"the plan is for `{kept.environment}`, not for `{env}`")
    return kept.environment


def _rev(rev: str | None, kept: Saved | None) -> str | None:
    """A plan of a commit brings that along, too."""
    if kept is None or kept.commit is None:
        return rev
    if rev is not None:
        raise click.UsageError(f"the plan is for commit {kept.commit}; leave --rev out")
    return kept.commit


def agree(session: Session, plan: Plan, output: str) -> None:
    """Asks before a cluster is changed; raises `Refused` where the answer is no, or nobody can be asked."""
    if plan.is_local or not plan.pending:
        return
    if not session.asks:
        raise Refused(
            f"nobody can be asked here whether `{plan.environment}` shall change: "
            "say --yes, or apply a plan that was looked at with --plan FILE"
        )
    if output != "human":
        session.warn(show.human(plan, {}, session.err))
    if session.answer(f"Apply this to {clean(plan.environment)}? [y/N] ").lower() not in {"y", "yes"}:
        raise Refused("nothing was changed")


def perform(session: Session, plan: Plan, backend: Backend) -> Performed:
    """Carries the plan out, tells how that ended, and writes the history."""
    if not plan.pending:
        deque(applying.carry_out(plan, backend, who()), maxlen=0)
        return Performed()
    results: list[ChangeFinished] = []
    progress = Progress(session, len(plan.pending))
    lost: MachineFault | None = None
    try:
        with finishing(
            lambda: session.warn("kfgit: what was begun is finished; Ctrl-C again stops at once")
        ) as ending:
            for event in applying.carry_out(plan, backend, who(), ending):
                if isinstance(event, ChangeFinished):
                    results.append(event)
                progress.tell(event)
            ended = ending()
    except MachineFault as fault:
        if not results:
            raise
        lost, ended = fault, False
    finally:
        progress.wipe()
    if session.door.output != "json":
        session.print(show.outcome(results))
    if lost is not None:
        session.warn(f"kfgit: how this ended could not be written down: {clean(str(lost))}; apply again")
    return Performed(tuple(results), _ended(results, ended=ended, lost=lost is not None))


def _ended(results: Sequence[ChangeFinished], *, ended: bool, lost: bool) -> int:
    if ended and any(r.state == "skipped" for r in results):
        return exits.INTERRUPTED
    if any(r.state == "failed" for r in results):
        return exits.PARTLY
    return exits.MACHINE if lost else exits.DONE


def _follow(
    session: Session,
    checkout: Checkout,
    backend: Backend,
    applied: tuple[Sequence[Resource], Performed],
    *,
    wait: bool,
) -> list[Followed]:
    """Executes the runs that nobody has begun, also those of an apply that was cut off; waits for others if asked.

    Where a server executes runs, all are others'.
    """
    desired, done = applied
    if done.code == exits.INTERRUPTED or not (
        backend.identity == LOCAL_TARGET or any(r.kind == "Run" for r in desired)
    ):
        return []
    prefix = checkout.project.project.environment.prefix
    documents = {prefix + name: run for name, run in checkout.project.project.runs.items()}
    made = {r.id for r in done.results if r.kind == "Run" and r.state == "done"}
    limits = {name: run.wait_timeout for name, run in documents.items()}
    if backend.identity != LOCAL_TARGET:
        return list(_executed(session, backend, desired, limits, made)) if wait else []
    followed, served = [], backend.served()
    for live in backend.observe(desired).objects:
        state = live.detail.get("state")
        if live.kind != "Run" or state is None:
            continue
        if state in FINAL and live.id in made:
            session.say(f"  run/{clean(live.name)} ran before for the same state of things: {state}")
        elif state == "PENDING" and served and not wait:
            session.say(f"  run/{clean(live.name)} is left to the server: kfgit runs watch {live.id[:8]}")
        elif state == "PENDING" or (state not in FINAL and wait):
            followed.append(follow(session, backend, live.id, limits.get(live.name)))
    return followed


def _executed(
    session: Session,
    backend: Backend,
    desired: Sequence[Resource],
    limits: Mapping[str, float | None],
    made: Container[str | None],
) -> Iterator[Followed]:
    """Waits for the runs that a cluster executes: a plan does not look at how they stand."""
    for live in backend.observe(desired).objects:
        if live.kind != "Run" or live.name not in limits:
            continue
        try:
            run = backend.runs.get(live.id)
        except NotFound:
            # It was started once, and somebody has removed it since.
            continue
        if run.state not in FINAL:
            yield follow(session, backend, live.id, limits[live.name])
        elif run.id in made:
            yield Followed(run, code(run))


def _note(session: Session, backend: Backend, followed: Sequence[Followed]) -> None:
    """Writes into the target's history how the runs ended; whoever reads it can also ask for them."""
    if backend.identity == LOCAL_TARGET or not followed:
        return
    ended = {each.run.id: each.run.state for each in followed if each.run.state in FINAL}
    try:
        with backend.lock(who()):
            backend.note_runs(ended)
    except (Locked, MachineFault, Refused) as fault:
        session.say(f"kfgit: how the runs ended is not in the history: {clean(str(fault))}")


def _left(session: Session, backend: Backend, done: Performed, known: Container[str]) -> list[RunRecord]:
    """The runs that this apply started and left to the cluster, as they stand."""
    found = []
    for result in done.results:
        if (result.kind, result.state) != ("Run", "done") or not result.id or result.id in known:
            continue
        if result.action == "delete":
            continue
        try:
            found.append(backend.runs.get(result.id))
        except (MachineFault, Refused, NotFound) as fault:
            session.warn(
                f"kfgit: run/{clean(result.name)} was started, and how it stands is not known: {clean(str(fault))}"
            )
    return found


def _code(followed: Sequence[Followed]) -> int:
    codes = {each.code for each in followed}
    return next((code for code in (exits.INTERRUPTED, exits.FAILED) if code in codes), exits.DONE)
