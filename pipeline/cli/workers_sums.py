"""Adding up what several workers say of themselves."""

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from pipeline import __version__

Life = tuple[int, int]
"""A worker's number and which of its processes."""
Key = tuple[str, tuple[tuple[str, str], ...]]

_LEAST = frozenset(
    {
        "cio_pipeline_ready",
        "cio_pipeline_client_brokers_up",
        "cio_pipeline_partition_retention_left_seconds",
        "process_start_time_seconds",
    }
)
_GREATEST = frozenset(
    {
        "cio_pipeline_build_info",
        "cio_pipeline_delivery_held",
        "cio_pipeline_reading_paused",
        "cio_pipeline_client_throttled_seconds",
        "cio_pipeline_client_coordinator_seconds",
        # While a partition moves, two workers may speak of it.
        "cio_pipeline_partition_lag_records",
        "cio_pipeline_partition_lag_seconds",
        "cio_pipeline_partition_end_offset",
        "cio_pipeline_partition_committed_offset",
        "cio_pipeline_partition_position",
        "process_max_fds",
    }
)
_SHARED = frozenset({"started_at", "mapping", "latency"})
NO_PARTITION = "no partition is assigned"


class MetricSums(Collector):
    """Sums of metrics. What a process had counted when it was last asked still counts after its end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._families: dict[str, Metric] = {}
        self._last: dict[Life, dict[Key, float]] = {}
        self._ended: dict[Key, float] = {}
        self._alive: tuple[Life, ...] = ()

    def note(self, life: Life, text: str) -> None:
        """Take what a process has just said."""
        with self._lock:
            values: dict[Key, float] = {}
            for family in text_string_to_metric_families(text):
                known = self._families.setdefault(family.name, family)
                known.documentation = family.documentation
                for sample in family.samples:
                    values[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
            self._last[life] = values

    def render(self, alive: Iterable[Life]) -> bytes:
        """Return the sums in Prometheus' text format; `alive` are the processes there are now."""
        with self._lock:
            self._alive = tuple(alive)
            self._bury()
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """See `Collector.collect`."""
        for name, family in self._families.items():
            summed = Metric(name, family.documentation, family.type)
            for (sample, labels), value in self._summed(family).items():
                summed.add_sample(sample, dict(labels), value)
            yield summed

    def _bury(self) -> None:
        counters = {name for family in self._families.values() for name in _rising(family)}
        for life in [life for life in self._last if life not in self._alive]:
            for key, value in self._last.pop(life).items():
                if key[0] in counters:
                    self._ended[key] = self._ended.get(key, 0.0) + value

    def _summed(self, family: Metric) -> dict[Key, float]:
        add = min if family.name in _LEAST else max if family.name in _GREATEST else _plus
        names = {family.name, *_rising(family)}
        found = {key: value for key, value in self._ended.items() if key[0] in names}
        for values in self._last.values():
            for key, value in values.items():
                if key[0] in names:
                    found[key] = add(found[key], value) if key in found else value
        return found


def _rising(family: Metric) -> set[str]:
    """Return the names of a family's samples that only rise."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {f"{family.name}{ending}" for ending in endings.get(family.type, ())}


def _plus(one: float, other: float) -> float:
    return one + other


def status_of_all(documents: Mapping[int, dict[str, Any] | None]) -> dict[str, Any]:
    """Add up what workers answer at /api/status, by their numbers; None for one that does not answer.

    A worker without a partition is a spare as long as another one has some.
    """
    answered = {number: document for number, document in documents.items() if document is not None}
    partitions = [partition for document in answered.values() for partition in document["partitions"]]
    reasons = [
        f"worker {number}: {reason}"
        for number, document in documents.items()
        for reason in (["it does not answer (yet)"] if document is None else document["reasons"])
        if not (reason == NO_PARTITION and partitions)
    ]
    # What the workers say in common has one meaning each: numbers add up, true is true, of the rest the first counts.
    summed: dict[str, Any] = {}
    for document in answered.values():
        summed = _added(summed, {name: part for name, part in document.items() if name not in _SHARED})
    return {
        "version": __version__,
        "open_records": 0,
        "open_bytes": 0,
        "batches_in_flight": 0,
        **summed,
        **_shared(list(answered.values())),
        "ready": not reasons,
        "reasons": reasons,
        "partitions": sorted(partitions, key=lambda each: (each["topic"], each["partition"])),
    }


def _shared(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is not a sum: since when the first one runs, and the rules as whoever read them last tells."""
    found: dict[str, Any] = {}
    started = [document["started_at"] for document in documents if "started_at" in document]
    if started:
        found["started_at"] = min(started)
    mappings = [document["mapping"] for document in documents if "mapping" in document]
    if mappings:
        found["mapping"] = max(mappings, key=lambda each: (each["last_reload"] or {"at": 0.0})["at"])
    latencies = [document["latency"] for document in documents if "latency" in document]
    if latencies:
        found["latency"] = {name: _slowest([each[name] for each in latencies]) for name in latencies[0]}
    return found


def _slowest(delays: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return the greatest of each quantile: those of several workers do not add up."""
    return {
        quantile: max((value for each in delays if (value := each[quantile]) is not None), default=None)
        for quantile in delays[0]
    }


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            name: _added(one[name], other[name]) if name in one and name in other else {**other, **one}[name]
            for name in {**one, **other}
        }
    if isinstance(one, bool) and isinstance(other, bool):
        return one or other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one + other
    return other if one is None else one
