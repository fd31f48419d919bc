"""What Prometheus reads at `/metrics`. Labels are templates of routes, methods, statuses and states: few and known.

Calls are counted as they end; what the store knows is looked up when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})


class Looked(NamedTuple):
    """A number that is looked up, by state; without states the key is "". What ends in `_total` only grows."""

    name: str
    what: str
    values: Mapping[str, float]


class Metrics:
    """The numbers of one server. `look` tells what is so now, each time somebody asks."""

    def __init__(self, look: Callable[[], Iterable[Looked]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._calls = Counter(
            "kfgit_http_requests",
            "Calls that were answered.",
            ("method", "route", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "kfgit_http_request_duration_seconds",
            "How long calls took.",
            ("method", "route"),
            registry=self._registry,
            buckets=_SECONDS,
        )
        # Looking a child up by its labels costs more than counting.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._registry.register(_Lookups(look))

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """One call was answered."""
        key = (route, method, status)
        found = self._children.get(key)
        if found is None:
            verb, where = method if method in _METHODS else "other", route or "none"
            found = self._calls.labels(verb, where, str(status)), self._seconds.labels(verb, where)
            if method in _METHODS:
                self._children[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def page(self) -> bytes:
        """The page."""
        return generate_latest(self._registry)


class _Lookups(Collector):
    def __init__(self, look: Callable[[], Iterable[Looked]]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        for name, what, values in self._look():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, what, labels=() if "" in values else ("state",))
            for state, value in values.items():
                family.add_metric([state] if state else [], value)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing is looked up only to learn the names."""
        return ()
