"""What Prometheus reads of an agent. Labels are words from closed lists; only the applied commit is anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from kfgit.events import ChangeFinished

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)
# How a turn can end, each there from the beginning, so that rates begin at zero.
TURNS = ("unchanged", "applied", "partly", "held", "invalid", "refused", "locked", "fault", "ended")


class Numbers:
    """The numbers of one agent for one environment."""

    def __init__(self, environment: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._environment = environment
        self._turns = Counter(
            "kfgit_agent_turns", "Turns of the loop by how they ended.", ("result",), registry=registry
        )
        for result in TURNS:
            self._turns.labels(result)
        self._changes = Counter(
            "kfgit_agent_changes",
            "Changes that were carried out, or were not.",
            ("action", "state"),
            registry=registry,
        )
        self._fetches = Counter("kfgit_agent_fetches", "Fetches from git.", ("result",), registry=registry)
        for result in ("done", "failed"):
            self._fetches.labels(result)
        self._requests = Counter("kfgit_agent_api_requests", "Requests to the target.", registry=registry)
        self._lock_waits = Counter(
            "kfgit_agent_lock_waits", "Turns that found the environment locked by others.", registry=registry
        )
        self._plan_seconds = Histogram(
            "kfgit_agent_plan_duration_seconds",
            "How long planning took.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._apply_seconds = Histogram(
            "kfgit_agent_apply_duration_seconds",
            "How long applying took.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._pending = Gauge(
            "kfgit_agent_pending_changes",
            "Changes that the last plan had and nobody has carried out.",
            registry=registry,
        )
        self._drifted = Gauge(
            "kfgit_agent_drifted_objects",
            "Objects that differ from what was applied, and are not healed yet.",
            registry=registry,
        )
        self._fights = Gauge(
            "kfgit_agent_fights",
            "Objects that are not healed any more, since somebody changes them back.",
            registry=registry,
        )
        self._lag = Gauge(
            "kfgit_agent_lag_seconds",
            "How long the newest commit has been known and is not applied.",
            registry=registry,
        )
        self._success = Gauge(
            "kfgit_agent_last_success_timestamp_seconds",
            "When the target was last as the newest commit says.",
            registry=registry,
        )
        self._applied = Info(
            "kfgit_agent_applied", "The commit that the target was last equal to.", registry=registry
        )

    def turned(self, result: str) -> None:
        """A turn has ended, with one of `TURNS`."""
        self._turns.labels(result).inc()
        if result == "locked":
            self._lock_waits.inc()

    def fetched(self, *, done: bool) -> None:
        """Git was asked for the newest commit."""
        self._fetches.labels("done" if done else "failed").inc()

    def planned(self, seconds: float) -> None:
        """A plan was made."""
        self._plan_seconds.observe(seconds)

    def asked(self, requests: int) -> None:
        """The target was asked so often in a turn."""
        self._requests.inc(requests)

    def applied(self, seconds: float, results: Sequence[ChangeFinished]) -> None:
        """A plan was carried out, as far as that went."""
        self._apply_seconds.observe(seconds)
        for each in results:
            self._changes.labels(each.action, each.state).inc()

    def stands(self, counts: Mapping[str, int]) -> None:
        """How the target stands at the end of a turn: `pending`, `drifted` and `fights`."""
        self._pending.set(counts.get("pending", 0))
        self._drifted.set(counts.get("drifted", 0))
        self._fights.set(counts.get("fights", 0))

    def watch_lag(self, lag: Callable[[], float]) -> None:
        """Asks how far the target is behind, in seconds, whenever somebody wants to know."""
        self._lag.set_function(lag)

    def equals(self, commit: str, at: float) -> None:
        """The target is as a commit says, at a time in seconds since 1970."""
        self._applied.info({"environment": self._environment, "commit": commit})
        self._success.set(at)

    def page(self) -> bytes:
        """The page, in Prometheus' text format."""
        return generate_latest(self._registry)
