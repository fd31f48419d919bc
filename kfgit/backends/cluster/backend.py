"""The cluster backend itself: the protocol of `backend`, over the modules beside it.

Nobody is asked anything before something wants to know; what was asked once is not asked again by the same command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from kfgit.backend import MachineFault, Refused, RunRequest
from kfgit.backends.cluster.changes import adopting as taking_over, performing, starting
from kfgit.backends.cluster.changes.applying import Calls, Context, names_of
from kfgit.backends.cluster.connection.connecting import Connection, connect
from kfgit.backends.cluster.history.runs import ClusterRuns, Packages, no_packages
from kfgit.backends.cluster.history.schedules import ClusterSchedules
from kfgit.backends.cluster.history.watching import watch
from kfgit.backends.cluster.kfp import capabilities
from kfgit.backends.cluster.kfp.api import KfpApi
from kfgit.backends.cluster.kfp.capabilities import Capabilities
from kfgit.backends.cluster.kubernetes import lacking, references
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.objects import Observer
from kfgit.backends.cluster.live import observing
from kfgit.backends.cluster.live.observing import Scene
from kfgit.backends.cluster.records import marks
from kfgit.backends.cluster.records.codec import Place
from kfgit.backends.cluster.records.inventory import Entry, Intent, Inventory
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.backends.cluster.records.lock import Lease, Lock
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, Event, Holder, RunRecord, State
from kfgit.ir import Resource
from kfgit.model import ClusterTarget
from kfgit.plan import (
    USES,
    Change,
    Create,
    Delete,
    Live,
    LiveObject,
    Plan,
    Unchanged,
    action,
    subject,
    written,
)

# Changes in flight: KFP's server answers about so many at once before it queues them.
PARALLELISM = 16


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Whose objects, and on which installation; `packages` are those of the checkout, by the names of pipelines."""

    project: str
    environment: str
    target: ClusterTarget
    packages: Packages = no_packages


