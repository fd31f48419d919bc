"""What carrying out changes takes: the servers, the lock, the ledger, and ids by name, found once and remembered.

Also how a write is settled that may or may not have happened. A request that was cut may still land a moment later, so
whoever finds nothing looks again over some seconds (`LOOKS`) before that is taken for an answer. What lands even later
than that does no harm: schedules are made switched off and carry the mark of what they were made for, so that the next
plan deletes them as leftovers; names of experiments, pipelines and versions are unique; a run has its id, is asked for
once in an apply, and the next apply looks before it asks.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kfgit.backend import MachineFault, Refused
from kfgit.backends.cluster.connection.wire import Ambiguous
from kfgit.backends.cluster.kfp.api import KfpApi, KfpExperiment, KfpFault, KfpSchedule
from kfgit.backends.cluster.kfp.capabilities import Capabilities
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.inventory import Entry, Inventory
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.ir import Resource
from kfgit.plan import USES, Live, LiveObject, written

T = TypeVar("T")

# What `Entry.extra` calls the version that a pipeline or a schedule is of.
VERSION = "versionId"
# What it calls the name that somebody else gave to that version.
CALLED = "versionName"
# What it calls the names of the documents that want an object, where they are not its own.
DOCUMENTS = "documents"

# The pauses before each further look at what became of a write: together longer than a server takes to answer one that
# was cut off on the way.
LOOKS = (0.2, 0.5, 1.0, 2.0, 4.0)
# A write whose answer is a fault of the server's has ended there: what came of it shows sooner.
_SHORT = 2
# The pauses before a write is made again that the database took back, since another one stood in its way.
_TAKEN_BACK = (0.1, 0.5, 2.0)


def _nothing() -> None:
    """No lock is asked for where nothing of a set is changed."""


class Names:
    """Ids by kind and name. Each is found, or made, by one thread, while others wait for it."""

    def __init__(self, known: Iterable[tuple[tuple[str, str], str]] = ()) -> None:
        self._ids = dict(known)
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    def put(self, kind: str, name: str, id_: str) -> None:
        """Remembers an id."""
        with self._guard:
            self._ids[kind, name] = id_

    def forget(self, kind: str, name: str) -> None:
        """What was deleted has no id any more."""
        with self._guard:
            self._ids.pop((kind, name), None)

    def get(self, kind: str, name: str, find: Callable[[], str]) -> str:
        """The id, by `find` where nobody asked before."""
        with self._guard:
            lock = self._locks[kind, name]
        with lock:
            known = self._ids.get((kind, name))
            if known is None:
                known = find()
                self.put(kind, name, known)
            return known


def noted(extra: Mapping[str, Any], desired: Resource) -> Mapping[str, Any]:
    """What an entry keeps of an object, with its documents' names: nothing else tells them once those are gone."""
    known = desired.documents in ((), (desired.name,))
    return extra if known else {**extra, DOCUMENTS: list(desired.documents)}


def applied(extra: Mapping[str, Any], desired: Resource) -> Mapping[str, Any]:
    """The same of an object that is what is desired: also which profiles its tasks used."""
    uses = {USES: written(desired.uses)} if desired.uses else {}
    return {**noted(extra, desired), **uses}


def names_of(live: Live, inventory: Inventory) -> Names:
    """The ids that nobody needs to ask for: what was seen, and the versions of it that an earlier apply noted."""
    seen = {(each.kind, each.name): each for each in live.objects if each.kind in ("Experiment", "Pipeline")}
    versions = [
        (
            ("PipelineVersion", f"{entry.name}\0{marks.version_name(entry.spec['digest'])}"),
            entry.extra[VERSION],
        )
        for entry in inventory.entries
        if VERSION in entry.extra
        and (there := seen.get(("Pipeline", entry.name))) is not None
        and (there.id, there.spec.get("digest")) == (entry.id, entry.spec.get("digest"))
    ]
    return Names([*((key, each.id) for key, each in seen.items()), *versions])


