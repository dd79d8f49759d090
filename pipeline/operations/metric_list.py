"""The closed list of metrics: their names, labels and meanings. Boards and alarms hang on it; changes are announced."""

from typing import NamedTuple


class Metric(NamedTuple):
    """One name of the list. Counters are exported with `_total` at the end."""

    name: str
    description: str
    labels: tuple[str, ...] = ()


_PARTITION = ("topic", "partition")

COUNTERS = (
    Metric("cio_pipeline_records", "Records read from Kafka.", _PARTITION),
    Metric(
        "cio_pipeline_records_settled",
        "Records that are done: skipped, delivered, or safe in the dead letters.",
        _PARTITION,
    ),
    Metric(
        "cio_pipeline_records_passed_over",
        "Records that were gone before they were read, or that kafka.out_of_range leaves behind.",
        _PARTITION,
    ),
    Metric(
        "cio_pipeline_records_skipped", "Records without a call: unmatched, or dropped by a rule.", ("cause",)
    ),
    Metric(
        "cio_pipeline_records_unmatched",
        "Records that no rule matched, by the type of the event; an estimate from one record of each run.",
        ("type",),
    ),
    Metric("cio_pipeline_calls", "Calls made by the mapping.", ("kind",)),
    Metric("cio_pipeline_calls_delivered", "Calls that Customer.io has confirmed.", ("kind",)),
    Metric(
        "cio_pipeline_calls_left_out",
        "Calls that are not made: an identify that changes nothing, or a policy drops those of people not identified.",
        ("cause",),
    ),
    Metric(
        "cio_pipeline_profiles_made",
        "Profiles made by confirmed calls; counted while the guard against ghost profiles is in force.",
    ),
    Metric("cio_pipeline_dead_letters", "Entries made for the dead letters.", ("reason",)),
    Metric("cio_pipeline_requests", "Requests to Customer.io by what became of them.", ("verdict",)),
    Metric("cio_pipeline_request_bytes", "Bytes of request bodies sent."),
    Metric("cio_pipeline_retries", "Requests that are made again, by why.", ("cause",)),
    Metric("cio_pipeline_rebalances", "Times that partitions came or went.", ("kind",)),
    Metric("cio_pipeline_commits", "Commits of offsets: committed or refused.", ("result",)),
    Metric("cio_pipeline_mapping_reloads", "Reloads of the mapping files: loaded or refused.", ("result",)),
    Metric("cio_pipeline_timestamps_clamped", "Timestamps of the future that were set to now."),
)

HISTOGRAMS = (
    Metric("cio_pipeline_request_duration_seconds", "From the start of a request to its verdict."),
    Metric(
        "cio_pipeline_confirmed_delay_seconds",
        "Until a call is confirmed, since its record was written or read: the first and the last call of each batch.",
        ("since",),
    ),
    Metric(
        "cio_pipeline_batch_fill_ratio",
        "The part of a limit that is used: of items by a batch, of bytes by a request.",
        ("limit",),
    ),
)

GAUGES = (
    Metric("cio_pipeline_build_info", "Always 1; the label tells the version.", ("version",)),
    Metric("cio_pipeline_ready", "1 while the pipeline is ready, else 0; /readyz tells why not."),
    Metric("cio_pipeline_delivery_held", "1 while delivery holds because a person is needed."),
    Metric("cio_pipeline_reading_paused", "1 while reading waits for what is open to settle."),
    Metric("cio_pipeline_open_records", "Records read and not settled."),
    Metric("cio_pipeline_open_bytes", "Bytes of records and calls not settled."),
    Metric("cio_pipeline_waiting_calls", "Calls made and not on their way yet."),
    Metric("cio_pipeline_lanes_blocked", "Lanes of which a call waits for the answer to an earlier one."),
    Metric("cio_pipeline_requests_in_flight", "Batches on their way to Customer.io."),
    Metric("cio_pipeline_requests_in_flight_limit", "How many requests may be in flight at present."),
    Metric(
        "cio_pipeline_requests_per_second_limit",
        "How many requests a second this process may make at present.",
    ),
    Metric(
        "cio_pipeline_client_queued_records", "Records that the Kafka client has fetched and nobody has read."
    ),
    Metric("cio_pipeline_client_queued_bytes", "Bytes of these."),
    Metric("cio_pipeline_client_brokers_up", "Brokers that the Kafka client is connected to."),
    Metric(
        "cio_pipeline_client_throttled_seconds", "The longest wait that a broker's quota has just asked for."
    ),
    Metric(
        "cio_pipeline_client_coordinator_seconds",
        "Mean round trip to the group's coordinator, heartbeats mostly.",
    ),
    Metric("cio_pipeline_partition_lag_records", "Records of the partition not settled yet.", _PARTITION),
    Metric(
        "cio_pipeline_partition_lag_seconds",
        "Age of the next record that is not settled; 0 when there is none.",
        _PARTITION,
    ),
    Metric(
        "cio_pipeline_partition_retention_left_seconds",
        "Time until the topic may delete the next record that is not settled; 0 when it is gone.",
        _PARTITION,
    ),
    Metric(
        "cio_pipeline_partition_end_offset", "The end of the partition, as last told by Kafka.", _PARTITION
    ),
    Metric("cio_pipeline_partition_committed_offset", "The offset that is committed.", _PARTITION),
    Metric("cio_pipeline_partition_position", "The offset that is read next.", _PARTITION),
)