@dataclass(eq=False)
class ClusterBackend:
    """See `kfgit.backend.Backend`. Open it with `open`."""

    settings: ClusterSettings
    connection: Connection
    parallelism: int = PARALLELISM
    _lease: Lease | None = field(default=None, init=False)
    _context: Context | None = field(default=None, init=False)
    _seen: Live = field(default=Live(()), init=False)

    @classmethod
    def open(cls, settings: ClusterSettings, environ: Mapping[str, str] | None = None) -> ClusterBackend:
        """Finds the way to the installation; raises `MachineFault` where there is none."""
        return cls(settings, connect(settings.target, os.environ if environ is None else environ))

    def close(self) -> None:
        """Gives the connections back."""
        self.connection.close()

    # --- which target

    @property
    def environment(self) -> str:
        """The environment that this is the target of."""
        return self.settings.environment

    @cached_property
    def identity(self) -> str:
        """The servers, and the uid of the namespace: another cluster behind the same address is another target."""
        return f"{self.connection.words} (namespace {self.uid})"

    @property
    def requests(self) -> int:
        """How many API requests were made until now."""
        return self.connection.requests

    @cached_property
    def uid(self) -> str:
        """The uid of the namespace."""
        return self.kube.namespace_uid()

    @cached_property
    def owner(self) -> str:
        """The set of our marks."""
        return marks.set_id(self.settings.project, self.settings.environment, self.uid)

    @cached_property
    def kube(self) -> KubeApi:
        """The Kubernetes API."""
        return KubeApi(self.connection.kube, self.connection.namespace)

    @cached_property
    def kfp(self) -> KfpApi:
        """KFP's API."""
        return KfpApi(self.connection.kfp, self.connection.kfp_namespace)

    @cached_property
    def can(self) -> Capabilities:
        """What KFP's server can."""
        return capabilities.ask(self.kfp)

    @cached_property
    def ledger(self) -> Ledger:
        """The inventory on the cluster."""
        return Ledger(self.kube, self._place, kfp=self._kfp_words)

    @property
    def _kfp_words(self) -> str:
        place = self.connection.kfp.place
        return place if place.startswith("KFP") else f"KFP at {place}"

    @property
    def _place(self) -> Place:
        return Place(self.settings.project, self.settings.environment)

    @property
    def _zone(self) -> str:
        return self.settings.target.kfp.timezone

    # --- plan and apply

    def observe(
        self,
        desired: Sequence[Resource] = (),
        *,
        refresh: bool = False,
        secrets: bool = False,
        adopting: Sequence[LiveObject] = (),
    ) -> Live:
        """What is live, owned or not; with `refresh` also the versions of every pipeline. Raises `MachineFault`."""
        inventory = self.ledger.read()
        versions = taking_over.newest(self.kfp, adopting)
        inventory = taking_over.as_ours(inventory, desired, adopting, versions)
        scene = Scene(self.kfp, self.can, inventory, self.owner, self._zone, refresh)
        kfp = observing.observe(scene, desired)
        kube = Observer(self.kube, self.owner, inventory).observe(desired)
        queues = lacking.of_queues(desired, self.kube)
        missing = references.missing(desired, self.kube, secrets=secrets)
        notes = (kube.notes, kfp.notes, missing, queues.notes)
        keys = {key for told in notes for key in told}
        objects = (*kube.objects, *kfp.objects)
        told_first = (
            *observing.lost(inventory, objects, self._place.name),
            *observing.moved(inventory, kfp.vanished, self._kfp_words),
        )
        self._seen = Live(
            observing.documented(objects, inventory),
            self.requests,
            kube.vanished | kfp.vanished,
            {key: tuple(note for told in notes for note in told.get(key, ())) for key in keys},
            (*told_first, *kube.remarks, *kfp.remarks, *queues.remarks),
            unfinished=inventory.journal is not None,
            last=inventory.history[0].applied if inventory.history else None,
            lacks=tuple(dict.fromkeys((*kube.lacks, *queues.lacks))),
        )
        self._seen = taking_over.detailed(self._seen, versions)
        return self._seen

    @contextmanager
    def lock(self, owner: str) -> Iterator[None]:
        """Holds the target for one apply; raises `Locked`, which says who has it."""
        with Lock(self.kube, self._place.name).hold(owner) as lease, self.connection.guarded(lease.held):
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def begin_apply(self, plan: Plan, who: str) -> int:
        """Writes the inventory ahead: what is there, and what is about to be. Returns the apply's number."""
        lease = self._held()
        before = self.ledger.read()
        lease.held()
        number = self.ledger.begin(plan, [_intent(change) for change in plan.pending], who)
        self._forget_the_unwanted_gone(plan, before)
        self._note_uses(plan, before)
        self._context = Context(
            self.kfp,
            lease.held,
            names_of(self._seen, before),
            kube=replace(self.kube, wire=self.connection.objects),
            ledger=self.ledger,
            capabilities=self.can,
            inventory=before,
            owner=self.owner,
            number=number,
            zone=self._zone,
        )
        return number

    def _forget_the_unwanted_gone(self, plan: Plan, before: Inventory) -> None:
        """What somebody else has removed and nobody wants: there is no change in the plan that would say so."""
        gone = self._seen.vanished - {subject(change) for change in plan.changes}
        for entry in before.entries:
            if (entry.kind, entry.name) in gone:
                self.ledger.forget(entry.kind, entry.id)

    def _note_uses(self, plan: Plan, before: Inventory) -> None:
        """What the tasks of pipelines use that stay as they are: nothing is done about these that would say so."""
        for entry in before.entries:
            if entry.kind == "Pipeline" and entry.id in plan.uses:
                self.ledger.put(replace(entry, extra={**entry.extra, USES: written(plan.uses[entry.id])}))

    def perform(self, change: Change) -> str:
        """Carries one change of a plan out and returns the object's id; `begin_apply` came before."""
        if self._context is None:
            raise MachineFault("a change was asked for outside of an apply")
        return performing.perform(change, self._context)

    def end_apply(
        self,
        number: int,  # noqa: ARG002 - the ledger knows it
        results: Sequence[ChangeFinished],
        runs: Sequence[AppliedRun] = (),
    ) -> None:
        """Writes the final inventory."""
        self._held().held()
        self.ledger.end(results, runs)
        self._context = None

    def note_runs(self, ended: Mapping[str, State]) -> None:
        """Writes how runs ended into the history; the caller holds the lock."""
        self._held().held()
        self.ledger.note(ended)

    def applies(self, limit: int = -1) -> tuple[ApplyRecord, ...]:
        """Past applies, newest first, also one that was cut off."""
        found = self.ledger.past()
        return found if limit < 0 else found[:limit]

    def last_apply(self) -> ApplyRecord | None:
        """The newest apply, also one that was cut off."""
        return next(iter(self.applies(1)), None)

    def applying(self) -> str | None:
        """Who holds the target for an apply right now; None where nobody does."""
        return Lock(self.kube, self._place.name).holder()

    def _held(self) -> Lease:
        if self._lease is None:
            raise MachineFault("nothing is applied without the lock")
        return self._lease

    # --- runs and schedules

    def served(self) -> bool:
        """KFP executes the runs."""
        return True

    def fires(self) -> bool:
        """KFP's controller starts the runs of schedules."""
        return True

    def holder(self) -> Holder | None:
        """No server of kfgit holds a cluster."""
        return None

    def start(self, request: RunRequest) -> RunRecord:
        """Starts a run now; raises `Refused` where its tasks name queues that are not there."""
        with suppress(MachineFault):  # who reaches nothing but KFP may run all the same
            if (why := lacking.waiting(request.package, self.kube)) is not None:
                raise Refused(why)
        target = self.settings.target
        standing = starting.Standing(target.pipeline_root, target.service_account)
        return self.runs.get(starting.start(Calls(self.kfp), request, standing).run_id)

    def watch(self, run_id: str) -> Iterator[Event]:
        """Follows a run to its end. Ends with `RunFinished`."""
        return watch(self.runs, run_id)

    @cached_property
    def runs(self) -> ClusterRuns:
        """The runs of KFP's server."""
        return ClusterRuns(self.kfp, self.environment, self.settings.packages, self._owned)

    @cached_property
    def schedules(self) -> ClusterSchedules:
        """The schedules of KFP's server."""
        return ClusterSchedules(self.kfp, self._zone, self.owner, self._entries)

    def _entries(self) -> Mapping[str, Entry]:
        return {entry.id: entry for entry in self.ledger.read().entries if entry.kind == "Schedule"}

    def _owned(self) -> tuple[str, ...]:
        return tuple(entry.id for entry in self.ledger.read().entries if entry.kind == "Pipeline")


def _intent(change: Change) -> Intent:
    """What is about to be done to one object."""
    kind, name = subject(change)
    match change:
        case Create(desired=desired):
            return Intent(action(change), kind, name, None, desired.digest)
        case Delete(live=live):
            return Intent(action(change), kind, name, live.id)
        case Unchanged():
            return Intent(action(change), kind, name)
        case _:
            return Intent(action(change), kind, name, change.live.id, change.desired.digest)
