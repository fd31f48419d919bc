"""One turn of the agent, and the loop around it."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from kfgit import apply as applying, driver
from kfgit.agent.choosing import Choice, choose
from kfgit.agent.ends import Ends
from kfgit.agent.fights import Fights
from kfgit.agent.numbers import Numbers
from kfgit.agent.patience import Patience
from kfgit.agent.source import Invalid, Wanted, understand
from kfgit.agent.telling import Level, Told, Voice
from kfgit.backend import Backend, Locked, MachineFault, NotFound, Refused
from kfgit.driver import Repository
from kfgit.events import ChangeFinished, outcome
from kfgit.model import Environment
from kfgit.plan import Plan, subject
from kfgit.project.commits import Commit
from kfgit.project.mirror import Head

# Whoever says nothing for so long beyond its interval hangs: all that it waits for has its own, shorter limit.
SILENCE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What an agent keeps in order, how often it looks (seconds), and as whom. Without `heal` it only reports drift."""

    environment: str
    interval: float
    who: str
    heal: bool = True


@dataclass(frozen=True, slots=True)
class Ports:
    """What an agent does to the world. `clock` is monotonic, `now` counts from 1970, `chance` is uniform in [0, 1)."""

    fetch: Callable[[], Head]
    opened: Callable[[Head], AbstractContextManager[Commit]]
    reach: Callable[[Repository, Environment], AbstractContextManager[Backend]]
    tell: Callable[[Told], None]
    clock: Callable[[], float]
    now: Callable[[], float]
    sleep: Callable[[float], object]
    chance: Callable[[], float]
    ending: Callable[[], bool]


