"""The inventory's keeper: reads it, writes it ahead of what an apply does, and holds it against all other writers.

Every write of the head names the version that it follows (resourceVersion). Whoever lost the lock and does not know it
yet is stopped by that: its write is refused, and nothing after it is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.wire import Ambiguous, Forbidden
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Gone, Object, ServerFault, Stale
from kfgit.backends.cluster.records import codec, past
from kfgit.backends.cluster.records.codec import OfAnother, Place, Unreadable, Written
from kfgit.backends.cluster.records.inventory import Entry, Intent, Inventory, Journal
from kfgit.events import AppliedRun, ApplyRecord, ChangeFinished, State, done_by_action, outcome
from kfgit.plan import Plan

_PART = "kfgit.dev/part-of"
# A reader whose shards are removed under it reads again; three writers in one moment are none that hold a lock.
_READ_TRIES = 3
_WRITE_TRIES = 3


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False)
class Ledger:
    """The inventory of a project's environment. Reading needs no lock, everything else does. Thread-safe."""

    kube: KubeApi
    place: Place
    clock: Callable[[], datetime] = _now
    room: int = codec.ROOM
    # The KFP that is applied to, as people are told of it.
    kfp: str | None = None
    # As it was read or written last, and what became of its entries since, by kind and id.
    _inventory: Inventory = field(default_factory=Inventory)
    _entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    _fired: dict[str, str] = field(default_factory=dict)
    _stored: frozenset[str] = frozenset()
    _begun: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def read(self) -> Inventory:
        """The inventory as it is now, which later writes follow; during an apply as that apply has it.

        Raises `MachineFault` for what is none of ours.
        """
        with self._lock:
            if self._begun:
                return self._current()
            for _ in range(_READ_TRIES):
                head = self.kube.get("v1", "ConfigMap", self.place.name)
                if head is None:
                    self._hold(Inventory())
                    self._stored = frozenset()
                    return self._inventory
                if self._take(head):
                    return self._inventory
            raise self._fault("parts of it are missing")

    def past(self) -> tuple[ApplyRecord, ...]:
        """Past applies, newest first, also one that was cut off."""
        inventory = self.read()
        cut = inventory.journal
        if cut is None or any(record.id == cut.number for record in inventory.history):
            return inventory.history
        return past.cut_off(self.place.project, cut), *inventory.history

    def begin(self, plan: Plan, intents: Sequence[Intent], who: str) -> int:
        """Writes down what an apply is about to do, before it does anything, and returns its number.

        What an earlier apply meant to do and did not confirm stays beside it. Where nothing is meant, and nothing was
        before, it is written with the end of the apply alone. Raises `MachineFault` where somebody else wrote since
        `read`; nothing is written then.
        """
        with self._lock:
            before = self._current()
            history = before.history
            kept: tuple[Intent, ...] = ()
            if before.journal is not None:
                kept = _others(before.journal.intents, {(each.kind, each.name) for each in intents})
                if all(record.id != before.journal.number for record in history):
                    history = (past.cut_off(self.place.project, before.journal), *history)
            number = 1 + max((record.id for record in history), default=0)
            journal = Journal(
                number, plan.digest, plan.commit, who, self.clock(), (*kept, *intents), plan.branch, plan.verb
            )
            ahead = replace(before, journal=journal, history=history)
            if intents or before.journal is not None:
                self._write(ahead)
            else:
                self._hold(ahead)
            self._begun = True
            return number

    def put(self, entry: Entry) -> None:
        """An object is ours, as it was applied; another one of its name stays until it is forgotten."""
        with self._lock:
            # What was put last comes last.
            self._entries.pop((entry.kind, entry.id), None)
            self._entries[entry.kind, entry.id] = entry

    def forget(self, kind: str, id: str) -> None:
        """An object is gone."""
        with self._lock:
            self._entries.pop((kind, id), None)

    def fire(self, name: str, key: str, run_id: str) -> None:
        """The trigger of a Run has fired."""
        with self._lock:
            self._fired[f"{name} {key}"] = run_id

    def checkpoint(self) -> None:
        """Writes now what was put, forgotten and fired."""
        with self._lock:
            self._write(self._current())

    def end(self, results: Sequence[ChangeFinished], runs: Sequence[AppliedRun] = ()) -> None:
        """Writes what has become of it all. What failed or was never tried stays meant, and so does the journal.

        Of `runs` that earlier applies wanted too, it is known from them how they came out.
        """
        with self._lock:
            journal = self._inventory.journal
            if journal is None or not self._begun:
                raise MachineFault("an apply ended that never began")
            self._begun = False
            done = {(each.kind, each.name) for each in results if each.state == "done"}
            failed = any(each.state != "done" for each in results)
            left = _others(journal.intents, done) if failed else ()
            earlier = self._inventory.history
            record = replace(
                past.ended(self.place.project, journal, self.clock(), outcome(results)),
                changes=done_by_action(results),
                runs=past.with_states(runs, past.known_states(earlier)),
            )
            history = (record, *(each for each in earlier if each.id != record.id))
            open_journal = replace(journal, intents=left) if failed else None
            told = self.kfp or self._inventory.kfp
            history = past.shortened(history)
            self._write(replace(self._current(), journal=open_journal, history=history, kfp=told))

    def note(self, ended: Mapping[str, State]) -> None:
        """Writes how runs ended into the history, if that is new to it; not while an apply is under way."""
        with self._lock:
            inventory = self.read()
            history = tuple(
                replace(each, runs=past.with_states(each.runs, ended)) if each.runs else each
                for each in inventory.history
            )
            if history != inventory.history:
                self._write(replace(inventory, history=history))

    def _current(self) -> Inventory:
        return replace(self._inventory, entries=tuple(self._entries.values()), fired=dict(self._fired))

    def _hold(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._entries = dict(inventory.by_id())
        self._fired = dict(inventory.fired)

    def _take(self, head: Object) -> bool:
        """Whether a head and all its shards could be read."""
        try:
            content = codec.content(head)
            parts: dict[str, bytes] = {}
            for name in codec.shards(self.place, content):
                shard = self.kube.get("v1", "ConfigMap", name)
                if shard is None:
                    return False
                parts[name] = codec.content(shard)
            version = head["metadata"]["resourceVersion"]
            self._hold(codec.decoded(self.place, content, parts, version))
            self._stored = frozenset(parts)
        except OfAnother as fault:
            raise MachineFault(f"{self._words} cannot be used: {fault}") from fault
        except Unreadable as fault:
            raise self._fault(str(fault)) from fault
        return True

    def _write(self, inventory: Inventory) -> None:
        """Shards first, then the head, then what no head needs any more."""
        try:
            written = codec.encoded(self.place, inventory, self.room)
        except Unreadable as fault:
            raise self._fault(str(fault)) from fault
        for name, content in written.shards.items():
            if name not in self._stored:
                self._write_shard(name, content)
        version = self._write_head(inventory, written)
        self._hold(replace(inventory, version=version))
        gone = self._stored - written.shards.keys()
        self._stored = frozenset(written.shards)
        for name in sorted(gone):
            self._remove(name)

    def _write_shard(self, name: str, content: bytes) -> None:
        shard = codec.config_map(name, content, {_PART: "inventory"}, {})
        for turn in range(1, _WRITE_TRIES + 1):
            try:
                self.kube.create(shard)
            except (Stale, Ambiguous, ServerFault):
                # Named by its content: one that is there already is the one that is wanted, or is broken.
                stored = self.kube.get("v1", "ConfigMap", name)
                if stored is not None and codec.is_shard(self.place, name, _content(stored) or b""):
                    return
                if stored is not None or turn == _WRITE_TRIES:
                    raise
            else:
                return

    def _write_head(self, inventory: Inventory, written: Written) -> str:
        head = codec.config_map(
            self.place.name, written.head, {}, codec.told_to_people(self.place, inventory, self.clock())
        )
        version = inventory.version
        if version is not None:
            head["metadata"]["resourceVersion"] = version
        turn = 1
        while True:
            try:
                told = self.kube.create(head) if version is None else self.kube.replace(head)
                return str(told["metadata"]["resourceVersion"])
            except (Stale, Gone, Ambiguous, ServerFault) as fault:
                stored = self.kube.get("v1", "ConfigMap", self.place.name)
                if stored is not None and _is_written(stored, head):
                    return str(stored["metadata"]["resourceVersion"])
                found = stored["metadata"]["resourceVersion"] if stored is not None else None
                if found != version:
                    raise self._overtaken(stored) from fault
                if turn == _WRITE_TRIES:
                    raise
                turn += 1

    def _remove(self, name: str) -> None:
        """A shard that is not needed. One that stays is found and removed by nobody, and harms nobody."""
        try:
            found = self.kube.get("v1", "ConfigMap", name)
            if found is not None:
                self.kube.delete("v1", "ConfigMap", name, found["metadata"]["uid"])
        except Forbidden:
            raise
        except MachineFault:
            return

    def _overtaken(self, stored: Object | None) -> MachineFault:
        notes = (stored or {}).get("metadata", {}).get("annotations") or {}
        who, when = notes.get("kfgit.dev/applied-by"), notes.get("kfgit.dev/applied-at")
        by = f" by {who} at {when}" if who and when else ""
        gone = "was removed" if stored is None else f"was changed{by}"
        return MachineFault(f"{self._words} {gone} since it was read: nothing more is written; plan again")

    def _fault(self, why: str) -> MachineFault:
        return MachineFault(
            f"{self._words} cannot be used: {why}. If it is none of kfgit's, rename it; if it is broken, remove it: "
            "kfgit then finds by their marks the objects that it made"
        )

    @property
    def _words(self) -> str:
        return f"the inventory (ConfigMap `{self.place.name}` in namespace `{self.kube.namespace}`)"


def _others(intents: Sequence[Intent], known: set[tuple[str, str]]) -> tuple[Intent, ...]:
    return tuple(each for each in intents if (each.kind, each.name) not in known)


def _content(stored: Object) -> bytes | None:
    try:
        return codec.content(stored)
    except Unreadable:
        return None


def _is_written(stored: Object, head: Object) -> bool:
    """Whether an object is what we meant to write: each apply's number and time make it unlike all others."""
    return _content(stored) == _content(head)