@dataclass(eq=False, slots=True)
class Calls:
    """KFP's server, asked with care. `held` raises where the lock is lost: it is asked before each write."""

    kfp: KfpApi
    held: Callable[[], None] = _nothing
    names: Names = field(default_factory=Names)
    looks: tuple[float, ...] = LOOKS
    sleep: Callable[[float], None] = time.sleep

    def again(self, write: Callable[[], T]) -> T:
        """What a write answers that may be made twice: made again where its answer got lost."""
        for pause in self.looks:
            self.held()
            try:
                return write()
            except (Ambiguous, KfpFault) as fault:
                if isinstance(fault, KfpFault) and not _doubtful(fault):
                    raise
            self.sleep(pause)
        self.held()
        return write()

    def written(self, write: Callable[[], T], look: Callable[[], T | None], *, times: int = 1) -> T:
        """What a write made, or, where its answer got lost or speaks of a fault of the server, what `look` finds of it.

        Where nothing is found a lost write is made again, up to `times`, and so is one that the database took back,
        some times more. With one time nothing is made twice: KFP starts the workflow of a run before it writes the run
        down. Raises the fault of the last write in the end.
        """
        pauses = iter(_TAKEN_BACK if times > 1 else ())
        turn = 0
        while True:
            turn += 1
            self.held()
            try:
                return write()
            except (Ambiguous, KfpFault) as fault:
                if isinstance(fault, KfpFault) and not _doubtful(fault):
                    raise
                own = isinstance(fault, KfpFault)
                found = self.settled(look, self.looks[:_SHORT] if own else self.looks)
                if found is not None:
                    return found
                if isinstance(fault, KfpFault) and fault.undone and (pause := next(pauses, None)) is not None:
                    turn -= 1
                    self.sleep(pause)
                elif own or turn >= times:
                    raise

    def settled(self, look: Callable[[], T | None], looks: Iterable[float]) -> T | None:
        """What is there by now, or comes to be there soon."""
        found = look()
        for pause in looks:
            if found is not None:
                break
            self.sleep(pause)
            found = look()
        return found

    def made(
        self,
        kind: str,
        name: str,
        write: Callable[[], T],
        look: Callable[[], T | None],
        ours: Callable[[T], bool],
    ) -> T:
        """A new object of a unique name, or the one of ours that is there already; raises `Refused` for another's."""
        try:
            # A name that is there once cannot be there twice, so there is no need to wait for what may land late.
            found = self.written(write, lambda: self.settled(look, ()), times=3)
        except KfpFault as fault:
            if not fault.taken:
                raise
            there = look()
            if there is None:
                raise MachineFault(
                    f"KFP says that there is a {kind} `{name}` already, and shows none: its server died making one. "
                    "Nobody can use the name before that row is removed from KFP's database; until then give the "
                    f"{kind} another name (`spec.externalName`)"
                ) from fault
            found = there
        if not ours(found):
            raise Refused(
                f"there is a {kind} `{name}` already, and this project did not make it: rename one of the two, or "
                "take it over with `kfgit adopt`"
            )
        return found


