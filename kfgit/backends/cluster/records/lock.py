"""One apply at a time: a Lease that its holder renews, and that others take over when it does not.

Nobody's clock is believed alone. The holder counts by its own steady clock since it last asked for a renewal that was
granted, and stops before the time is over. Others go by the API server's clock, which is on each write of the Lease and
on the answer to a dry run of the next one; a wrong clock here or there changes nothing. Where a server does not tell
that, they wait until they have seen the Lease unchanged for its whole duration, as client-go does
(tools/leaderelection).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kfgit.backend import Locked, MachineFault
from kfgit.backends.cluster.connection.wire import Ambiguous
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Gone, Object, ServerFault, Stale
from kfgit.backends.cluster.records import holders
from kfgit.backends.cluster.records.holders import Holder

# Seconds: how long a Lease holds after its last renewal, and how often it is renewed.
DURATION = 60
RENEW = 15
# The holder stops so long before; others begin so long after, for the server writes whole seconds.
EARLY, LATE = 10.0, 2.0
# Without the server's word only the holder's own clock is there: believed when it is off by less than this.
SKEW = 300.0
RETRY = 2.0

_NOTE = "kfgit.dev/holder"
_TRIES = 5
# What a write may answer though it has happened.
_IN_DOUBT = (Stale, Gone, Ambiguous, ServerFault)
_API = "coordination.k8s.io/v1"


def _steady() -> float:
    """Seconds that go on while the machine sleeps, where it can tell them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(eq=False)
class Lease:
    """A lock that is held until its context ends, unless it is lost before."""

    kube: KubeApi
    holder: Holder
    clock: Callable[[], float]
    _stored: Object
    _renewed: float
    _taken_by: str | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def held(self) -> None:
        """Raises `MachineFault` as soon as the lock may be another's: to be called before each write."""
        if self._taken_by is not None:
            raise MachineFault(
                f"the lock was lost to {self._taken_by}: nothing more is written; see what it did, and apply again"
            )
        waited = self.clock() - self._renewed
        if waited > DURATION - EARLY:
            raise MachineFault(
                f"the lock was lost: {self.kube.wire.place} could not renew it for {waited:.0f} seconds; nothing more "
                "is written; apply again when the server answers"
            )

    def renew(self) -> None:
        """Asks for another `DURATION`; raises `MachineFault` where that fails for now."""
        with self._guard:
            if self._ended.is_set() or self._taken_by is not None:
                return
            asked = self._write(_renewed)
            if asked is not None:
                self._renewed = asked

    def keep(self, every: float) -> None:
        """Renews until `end`."""
        pause = every
        while not self._ended.wait(pause):
            try:
                self.renew()
            except MachineFault:
                pause = min(RETRY, every)
            else:
                pause = every

    def end(self) -> None:
        """Lets go. A server that does not answer now gives the lock to others when its time is over."""
        self._ended.set()
        # A renewal may be on its way to a server that hangs; nobody waits for that.
        if self._guard.acquire(timeout=EARLY):
            try:
                with suppress(MachineFault):
                    if self._taken_by is None:
                        self._write(_released)
            finally:
                self._guard.release()

    def _write(self, change: Callable[[Object], Object]) -> float | None:
        """When that was asked for which was written; None where the lock is another's by now."""
        fault: MachineFault | None = None
        for _ in range(_TRIES):
            asked = self.clock()
            try:
                self._stored = self.kube.replace(change(self._stored))
            except _IN_DOUBT as lost:
                fault = lost
            else:
                return asked
            # Somebody else has edited it, or it was written and the answer got lost.
            found = self.kube.get(_API, "Lease", self._stored["metadata"]["name"])
            if found is None or not _is_of(found, self.holder):
                self._taken_by = "somebody who removed it" if found is None else _who(found)
                return None
            self._stored = found
        raise fault or MachineFault("the lock could not be written")


