"""The metrics' values at the moment they are asked for."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from math import inf
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from pipeline import __version__
from pipeline.calls import CallKind, Reason
from pipeline.customerio.verdicts import RETRY_CAUSES, VERDICT_NAMES
from pipeline.histogram import Histogram
from pipeline.operations.metric_list import COUNTERS, GAUGES, HISTOGRAMS
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus
from pipeline.tally import LEFT_OUT_CAUSES, Tally
from pipeline.unmatched import UNKNOWN

Sample = tuple[tuple[str, ...], float]
Member = TypeVar("Member", bound=StrEnum)
Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


class PipelineCollector(Collector):
    """Reads the tally and the status when Prometheus asks; counting costs the engine nothing extra."""

    def __init__(self, tally: Tally, status: Callable[[], EngineStatus]) -> None:
        self._tally = tally
        self._status = status

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """Yield every metric of the list."""
        counted, gauged = _counted(self._tally), _gauged(self._status())
        for metric in COUNTERS:
            yield _filled(
                CounterMetricFamily(metric.name, metric.description, labels=metric.labels),
                counted[metric.name],
            )
        measured = _measured(self._tally)
        for metric in HISTOGRAMS:
            family = HistogramMetricFamily(metric.name, metric.description, labels=metric.labels)
            for labels, histogram in measured[metric.name]:
                picture = histogram.picture()
                buckets = [(_bound(bound), count) for bound, count in picture.buckets]
                family.add_metric(labels, buckets, picture.total)
            yield family
        for metric in GAUGES:
            yield _filled(
                GaugeMetricFamily(metric.name, metric.description, labels=metric.labels), gauged[metric.name]
            )


class Metrics:
    """The metrics of one process as text."""

    def __init__(self, tally: Tally, status: Callable[[], EngineStatus]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(PipelineCollector(tally, status))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)


def _bound(value: float) -> str:
    return "+Inf" if value == inf else str(value)


def _filled(family: Family, samples: Iterable[Sample]) -> Family:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _counted(tally: Tally) -> dict[str, list[Sample]]:
    return {
        "cio_pipeline_records": _by_partition(tally.records),
        "cio_pipeline_records_settled": _by_partition(tally.settled),
        "cio_pipeline_records_passed_over": _by_partition(
            {**dict.fromkeys(dict(tally.records), 0), **tally.passed_over}
        ),
        "cio_pipeline_records_skipped": _by_text(tally.skipped, ("unmatched", "dropped")),
        "cio_pipeline_records_unmatched": _by_text(tally.unmatched, (UNKNOWN,)),
        "cio_pipeline_calls": _by_member(CallKind, tally.calls),
        "cio_pipeline_calls_delivered": _by_member(CallKind, tally.delivered),
        "cio_pipeline_calls_left_out": _by_text(tally.left_out, LEFT_OUT_CAUSES),
        "cio_pipeline_profiles_made": [((), tally.profiles_made)],
        "cio_pipeline_dead_letters": _by_member(Reason, tally.dead_letters),
        "cio_pipeline_requests": _by_text(tally.requests, VERDICT_NAMES),
        "cio_pipeline_request_bytes": [((), tally.request_bytes)],
        "cio_pipeline_retries": _by_text(tally.retries, RETRY_CAUSES),
        "cio_pipeline_rebalances": _by_text(tally.rebalances, ("assigned", "revoked", "lost")),
        "cio_pipeline_commits": _by_text(tally.commits, ("committed", "refused")),
        "cio_pipeline_mapping_reloads": _by_text(tally.reloads, ("loaded", "refused")),
        "cio_pipeline_timestamps_clamped": [((), tally.clamped_timestamps)],
    }


def _measured(tally: Tally) -> dict[str, list[tuple[tuple[str, ...], Histogram]]]:
    measures = tally.measures
    return {
        "cio_pipeline_request_duration_seconds": [((), measures.request_seconds)],
        "cio_pipeline_confirmed_delay_seconds": [
            (("written",), measures.since_written),
            (("read",), measures.since_read),
        ],
        "cio_pipeline_batch_fill_ratio": [
            (("items",), measures.items_fill),
            (("bytes",), measures.bytes_fill),
        ],
    }


def _gauged(status: EngineStatus) -> dict[str, list[Sample]]:
    partitions, client = status.partitions, status.client
    return {
        "cio_pipeline_build_info": [((__version__,), 1)],
        "cio_pipeline_ready": [((), status.ready)],
        "cio_pipeline_delivery_held": [((), status.held is not None)],
        "cio_pipeline_reading_paused": [((), status.paused)],
        "cio_pipeline_open_records": [((), status.open_records)],
        "cio_pipeline_open_bytes": [((), status.open_bytes)],
        "cio_pipeline_waiting_calls": [((), status.waiting_calls)],
        "cio_pipeline_lanes_blocked": [((), status.blocked_lanes)],
        "cio_pipeline_requests_in_flight": [((), status.batches_in_flight)],
        "cio_pipeline_requests_in_flight_limit": [((), status.requests_in_flight_limit)],
        "cio_pipeline_requests_per_second_limit": [((), status.requests_per_second_limit)],
        "cio_pipeline_client_queued_records": [((), client.queued_records)],
        "cio_pipeline_client_queued_bytes": [((), client.queued_bytes)],
        "cio_pipeline_client_brokers_up": [((), client.brokers_up)],
        "cio_pipeline_client_throttled_seconds": [((), client.throttled_seconds)],
        "cio_pipeline_client_coordinator_seconds": [((), client.coordinator_seconds)],
        "cio_pipeline_partition_lag_records": _known((p.topic_partition, p.lag) for p in partitions),
        "cio_pipeline_partition_lag_seconds": _known((p.topic_partition, p.lag_seconds) for p in partitions),
        "cio_pipeline_partition_retention_left_seconds": _known(
            (p.topic_partition, p.retention_left_seconds) for p in partitions
        ),
        "cio_pipeline_partition_end_offset": _known((p.topic_partition, p.end) for p in partitions),
        "cio_pipeline_partition_committed_offset": _known(
            (p.topic_partition, p.committed) for p in partitions
        ),
        "cio_pipeline_partition_position": _known((p.topic_partition, p.position) for p in partitions),
    }


def _known(values: Iterable[tuple[TopicPartition, float | None]]) -> list[Sample]:
    return [((topic, str(number)), value) for (topic, number), value in values if value is not None]


def _by_partition(counts: Mapping[TopicPartition, int]) -> list[Sample]:
    return [((topic, str(partition)), count) for (topic, partition), count in dict(counts).items()]


def _by_text(counts: Mapping[str, int], known: Collection[str]) -> list[Sample]:
    """Also those that are still zero, so that the first of a kind shows in a rate."""
    return [((text,), count) for text, count in {**dict.fromkeys(known, 0), **counts}.items()]


def _by_member(members: type[Member], counts: Mapping[Member, int]) -> list[Sample]:
    """Also those that are still zero, so that the first of a kind shows in a rate."""
    copy = dict(counts)
    return [((member.value,), copy.get(member, 0)) for member in members]