@dataclass(eq=False, slots=True)
class Context(Calls):
    """What carrying out the changes of one apply takes.

    `owner` is the set (`marks.set_id`), `number` that of the apply, `zone` the one that KFP's controller reads crons
    in, `inventory` what it was before the apply began. `unsettled` are kinds and names of what an apply that was cut
    off meant to write, and may still be about to land.
    """

    kube: KubeApi = field(kw_only=True)
    ledger: Ledger = field(kw_only=True)
    capabilities: Capabilities = field(kw_only=True)
    inventory: Inventory = field(kw_only=True)
    owner: str = field(kw_only=True)
    number: int = field(kw_only=True)
    zone: str = field(kw_only=True, default="UTC")
    unsettled: frozenset[tuple[str, str]] = field(init=False)
    _entries: Mapping[tuple[str, str], Entry] = field(init=False)
    _ids: dict[tuple[str, str], frozenset[str]] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _schedules: tuple[KfpSchedule, ...] | None = None

    def __post_init__(self) -> None:
        """What is asked for again and again is put in order once."""
        journal = self.inventory.journal
        self.unsettled = (
            frozenset((each.kind, each.name) for each in journal.intents) if journal else frozenset()
        )
        self._entries = self.inventory.by_id()
        self._ids = {}
        for kind, id_ in self._entries:
            key = kind, self._entries[kind, id_].name
            self._ids[key] = self._ids.get(key, frozenset()) | {id_}

    def mark(self, kind: str, name: str, digest: str) -> marks.Mark:
        """What is written on an object that this apply makes."""
        operation = marks.operation(f"{self.number}:{kind}:{name}:{digest}")
        return marks.Mark(self.owner, digest[:12], operation)

    def entry(self, kind: str, id_: str) -> Entry | None:
        """What the inventory knows of an object."""
        return self._entries.get((kind, id_))

    def ids(self, kind: str, name: str) -> frozenset[str]:
        """The ids that the inventory knows under a name: there may be more than one after an apply that was cut off."""
        return self._ids.get((kind, name), frozenset())

    def check_unused(self, live: LiveObject, of: Callable[[KfpSchedule], str | None]) -> None:
        """Raises `Refused` where a schedule stands on what is to be deleted; those of the plan are gone by then."""
        with self._lock:
            if self._schedules is None:
                self._schedules = self.kfp.schedules()
        users = sorted({each.display_name for each in self._schedules if of(each) == live.id})
        if users:
            names = ", ".join(f"`{name}`" for name in users[:3]) + (", …" if len(users) > 3 else "")
            raise Refused(
                f"{live.kind.lower()} `{live.name}` is still used by schedules that are not deleted with it: {names}"
            )


def _doubtful(fault: KfpFault) -> bool:
    """Whether an answer leaves open what happened; one of 200 that is none of KFP's does too."""
    return fault.status >= 500 or fault.status == 200


def experiment_id(calls: Calls, name: str) -> str:
    """The experiment that a schedule or a run is put into; one that is missing is made, and belongs to nobody."""

    def find() -> str:
        def look() -> KfpExperiment | None:
            return calls.kfp.experiment_named(name)

        found = look() or calls.made(
            "experiment", name, lambda: calls.kfp.create_experiment(name), look, lambda _: True
        )
        return found.experiment_id

    return calls.names.get("Experiment", name, find)


def pipeline_id(calls: Calls, name: str) -> str:
    """The pipeline that a schedule or a run refers to."""

    def find() -> str:
        found = calls.kfp.pipeline_named(name)
        if found is None:
            raise Refused(f"the server has no pipeline `{name}`")
        return found.pipeline_id

    return calls.names.get("Pipeline", name, find)


def version_id(context: Context, pipeline: str, version: str) -> str:
    """The version of a pipeline that a schedule or a run is pinned to."""

    def find() -> str:
        found = context.kfp.version_named(pipeline_id(context, pipeline), version)
        if found is None:
            _check_ours(context, pipeline, version)
            raise Refused(
                f"pipeline `{pipeline}` has no version `{version}` on the server; "
                "name one that it has, or `latest`, which is the one of this commit"
            )
        return found.pipeline_version_id

    return context.names.get("PipelineVersion", f"{pipeline}\0{version}", find)


def _check_ours(context: Context, name: str, version: str) -> None:
    """Raises `Refused` where a pipeline lacks a version because it is a stranger's."""
    there = context.kfp.pipeline_named(name)
    if (
        there is None
        or marks.is_of(context.owner, there.tags, there.description)
        or context.entry("Pipeline", there.pipeline_id) is not None
    ):
        return
    kept = marks.SET_TAG in there.tags or marks.mark_of(there.description) is not None
    way = "" if kept else ", or take that one over with `kfgit adopt`"
    raise Refused(
        f"pipeline `{name}` on the server is not this project's, and does not hold this commit's content: it has no "
        f"version `{version}`; give one of the two another name{way}"
    )
