"""The metrics are a promise: boards and alarms hang on their names and labels."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from pipeline import __version__
from pipeline.calls import CallKind, Reason
from pipeline.measures import DeliveryMeasures
from pipeline.operations.metric_list import COUNTERS, GAUGES, HISTOGRAMS
from pipeline.operations.metrics import Metrics
from pipeline.records import TopicPartition
from pipeline.status import ClientStatus, EngineStatus, PartitionStatus
from pipeline.tally import Tally

SHOP = TopicPartition("shop", 3)


def measured() -> DeliveryMeasures:
    measures = DeliveryMeasures()
    measures.request_seconds.observe(0.3)
    measures.since_written.observe(400.0)
    measures.since_read.observe(0.2)
    measures.items_fill.observe(0.5)
    measures.bytes_fill.observe(0.02)
    return measures


def busy_tally() -> Tally:
    return Tally(
        records=Counter({SHOP: 10}),
        passed_over=Counter({SHOP: 6}),
        skipped=Counter({"unmatched": 1}),
        calls=Counter({CallKind.TRACK: 8}),
        delivered=Counter({CallKind.TRACK: 7}),
        left_out=Counter({"unchanged": 3, "not_identified": 4}),
        profiles_made=6,
        dead_letters=Counter({Reason.TOO_LARGE: 1}),
        requests=Counter({"delivered": 2}),
        unmatched=Counter({"cart.updated": 1}),
        retries=Counter({"throttled": 3}),
        rebalances=Counter({"revoked": 2}),
        request_bytes=900,
        settled=Counter({SHOP: 9}),
        commits=Counter({"committed": 4}),
        reloads=Counter({"loaded": 2, "refused": 1}),
        clamped_timestamps=2,
        measures=measured(),
    )


def busy_status() -> EngineStatus:
    return EngineStatus(
        ready=False,
        reasons=("no partition is assigned",),
        partitions=(
            PartitionStatus(
                SHOP, position=30, committed=20, end=50, lag_seconds=12.5, retention_left_seconds=600.0
            ),
        ),
        open_records=1,
        open_bytes=99,
        waiting_calls=3,
        blocked_lanes=4,
        batches_in_flight=2,
        held="wrong credentials",
        paused=True,
        requests_per_second_limit=120.5,
        requests_in_flight_limit=6,
        client=ClientStatus(40, 4_000, 3, 0.5, 0.02),
    )


def samples(tally: Tally, status: EngineStatus) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(Metrics(tally, lambda: status).render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_metric_of_the_list_is_exported_with_its_labels_and_none_besides() -> None:
    exported = {
        (name, tuple(label for label, _ in labels))
        for name, labels in samples(busy_tally(), busy_status())
        if name.startswith("cio_pipeline_")
    }
    listed = {(f"{metric.name}_total", tuple(sorted(metric.labels))) for metric in COUNTERS}
    listed |= {(metric.name, tuple(sorted(metric.labels))) for metric in GAUGES}
    for metric in HISTOGRAMS:
        listed |= {(f"{metric.name}_{part}", metric.labels) for part in ("sum", "count")}
        listed.add((f"{metric.name}_bucket", tuple(sorted((*metric.labels, "le")))))
    assert exported == listed


def test_each_value_is_the_one_that_was_counted() -> None:
    values = samples(busy_tally(), busy_status())
    partition = (("partition", "3"), ("topic", "shop"))
    assert values["cio_pipeline_records_total", partition] == 10
    assert values["cio_pipeline_records_settled_total", partition] == 9
    assert values["cio_pipeline_records_passed_over_total", partition] == 6
    assert values["cio_pipeline_client_queued_records", ()] == 40
    assert values["cio_pipeline_client_queued_bytes", ()] == 4_000
    assert values["cio_pipeline_client_brokers_up", ()] == 3
    assert values["cio_pipeline_client_throttled_seconds", ()] == 0.5
    assert values["cio_pipeline_client_coordinator_seconds", ()] == 0.02
    assert values["cio_pipeline_records_skipped_total", (("cause", "unmatched"),)] == 1
    assert values["cio_pipeline_calls_total", (("kind", "track"),)] == 8
    assert values["cio_pipeline_calls_delivered_total", (("kind", "track"),)] == 7
    assert values["cio_pipeline_dead_letters_total", (("reason", "too_large"),)] == 1
    assert values["cio_pipeline_requests_total", (("verdict", "delivered"),)] == 2
    assert values["cio_pipeline_request_bytes_total", ()] == 900
    assert values["cio_pipeline_records_unmatched_total", (("type", "cart.updated"),)] == 1
    assert values["cio_pipeline_calls_left_out_total", (("cause", "unchanged"),)] == 3
    assert values["cio_pipeline_calls_left_out_total", (("cause", "not_identified"),)] == 4
    assert values["cio_pipeline_profiles_made_total", ()] == 6
    assert values["cio_pipeline_retries_total", (("cause", "throttled"),)] == 3
    assert values["cio_pipeline_rebalances_total", (("kind", "revoked"),)] == 2
    assert values["cio_pipeline_lanes_blocked", ()] == 4
    assert values["cio_pipeline_partition_lag_seconds", partition] == 12.5
    assert values["cio_pipeline_partition_retention_left_seconds", partition] == 600
    assert values["cio_pipeline_commits_total", (("result", "committed"),)] == 4
    assert values["cio_pipeline_timestamps_clamped_total", ()] == 2
    assert values["cio_pipeline_build_info", (("version", __version__),)] == 1
    assert values["cio_pipeline_ready", ()] == 0
    assert values["cio_pipeline_delivery_held", ()] == 1
    assert values["cio_pipeline_reading_paused", ()] == 1
    assert values["cio_pipeline_open_records", ()] == 1
    assert values["cio_pipeline_open_bytes", ()] == 99
    assert values["cio_pipeline_waiting_calls", ()] == 3
    assert values["cio_pipeline_requests_in_flight", ()] == 2
    assert values["cio_pipeline_requests_in_flight_limit", ()] == 6
    assert values["cio_pipeline_requests_per_second_limit", ()] == 120.5
    assert values["cio_pipeline_partition_lag_records", partition] == 30
    assert values["cio_pipeline_partition_end_offset", partition] == 50
    assert values["cio_pipeline_partition_committed_offset", partition] == 20
    assert values["cio_pipeline_partition_position", partition] == 30


def test_a_histogram_has_buckets_up_to_each_bound_a_sum_and_a_count() -> None:
    values = samples(busy_tally(), busy_status())
    name = "cio_pipeline_request_duration_seconds"
    assert values[f"{name}_bucket", (("le", "0.25"),)] == 0
    assert values[f"{name}_bucket", (("le", "0.5"),)] == 1
    assert values[f"{name}_bucket", (("le", "+Inf"),)] == values[f"{name}_count", ()] == 1
    assert values[f"{name}_sum", ()] == 0.3
    delays, fill = "cio_pipeline_confirmed_delay_seconds_sum", "cio_pipeline_batch_fill_ratio_sum"
    assert values[delays, (("since", "written"),)] == 400
    assert values[delays, (("since", "read"),)] == 0.2
    assert values[fill, (("limit", "items"),)] == 0.5
    assert values[fill, (("limit", "bytes"),)] == 0.02


def test_kinds_and_reasons_are_there_before_the_first_of_them() -> None:
    values = samples(Tally(), EngineStatus(ready=True))
    for kind in CallKind:
        assert values["cio_pipeline_calls_delivered_total", (("kind", kind.value),)] == 0
    for reason in Reason:
        assert values["cio_pipeline_dead_letters_total", (("reason", reason.value),)] == 0


def test_every_series_without_a_partition_is_there_from_the_start() -> None:
    exported = {name for name, _ in samples(Tally(), EngineStatus(ready=True))}
    listed = {(f"{metric.name}_total", metric.labels) for metric in COUNTERS}
    listed |= {(metric.name, metric.labels) for metric in GAUGES}
    assert {name for name, labels in listed if "partition" not in labels} <= exported


def test_what_is_unknown_is_left_out_and_not_called_zero() -> None:
    status = EngineStatus(ready=True, partitions=(PartitionStatus(SHOP, position=5),))
    names = {name for name, _ in samples(Tally(), status)}
    assert "cio_pipeline_partition_position" in names
    assert "cio_pipeline_partition_lag_records" not in names
    assert "cio_pipeline_partition_end_offset" not in names


def test_the_process_itself_is_measured_too() -> None:
    names = {name for name, _ in samples(Tally(), EngineStatus(ready=True))}
    assert {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"} <= names


def test_every_name_says_its_unit_or_what_it_counts_and_every_metric_is_described() -> None:
    for metric in (*COUNTERS, *HISTOGRAMS, *GAUGES):
        assert metric.description.endswith("."), metric.name
        assert metric.name.startswith("cio_pipeline_")
        assert not metric.name.endswith("_total"), "the exporter adds it"
