"""Metrics: each counter and gauge, declared once with its help, and the numbers.

Promises: counting needs no server and no library; a test can read a number back; the number of
series is bounded, whatever directories and sinks there are; labels hold no token and no control
character.

prometheus-client only writes the exposition, and is loaded when metrics are served. Its own Counter
and Gauge do not replace the numbers here, for three reasons:
- importing it takes 170 ms and 14 MB, and every `tail` counts, with or without `--metrics`;
- each of its counters adds a `_created` series, unless a setting of the whole process forbids it;
- it has no counter that is set to a total kept elsewhere (sinks, the store), no bound on series.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from jwtleak.core.redaction import safe_text

# Series of one metric: an attacker can make directories on a shared host, and a metrics server
# pays for each series for ever. What does not fit is summed up under the label `other`.
MAX_SERIES = 256
# Characters of a label: most directories differ from each other within these.
MAX_LABEL = 200
OTHER = "other"

Labels: TypeAlias = tuple[str, ...]


class Metric(NamedTuple):
    """One metric: its complete name, its help, and the names of its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


DECLARED: list[Metric] = []


def _declare(metric: Metric) -> Metric:
    DECLARED.append(metric)
    return metric


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return _declare(Metric(f"jwtleak_{name}_total", "counter", help_, labels))


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return _declare(Metric(f"jwtleak_{name}", "gauge", help_, labels))


BUILD_INFO = _gauge("build_info", "1, with the version that runs", "version")
READY = _gauge("ready", "1 while files are followed, 0 before and after")

BYTES_READ = _counter("bytes_read", "bytes of followed streams that were read and judged")
BYTES_LOST = _counter(
    "bytes_lost", "bytes known to have been written and gone before they could be read"
)
LAG_BYTES = _gauge("lag_bytes", "bytes of followed streams that are there and not judged yet")
THROTTLED_SECONDS = _counter(
    "throttled_seconds", "time that reading waited for the limit of bytes a second"
)

FILES_FOLLOWED = _gauge("files_followed", "streams that are followed")
FILES_OPEN = _gauge("files_open", "followed streams that are held open")
FILES_ROTATED = _counter("files_rotated", "streams that another file took the place of")
FILES_TRUNCATED = _counter("files_truncated", "streams whose file was cut and written anew")
WATCH_DIRECTORIES = _gauge(
    "watch_directories", "directories, by how their changes are noticed (events, polling)", "mode"
)
WATCH_MODE = _gauge(
    "watch_mode", "1 for the way in which changes in a directory are noticed", "directory", "mode"
)

ALERTS = _counter("alerts", "alerts, repeats not counted", "severity")
REPEATS_SUPPRESSED = _counter(
    "repeats_suppressed", "sightings that a roll-up sums up in place of an alert of their own"
)
ALERTS_KEPT_BACK = _counter(
    "alerts_kept_back", "sightings that the policy or the baseline keeps back"
)

OUTBOX_DEPTH = _gauge("outbox_depth", "alerts that wait for a sink", "sink")
OUTBOX_OLDEST_SECONDS = _gauge(
    "outbox_oldest_seconds", "age of the oldest alert that waits for a sink", "sink"
)
SINK_SENT = _counter("sink_sent", "alerts that a sink took", "sink")
SINK_RETRIED = _counter("sink_retried", "attempts that failed and were made again", "sink")
SINK_DEAD = _counter(
    "sink_dead", "alerts that a sink refused for good; kept as dead letters", "sink"
)
SINK_DROPPED = _counter(
    "sink_dropped",
    "alerts dropped where `drop-oldest` was chosen and the spool or the sink's queue was full",
    "sink",
)

SPOOL_BYTES = _gauge("spool_bytes", "bytes of alerts that wait, of all sinks")
STORE_STATE = _gauge(
    "store_state",
    "1 for the state that the store is in (ok, full, failed), 0 for the others",
    "state",
)
STORE_COMMITS = _counter("store_commits", "transactions of cursors, sightings and alerts")

ERRORS = _counter("errors", "what went wrong, by kind", "kind")
LOG_SUPPRESSED = _counter(
    "log_lines_suppressed", "lines of the log that were held back as repeats of one another"
)
RELOADS = _counter("reloads", "times that the configuration was read again", "result")

STORE_STATES = ("ok", "full", "failed")


class Metrics:
    """The numbers. May be used from any thread."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._lock = threading.Lock()
        self._max_series = max_series
        # A metric without labels exists from the beginning: a rate over it needs its 0.
        self._series: dict[str, dict[Labels, float]] = {
            metric.name: {} if metric.labels else {(): 0.0} for metric in DECLARED
        }

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Add `amount` to a counter."""
        with self._lock:
            series, key = self._place(metric, labels)
            series[key] = series.get(key, 0.0) + amount

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            series, key = self._place(metric, labels)
            series[key] = float(value)

    def total(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a counter to a total that is kept elsewhere; it never goes down."""
        with self._lock:
            series, key = self._place(metric, labels)
            series[key] = max(series.get(key, 0.0), float(value))

    def renew(self, metric: Metric, values: Mapping[Labels, float]) -> None:
        """Replace all series of a gauge."""
        # Under one lock: a scrape in between would see a gauge without its series.
        with self._lock:
            self._series[metric.name].clear()
            for labels, value in values.items():
                series, key = self._place(metric, labels)
                # Several values may fall together under `other`: they are summed up.
                series[key] = series.get(key, 0.0) + value if OTHER in key else float(value)

    def state(self, metric: Metric, states: tuple[str, ...], current: str) -> None:
        """Set a gauge with one series for each of `states`: 1 for `current`, 0 for the others."""
        self.renew(metric, {(state,): float(state == current) for state in states})

    def value(self, metric: Metric, *labels: str) -> float:
        """The number; 0 for what never happened."""
        with self._lock:
            return self._series[metric.name].get(_fit(labels), 0.0)

    def all(self) -> Iterator[tuple[Metric, list[tuple[Labels, float]]]]:
        """Every metric with its series, all of one moment."""
        with self._lock:
            copy = {name: list(series.items()) for name, series in self._series.items()}
        for metric in DECLARED:
            yield metric, copy[metric.name]

    def _place(self, metric: Metric, labels: Labels) -> tuple[dict[Labels, float], Labels]:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {metric.labels}")
        # Labels are cut and cleaned before they are compared: directories that differ only behind
        # the cut share a series.
        series, key = self._series[metric.name], _fit(labels)
        if key not in series and len(series) >= self._max_series:
            key = (OTHER,) * len(labels)
        return series, key


def _fit(labels: Labels) -> Labels:
    return tuple(safe_text(label, MAX_LABEL) for label in labels)


class _Collector:
    """The collector that prometheus-client asks for the numbers."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[object]:
        """One family for each declared metric."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for metric, series in self._metrics.all():
            family = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}[metric.kind](
                metric.name, metric.help, labels=metric.labels
            )
            for labels, value in series:
                family.add_metric(labels, value)
            yield family


class Exposition:
    """The numbers as Prometheus reads them, with the memory, processor time and open files of this
    process.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, metrics: Metrics) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector

        # A registry of its own: the global one belongs to the program that uses jwtleak as a
        # library.
        self._registry = CollectorRegistry()
        # The registry calls `collect` alone; its type asks for more.
        self._registry.register(_Collector(metrics))  # type: ignore[arg-type]
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)
