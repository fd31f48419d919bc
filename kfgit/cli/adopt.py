"""`kfgit adopt`: objects that others made become this project's, as they are."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click

from kfgit import desired as wishes, driver, plan as plans
from kfgit.backend import Ambiguous, NotFound, Refused, SameName
from kfgit.cli import options, source
from kfgit.cli.actor import who
from kfgit.cli.apply import Performed, agree, perform
from kfgit.cli.plan import tell
from kfgit.cli.session import Session
from kfgit.diagnostics import did_you_mean
from kfgit.driver import Checkout
from kfgit.ir import Resource
from kfgit.plan import Live, LiveObject, Plan
from kfgit.render import as_json
from kfgit.render.style import clean

Key = tuple[str, str]

# So much of an id is enough.
_ID = 8


@click.command("adopt")
@click.argument(
    "names", metavar="KIND/NAME...", nargs=-1, required=True, shell_complete=options.complete_foreign
)
@options.environment
@source.revision
@click.option("--yes", is_flag=True, help="Do not ask (local targets never do).")
@click.option(
    "--from-other", is_flag=True, help="Take over what another project or environment of kfgit keeps, too."
)
@source.allowances
@options.output("human", "json")
@options.session
def command(session: Session, /, names: Sequence[str], env: str | None, output: str, **flags: Any) -> int:
    """Take over objects that others made, as they are.

    Nothing is made, changed or replaced. Each object must have a document; what that says otherwise is shown, and is
    what the next apply changes. NAME is the document's or the server's, of a schedule also the id; `*` stands for any.

    \b
    Examples:
      kfgit adopt pipeline/churn schedule/nightly -e prod
      kfgit adopt 'schedule/*' -e prod --yes
      kfgit adopt schedule/6f3a0e7c-51d2-4d0b-9f0c-0d7b0d1f2a11 -e prod
    """
    with source.opened(session, env, flags["rev"], flags["branch"]) as read:
        repository = read.repository
        checkout = session.checkout(repository, read.environment)
        session.lawful(repository, checkout)
        desired = driver.resources(checkout).value
        environment = checkout.project.project.environment
        doubts, allowed = read.doubts(environment), source.allowed(flags)
        source.refuse(doubts, allowed)
        with session.backend(repository, checkout) as backend, backend.lock(who()):
            more = read.more_doubts(environment, backend)
            source.refuse(more, allowed)
            meant = _meant(names, _Sight(checkout, desired, backend.observe(desired)))
            _check_owners(meant.found, from_other=flags["from_other"])
            for key in meant.ours:
                session.say(f"{clean(_word(key))} is this project's already")
            for text in meant.unclear:
                session.warn(clean(text))
            live = backend.observe(desired, adopting=meant.found)
            chosen = {(each.kind, each.name): each.id for each in meant.found}
            plan = plans.adoption(
                environment.name, backend.identity, desired, live, chosen, commit=repository.commit
            )
            remarks = tuple(doubt.text for doubt in (*doubts, *more))
            plan = replace(plan, remarks=remarks, branch=repository.branch, folder=repository.is_folder)
            if output == "human" and plan.changes:
                tell(session, plan, {}, output, pinned=read.commit is not None)
            if not flags["yes"]:
                agree(session, plan, output)
            done = perform(session, plan, backend) if plan.pending else Performed()
    if output == "json":
        session.json({**as_json.apply(plan, done.results, ()), "changes": _changes(plan)})
    return done.code


def _changes(plan: Plan) -> list[dict[str, Any]]:
    return [as_json.change(each) for each in plan.changes]


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is wanted and what is there."""

    checkout: Checkout
    desired: Sequence[Resource]
    live: Live

    def wanted(self) -> dict[Key, Resource]:
        return {(each.kind, each.name): each for each in self.desired if each.kind != "Run"}

    def server_names(self) -> dict[Key, str]:
        """What documents are called on the server, by kind and name of the document."""
        checked = self.checkout.project
        kinds: Mapping[str, Mapping[str, Any]] = {
            "Pipeline": checked.project.pipelines,
            "Experiment": checked.project.experiments,
            "Schedule": checked.project.schedules,
        }
        return {
            (kind, name): wishes.server_name(checked, name, each.external_name)
            for kind, documents in kinds.items()
            for name, each in documents.items()
        }


@dataclass(slots=True, eq=False)
class _Meant:
    """What the names mean: objects to take over, what is ours already, and what a pattern cannot decide."""

    found: list[LiveObject] = field(default_factory=list)
    ours: list[Key] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def _meant(names: Sequence[str], sight: _Sight) -> _Meant:
    """The objects of all names, each once; raises for a name that means none, or several."""
    meant = _Meant()
    for name in dict.fromkeys(names):
        if not any(sign in name for sign in "*?["):
            _take(meant, sight.live, *_key(name, sight))
            continue
        for key in _matching(name, sight):
            try:
                _take(meant, sight.live, key, None)
            except SameName as fault:
                meant.unclear.append(f"{_word(key)} is left out: {fault}")
    return meant