class Agent:
    """Keeps one environment as the newest commit of its branch says."""

    def __init__(self, settings: Settings, ports: Ports, numbers: Numbers) -> None:
        self._settings, self._ports, self._numbers = settings, ports, numbers
        self._voice = Voice(ports.tell)
        self._git, self._target = Patience(ports.chance), Patience(ports.chance)
        self._fights, self._ends = Fights(), Ends()
        self._head: Head | None = None
        self._source: Wanted | Invalid | None = None
        # When the newest commit was first seen, and which one the target is equal to.
        self._seen_at = self._beat = ports.clock()
        self._equal: str | None = None
        self._planned = False
        numbers.watch_lag(self.lag)

    def alive(self) -> bool:
        """Whether the loop goes on."""
        return self._ports.clock() - self._beat < self._settings.interval + SILENCE_SECONDS

    def ready(self) -> bool:
        """Whether it has seen both sides once."""
        return self._planned

    def lag(self) -> float:
        """For how many seconds the newest commit has been known and is not applied."""
        behind = self._head is not None and self._head.commit != self._equal
        return self._ports.clock() - self._seen_at if behind else 0.0

    def run(self) -> None:
        """Turns until it is asked to end."""
        while not self._ports.ending():
            self.turn()
            self._ports.sleep(self.pause())

    def pause(self) -> float:
        """Seconds until the next turn: one that waits after a fault still looks for a new commit."""
        now = self._ports.clock()
        waits = (self._git.left(now), self._target.left(now))
        return min([self._settings.interval * self._git.spread(), *(each for each in waits if each > 0)])

    def turn(self) -> str:
        """Looks once at both sides, does what is to be done, and says how that ended (one of `numbers.TURNS`)."""
        self._beat = self._ports.clock()
        self._fetch()
        if self._ports.ending():
            result = "ended"
        elif self._head is None:
            result = "fault"
        elif self._target.left(self._ports.clock()) > 0:
            return "fault"  # told and counted before
        else:
            result = self._safely(self._head)
        self._numbers.turned(result)
        self._beat = self._ports.clock()
        return result

    def _fetch(self) -> None:
        """The newest commit, if git can be asked; else the one that is known goes on being kept."""
        if self._git.left(self._ports.clock()) > 0:
            return
        try:
            head = self._ports.fetch()
        except (MachineFault, NotFound, Refused) as fault:
            self._numbers.fetched(done=False)
            if not self._ports.ending():
                self._wait(self._git, "fetch-failed", str(fault))
            return
        except Exception as fault:  # noqa: BLE001 - as in a turn
            self._wait(self._git, "mistake", _own_mistake(fault))
            return
        self._numbers.fetched(done=True)
        self._git.reset()
        if head != self._head:
            self._head, self._source, self._seen_at = head, None, self._ports.clock()
            self._target.reset()
            self._fights.forget()
            self._say("info", "commit", f"the newest commit of {head.branch} is {head.commit[:10]}")

    def _safely(self, head: Head) -> str:
        try:
            return self._turn(head)
        except Locked as fault:
            self._wait(self._target, "locked", str(fault), "info")
            return "locked"
        except Refused as fault:
            self._target.reset()
            self._voice.once("refused", self._told("warning", "refused", str(fault)))
            return "refused"
        except (MachineFault, NotFound, OSError) as fault:
            self._wait(self._target, "fault", str(fault))
            return "fault"
        except Exception as fault:  # noqa: BLE001 - one commit that kfgit stumbles over must not end the agent
            self._wait(self._target, "mistake", _own_mistake(fault))
            return "fault"

    def _turn(self, head: Head) -> str:
        source = self._understood(head)
        if isinstance(source, Invalid):
            return "invalid"
        with self._ports.reach(source.repository, source.environment) as backend:
            try:
                return self._settle(source, backend)
            finally:
                self._numbers.asked(backend.requests)

    def _settle(self, source: Wanted, backend: Backend) -> str:
        choice = self._choice(source, backend)
        if not _has_work(choice.plan) and not _is_to_be_told(choice.plan, source, backend):
            result = self._idle(choice)
            if not choice.plan.is_local:
                self._ends.note(backend, self._settings.who)
            return result
        self._ends.forget()
        with backend.lock(self._settings.who):
            # What the lock's last holder did is seen only now.
            choice = self._choice(source, backend)
            if choice.plan.pending:
                return self._apply(choice, backend)
            # Writes down that an apply is over which was cut off after its last change, or that this commit is live.
            deque(applying.carry_out(choice.plan, backend, self._settings.who), maxlen=0)
            return self._idle(choice)

    def _understood(self, head: Head) -> Wanted | Invalid:
        """What the commit wants. Of one that is invalid it is told once, and nothing is tried before the next."""
        if self._source is None:
            with self._ports.opened(head) as commit:
                self._source = understand(commit, self._settings.environment)
            if isinstance(self._source, Invalid):
                self._say("error", "invalid", self._source.why, mistakes=self._source.as_json())
        return self._source

    def _choice(self, source: Wanted, backend: Backend) -> Choice:
        """Plans, and chooses what of it is done. Raises `Refused` for what a person must confirm."""
        began = self._ports.clock()
        plan = driver.plan(source.repository, source.checkout, source.desired, backend)
        self._numbers.planned(self._ports.clock() - began)
        choice = choose(plan, self._fights, self._ports.clock(), heal=self._settings.heal)
        self._planned = True
        self._numbers.stands(
            {"pending": len(plan.pending), "drifted": len(choice.drift), "fights": len(choice.fights)}
        )
        with self._voice.standing():
            for key, told in choice.told():
                self._voice.once(key, self._with_place(told))
            self._guarded(plan)
            if choice.plan.pending:
                self._lawful(source, choice.plan, backend)
            if _has_work(choice.plan):
                self._undoubted(source, backend)
        return choice

    def _guarded(self, plan: Plan) -> None:
        try:
            applying.guard(plan)
        except Refused as fault:
            command = f"kfgit apply -e {self._settings.environment} --confirm {plan.digest}"
            raise Refused(f"{fault}; the agent waits for a new commit, or for `{command}`") from fault

    def _lawful(self, source: Wanted, plan: Plan, backend: Backend) -> None:
        refusal = source.refusal(plan, backend, datetime.fromtimestamp(self._ports.now(), UTC))
        if refusal is not None:
            raise Refused(refusal)

    def _undoubted(self, source: Wanted, backend: Backend) -> None:
        found = source.doubts(backend)
        if found:
            flags = " ".join(doubt.flag for doubt in found)
            command = f"kfgit apply -e {self._settings.environment} {flags}"
            told = "; ".join(doubt.text for doubt in found)
            raise Refused(f"{told}; the agent waits for a new commit, or for `{command}`")

    def _idle(self, choice: Choice) -> str:
        self._target.reset()
        if choice.left:
            return "held"
        self._equals(choice.plan)
        return "unchanged"

    def _apply(self, choice: Choice, backend: Backend) -> str:
        plan = choice.plan
        counts = {name: count for name, count in plan.summary.items() if count and name != "unchanged"}
        what = ", ".join(f"{count} to {name}" for name, count in counts.items())
        self._say("info", "applying", what, digest=plan.digest, changes=counts)
        began, results = self._ports.clock(), list[ChangeFinished]()
        try:
            for event in applying.carry_out(plan, backend, self._settings.who, self._ports.ending):
                self._beat = self._ports.clock()
                if isinstance(event, ChangeFinished):
                    results.append(event)
                    self._ports.tell(self._with_place(_change(event)))
        finally:
            seconds = self._ports.clock() - began
            self._numbers.applied(seconds, results)
            self._count_healed(plan, results)
        return self._ended(choice, results, seconds, served=backend.served())

    def _count_healed(self, plan: Plan, results: Sequence[ChangeFinished]) -> None:
        done = {(each.kind, each.name) for each in results if each.state == "done"}
        for change in plan.pending:
            if subject(change) in done:
                self._fights.healed(change, self._ports.clock())

    def _ended(
        self, choice: Choice, results: Sequence[ChangeFinished], seconds: float, *, served: bool
    ) -> str:
        """What a carried out plan comes to."""
        counts = outcome(results)
        done = {"results": dict(counts), "seconds": round(seconds, 3), "digest": choice.plan.digest}
        undone = counts["failed"] + counts["skipped"]
        self._numbers.stands(
            {"pending": undone + len(choice.left), "drifted": len(choice.left), "fights": len(choice.fights)}
        )
        if not undone:
            self._target.reset()
            self._say("info", "applied", f"{counts['done']} done in {seconds:.1f} s", **done)
            if not served and any(each.kind == "Run" for each in results):
                waiting = f"its runs wait until somebody serves it: kfgit up -e {self._settings.environment}"
                self._say("warning", "runs-waiting", waiting)
            if not choice.left:
                self._equals(choice.plan)
            return "applied"
        text = f"{counts['done']} done, {counts['failed']} failed, {counts['skipped']} skipped"
        if self._ports.ending():
            self._say("warning", "partly-applied", f"{text}: asked to end", **done)
            return "ended"
        self._wait(self._target, "partly-applied", text, "error", **done)
        return "partly"

    def _equals(self, plan: Plan) -> None:
        """The target is as the newest commit says."""
        assert self._head is not None
        if self._equal != self._head.commit:
            self._say(
                "info", "synced", f"the target is as {self._head.commit[:10]} says", objects=plan.wanted
            )
        self._equal = self._head.commit
        self._numbers.equals(self._head.commit, self._ports.now())

    def _wait(self, patience: Patience, event: str, text: str, level: Level = "error", **fields: Any) -> None:
        seconds = patience.fault(self._ports.clock())
        self._say(
            level, event, f"{text}; tries again in {seconds:.0f} s", retryIn=round(seconds, 1), **fields
        )

    def _say(self, level: Level, event: str, message: str, **fields: Any) -> None:
        self._ports.tell(self._told(level, event, message, **fields))

    def _told(self, level: Level, event: str, message: str, **fields: Any) -> Told:
        return self._with_place(Told(level, event, message, fields))

    def _with_place(self, told: Told) -> Told:
        head = self._head
        place = {
            "environment": self._settings.environment,
            "branch": head.branch if head else None,
            "commit": head.commit if head else None,
        }
        return replace(told, fields={**place, **told.fields})


def _has_work(plan: Plan) -> bool:
    return bool(plan.pending) or plan.unfinished


def _is_to_be_told(plan: Plan, source: Wanted, backend: Backend) -> bool:
    """Whether the history of the target shall have a commit that changes nothing; not one that is perhaps not meant."""
    return plan.is_news and not source.doubts(backend)


def _change(event: ChangeFinished) -> Told:
    text = f"{event.action} {event.kind.lower()}/{event.name}: {event.state}"
    fields = {name: getattr(event, name) for name in ("action", "kind", "name", "id", "state", "error")}
    level: Level = "error" if event.state == "failed" else "info"
    return Told(level, "change", text + (f": {event.error}" if event.error else ""), fields)


def _own_mistake(fault: Exception) -> str:
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    place = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
    return f"this is a mistake in kfgit itself, please report it: {type(fault).__name__}: {fault} ({place})"
