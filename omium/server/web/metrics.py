"""Metrics: what /metrics shows, in Prometheus' text format, from a registry of its own.

Counting a request costs two list operations; everything else is read when somebody asks. Labels are route
templates and status classes, never ids, so that the number of series is bounded. Figures of the database and
executions come from callables that the app registers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from omium.later import later

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, Metric

__all__ = ["BUCKETS_S", "MEDIA_TYPE", "Metrics", "counter", "gauge"]

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Source = Callable[[], "Iterable[Metric]"]
_prometheus = later("prometheus_client")
_core = later("prometheus_client.core")


class _Latency:
    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0


class Metrics:
    """Counters of this process. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._latencies: dict[str, _Latency] = {}
        self._answers: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._counters: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._gauges: dict[str, tuple[str, str, Mapping[str, float]]] = {}
        self._help: dict[str, str] = {}
        self._sources: list[Source] = []

    def observe(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one answered request of `endpoint` (method and route template)."""
        latency = self._latencies.get(endpoint)
        if latency is None:
            latency = self._latencies[endpoint] = _Latency()
        latency.counts[bisect_left(BUCKETS_S, seconds)] += 1
        latency.sum_s += seconds
        self._answers[endpoint, status] += 1

    def count(self, name: str, description: str, label: str = "", value: str = "", by: int = 1) -> None:
        """Add `by` to the counter `name`, which may have one `label`."""
        self._help[name] = description
        self._counters[name, label, value] += by

    def set_gauges(self, name: str, description: str, label: str, values: Mapping[str, float]) -> None:
        """Set the gauge `name` to `values`, by its one label."""
        self._gauges[name] = description, label, dict(values)

    def add_source(self, source: Source) -> None:
        """Ask `source` for further metrics whenever somebody scrapes."""
        self._sources.append(source)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        registry = _prometheus().CollectorRegistry(auto_describe=False)
        registry.register(self)  # a collector by its shape
        return bytes(_prometheus().generate_latest(registry))

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; the registry calls this."""
        latency = _core().HistogramMetricFamily(
            "omium_http_request_seconds", "Time from the request's head to its answer.", labels=["endpoint"]
        )
        for endpoint, found in self._latencies.items():
            total, buckets = 0, []
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), found.counts, strict=True):
                total += count
                buckets.append((bound, float(total)))
            latency.add_metric([endpoint], buckets, found.sum_s)
        yield latency
        answers = _core().CounterMetricFamily(
            "omium_http_requests", "Answered requests.", labels=["endpoint", "status"]
        )
        for (endpoint, status), count in self._answers.items():
            answers.add_metric([endpoint, str(status)], count)
        yield answers
        yield from self._collect_counters()
        for name, (description, label, values) in self._gauges.items():
            family = _core().GaugeMetricFamily(name, description, labels=[label])
            for value, amount in values.items():
                family.add_metric([value], amount)
            yield family
        for source in self._sources:
            yield from source()

    def _collect_counters(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for (name, label, value), count in self._counters.items():
            if name not in families:
                labels = [label] if label else []
                families[name] = _core().CounterMetricFamily(name, self._help[name], labels=labels)
            families[name].add_metric([value] if label else [], count)
        yield from families.values()


def gauge(name: str, description: str, value: float) -> Metric:
    """Return a metric that goes up and down."""
    made: Metric = _core().GaugeMetricFamily(name, description, value=value)
    return made


def counter(name: str, description: str, value: float) -> Metric:
    """Return a metric that only grows since the start."""
    made: Metric = _core().CounterMetricFamily(name, description, value=value)
    return made