@dataclass(eq=False)
class Lock:
    """The lock of one name, and what was seen of its holder so far. `clock` counts seconds."""

    kube: KubeApi
    name: str
    clock: Callable[[], float] = _steady
    renew_every: float = RENEW
    _seen: tuple[str, float] | None = None

    @contextmanager
    def hold(self, owner: str) -> Iterator[Lease]:
        """Holds it; raises `Locked`, which says who does."""
        lease = self._acquire(holders.this_process(owner, os.environ))
        renewing = threading.Thread(
            target=lease.keep, args=(self.renew_every,), name=f"lease {self.name}", daemon=True
        )
        renewing.start()
        try:
            yield lease
        finally:
            lease.end()

    def holder(self) -> str | None:
        """Who holds it right now, for people; None where nobody does."""
        found, now = self.kube.observed(_API, "Lease", self.name)
        return None if found is None or self._is_free(found, now) else _who(found)

    def _acquire(self, holder: Holder) -> Lease:
        asked = self.clock()
        fault: MachineFault | None = None
        for _ in range(_TRIES):
            found, now = self.kube.observed(_API, "Lease", self.name)
            if found is not None and _is_of(found, holder):
                return Lease(self.kube, holder, self.clock, found, asked)
            if found is not None and not self._is_free(found, now):
                raise Locked(self._told(found, now))
            asked = self.clock()
            try:
                if found is None:
                    stored = self.kube.create(_taken(_new(self.name), holder))
                else:
                    self._doubt(found, holder)
                    stored = self.kube.replace(_taken(found, holder))
            except _IN_DOUBT as lost:
                fault = lost
            else:
                return Lease(self.kube, holder, self.clock, stored, asked)
        raise fault or Locked(f"others take the lock `{self.name}` again and again")

    def _doubt(self, found: Object, holder: Holder) -> None:
        """Raises `Locked` where a Lease is not over yet, by the time that the server itself would write on it.

        The time of an answer may be that of a proxy, whose clock is anybody's.
        """
        if not _is_left(found):
            now = _written(self.kube.replace(_taken(found, holder), dry_run=True))
            if now is not None and not self._is_free(found, now):
                raise Locked(self._told(found, now))

    def _is_free(self, found: Object, now: datetime | None) -> bool:
        if _is_left(found):
            return True
        return _age(found, now) > _duration(found) + LATE or self._unchanged(found) > _duration(found)

    def _unchanged(self, found: Object) -> float:
        """Seconds for which this process has seen the same renewal."""
        renewal = f"{found['metadata']['uid']} {_spec(found).get('renewTime')}"
        if self._seen is None or self._seen[0] != renewal:
            self._seen = renewal, self.clock()
        return self.clock() - self._seen[1]

    def _told(self, found: Object, now: datetime | None) -> str:
        age = _age(found, now)
        renewed = f", renewed {max(age, 0):.0f} seconds ago" if age > -SKEW else ""
        return (
            f"{_who(found)} is applying{renewed}: wait until that has ended; a lock that is not renewed is free after "
            f"{_duration(found):.0f} seconds, and `kubectl delete lease {self.name} --namespace {self.kube.namespace}` "
            "frees one whose holder is surely dead"
        )


@contextmanager
def lease(kube: KubeApi, name: str, owner: str) -> Iterator[Lease]:
    """Holds the lock of a name; raises `Locked`, which says who has it, since when, and the way out."""
    with Lock(kube, name).hold(owner) as held:
        yield held


def _new(name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "kfgit"}
    return {"apiVersion": _API, "kind": "Lease", "metadata": {"name": name, "labels": labels}}


def _taken(found: Object, holder: Holder) -> dict[str, Any]:
    now = _micro(datetime.now(UTC))
    spec = _spec(found)
    before = spec.get("leaseTransitions")
    metadata = found["metadata"]
    return {
        **found,
        "metadata": {
            **metadata,
            "annotations": {**(metadata.get("annotations") or {}), _NOTE: holder.to_json()},
        },
        "spec": {
            "holderIdentity": str(holder),
            "leaseDurationSeconds": DURATION,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": before + 1 if isinstance(before, int) else 0,
        },
    }


def _renewed(stored: Object) -> dict[str, Any]:
    return {**stored, "spec": {**_spec(stored), "renewTime": _micro(datetime.now(UTC))}}


def _released(stored: Object) -> dict[str, Any]:
    kept = ("leaseTransitions", "leaseDurationSeconds")
    notes = {
        key: value for key, value in (stored["metadata"].get("annotations") or {}).items() if key != _NOTE
    }
    return {
        **stored,
        "metadata": {**stored["metadata"], "annotations": notes},
        "spec": {key: value for key, value in _spec(stored).items() if key in kept},
    }


def _spec(found: Object) -> Object:
    spec: Object = found.get("spec") or {}
    return spec


def _holder(found: Object) -> Holder | None:
    """Who the note says it is, where the Lease is still that one's: other tools leave the note as it is."""
    holder = holders.from_json((found["metadata"].get("annotations") or {}).get(_NOTE))
    return holder if holder is not None and str(holder) == _spec(found).get("holderIdentity") else None


def _is_of(found: Object, holder: Holder) -> bool:
    stored = _holder(found)
    return stored is not None and stored.token == holder.token


def _is_left(found: Object) -> bool:
    """Whether nobody holds it, or a process of this machine that is no more."""
    holder = _holder(found)
    return not _spec(found).get("holderIdentity") or (holder is not None and holders.is_dead(holder))


def _who(found: Object) -> str:
    return holders.shown(str(_spec(found).get("holderIdentity") or "somebody"))


def _duration(found: Object) -> float:
    told = _spec(found).get("leaseDurationSeconds")
    return float(told) if isinstance(told, int) and told > 0 else float(DURATION)


def _age(found: Object, now: datetime | None) -> float:
    """Seconds since the last renewal, by the server's clock alone; where it did not write when, at least so many."""
    if now is None:
        return -SKEW
    written = _written(found)
    if written is not None:
        return (now - written).total_seconds()
    renewed = _time(_spec(found).get("renewTime"))
    return -SKEW if renewed is None else (now - renewed).total_seconds() - SKEW


def _written(found: Object) -> datetime | None:
    """When it was written last, by the server's clock, where it keeps book of that."""
    times = (_time(each.get("time")) for each in found["metadata"].get("managedFields") or ())
    return max((at for at in times if at is not None), default=None)


def _micro(at: datetime) -> str:
    """Kubernetes' MicroTime."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else None
