"""What carrying out changes takes: the servers, the lock, the ledger, and ids by name, found once and remembered.

Also how a write is settled that may or may not have happened. A request that was cut may still land a moment later, so
whoever finds nothing looks again, `LOOKS` times over some seconds, before it takes that for an answer. What lands even
later than that does no harm: schedules are made switched off and carry the mark of what they were made for, so that the
next plan deletes them as leftovers; names of experiments, pipelines and versions are unique; a run has its id, is asked
for once by an apply, and the next apply looks before it asks.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from kfgit.backend import Refused
from kfgit.backends.cluster import marks
from kfgit.backends.cluster.kfp_api import KfpApi, KfpFault
from kfgit.backends.cluster.wire import Ambiguous

if TYPE_CHECKING:
    from kfgit.backends.cluster.capabilities import Capabilities
    from kfgit.backends.cluster.kube_api import KubeApi
    from kfgit.backends.cluster.records import Ledger

T = TypeVar("T")

# The pauses before each look at what became of a write: together longer than any server takes to answer one that was
# cut off on the way.
LOOKS = (0.2, 0.5, 1.0, 2.0, 4.0)


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
        key = kind, name
        with self._guard:
            lock = self._locks[key]
        with lock:
            known = self._ids.get(key)
            if known is None:
                known = find()
                self.put(kind, name, known)
            return known


@dataclass(frozen=True, slots=True)
class Context:
    """What carrying out the changes of one apply takes.

    `owner` is the set (`marks.set_id`), `number` that of the apply, `zone` the one that KFP's controller reads crons in.
    `held` raises where the lock is lost: it is asked before each write. `unsettled` are kinds and names of what an
    apply that was cut off meant to write, and may still be about to land.
    """

    kfp: KfpApi
    kube: KubeApi
    ledger: Ledger
    capabilities: Capabilities
    held: Callable[[], None]
    owner: str
    number: int
    names: Names = field(default_factory=Names)
    zone: str = "UTC"
    unsettled: frozenset[tuple[str, str]] = frozenset()
    looks: tuple[float, ...] = LOOKS
    sleep: Callable[[float], None] = time.sleep

    def mark(self, kind: str, name: str, digest: str) -> marks.Mark:
        """What is written on an object that this apply makes."""
        operation = marks.operation(f"{self.number}:{kind}:{name}:{digest}")
        return marks.Mark(self.owner, digest[:12], operation)

    @property
    def orphans(self) -> bool:
        """Whether KFP can delete a schedule and let its runs go on (2.16)."""
        return self.capabilities.orphan

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

        Where nothing is found a lost write is made again, up to `times`; raises its fault in the end.
        """
        for turn in range(1, times + 1):
            self.held()
            try:
                return write()
            except (Ambiguous, KfpFault) as fault:
                if isinstance(fault, KfpFault) and not _doubtful(fault):
                    raise
                found = self.settled(look)
                if found is not None:
                    return found
                if turn == times or isinstance(fault, KfpFault):
                    raise
        raise AssertionError("the last turn returns or raises")

    def settled(self, look: Callable[[], T | None]) -> T | None:
        """What is there by now, or comes to be there soon."""
        for pause in (0.0, *self.looks):
            if pause:
                self.sleep(pause)
            found = look()
            if found is not None:
                return found
        return None


def _doubtful(fault: KfpFault) -> bool:
    """Whether an answer leaves open what happened; one of 200 that is none of KFP's does too."""
    return fault.status >= 500 or fault.status == 200


def experiment_id(context: Context, name: str) -> str:
    """The experiment that a schedule or a run is put into; one that is missing is made, and belongs to nobody."""

    def find() -> str:
        found = context.kfp.experiment_named(name)
        if found is None:
            found = context.written(
                lambda: context.kfp.create_experiment(name), lambda: context.kfp.experiment_named(name), times=3
            )
        return found.experiment_id

    return context.names.get("Experiment", name, find)


def pipeline_id(context: Context, name: str) -> str:
    """The pipeline that a schedule or a run refers to."""

    def find() -> str:
        found = context.kfp.pipeline_named(name)
        if found is None:
            raise Refused(f"the server has no pipeline `{name}`")
        return found.pipeline_id

    return context.names.get("Pipeline", name, find)


def version_id(context: Context, pipeline: str, version: str) -> str:
    """The version of a pipeline that a schedule or a run is pinned to."""

    def find() -> str:
        found = context.kfp.version_named(pipeline_id(context, pipeline), version)
        if found is None:
            raise Refused(
                f"pipeline `{pipeline}` has no version `{version}` on the server; "
                "name one that it has, or `latest`, which is the one of this commit"
            )
        return found.pipeline_version_id

    return context.names.get("PipelineVersion", f"{pipeline}\0{version}", find)