def _take(meant: _Meant, live: Live, key: Key, id_: str | None) -> None:
    there = [each for each in live.objects if (each.kind, each.name) == key]
    # One that is ours by its mark alone was being taken over when that was cut off.
    ours = next((each for each in there if each.owned and not each.unrecorded), None)
    foreign = [each for each in there if (not each.owned or each.unrecorded) and id_ in {None, each.id}]
    if ours is not None and (id_ is None or ours.id == id_):
        meant.ours += [] if key in meant.ours else [key]
        return
    if ours is not None:
        raise Refused(
            f"{_word(key)} is this project's already, with the id {ours.id}: it cannot have a second one; "
            "delete one of the two on the server"
        )
    if len(foreign) > 1:
        raise SameName(key[1], [each.id for each in foreign])
    other = next((each for each in meant.found if (each.kind, each.name) == key), None)
    if other is not None and other.id != foreign[0].id:
        raise Refused(f"{_word(key)} is named twice, as {other.id} and as {foreign[0].id}: take one of them")
    meant.found += [] if other is not None else foreign


def _key(text: str, sight: _Sight) -> tuple[Key, str | None]:
    """Kind and name on the server of what is meant, for schedules perhaps the id; raises for what means nothing."""
    word, slash, name = text.partition("/")
    wanted = sight.wanted()
    live = {each.kind for each in sight.live.objects}
    kinds = {kind.lower(): kind for kind in (*plans.ORDER[:-1], *(key[0] for key in wanted), *sorted(live))}
    if not slash or not name:
        raise click.UsageError(f"`{text}` names nothing: write KIND/NAME, such as `pipeline/churn`")
    kind = kinds.get(word.lower().removesuffix("s")) or kinds.get(word.lower())
    if kind is None:
        raise click.UsageError(f"there is no kind `{word}` here; {did_you_mean(word, kinds, what='kinds')}")
    server = name if (kind, name) in wanted else sight.server_names().get((kind, name), name)
    there = [each for each in sight.live.objects if each.kind == kind]
    if any(each.name == server for each in there):
        return _wanted((kind, server), wanted), None
    by_id = [each for each in there if kind == "Schedule" and len(name) >= _ID and each.id.startswith(name)]
    if len(by_id) > 1:
        raise Ambiguous("schedule", name, [each.id for each in by_id])
    if by_id:
        return _wanted((kind, by_id[0].name), wanted), by_id[0].id
    raise _absent(kind, name, server, there, wanted)


def _matching(pattern: str, sight: _Sight) -> Sequence[Key]:
    """All objects that a document wants and that a pattern names, by either of their names."""
    documents = {(kind, server): (kind, name) for (kind, name), server in sight.server_names().items()}
    wanted = sight.wanted()
    found = sorted(
        key
        for key in {(each.kind, each.name) for each in sight.live.objects}
        if key in wanted
        and any(fnmatch.fnmatchcase(_word(each), pattern) for each in (key, documents.get(key, key)))
    )
    if not found:
        raise click.UsageError(f"nothing that is there and that a document wants is named by `{pattern}`")
    return found


def _wanted(key: Key, wanted: Mapping[Key, Resource]) -> Key:
    if key not in wanted:
        near = did_you_mean(key[1], [name for kind, name in wanted if kind == key[0]], what="wanted")
        raise Refused(
            f"no document wants {_word(key)}: write one (`kfgit import --live` does), or give a document that "
            f"name by `externalName`; {near}"
        )
    return key


def _absent(
    kind: str, name: str, server: str, there: Sequence[LiveObject], wanted: Mapping[Key, Resource]
) -> Exception:
    """Why nothing of a name can be taken over."""
    cased = next((each.name for each in there if each.name.casefold() == server.casefold()), None)
    if cased is not None:
        return Refused(
            f"the server has {_word((kind, cased))}, not `{server}`, and its database takes the two for "
            f"one: give the document `externalName: {cased}`"
        )
    foreign = sorted({each.name for each in there if not each.owned})
    if (kind, server) in wanted:
        near = did_you_mean(server, foreign, what="there and not kfgit's") if foreign else ""
        return Refused(
            f"there is no {_word((kind, server))} to take over: an apply makes it"
            + (f"; {near}" if near else "")
        )
    return NotFound(kind.lower(), name, sorted({*foreign, *(each for of, each in wanted if of == kind)}))


def _check_owners(found: Iterable[LiveObject], *, from_other: bool) -> None:
    """Refuses what somebody else keeps by kfgit, where that is not said to be meant."""
    theirs = [each for each in found if each.detail.get("owner")]
    if theirs and not from_other:
        told = "\n".join(
            f"{_word((each.kind, each.name))} belongs to {each.detail['owner']}" for each in theirs
        )
        raise Refused(
            f"{told}\nboth would keep changing it: take it out there first, with `prune` off, "
            "and then say --from-other"
        )


def _word(key: Key) -> str:
    return f"{key[0].lower()}/{key[1]}"
