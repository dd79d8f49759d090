"""How the engine is doing, put together from its parts."""

from collections.abc import Sequence

from pipeline.delivery.flight import Flight
from pipeline.kafka.assignment import AssignedPartition, Assignment
from pipeline.ports import Sender, Source
from pipeline.status import EngineStatus, PartitionStatus


def take_status(
    source: Source,
    sender: Sender,
    assignment: Assignment,
    flight: Flight,
    *,
    troubles: Sequence[str | None],
    paused: bool,
) -> EngineStatus:
    """Return a snapshot. It is ready when nothing is wrong and there is something to do."""
    reasons = (
        source.trouble,
        sender.held,
        *troubles,
        None if len(assignment) else "no partition is assigned",
    )
    limits, ends = sender.limits, source.end_offsets()
    return EngineStatus(
        ready=not any(reasons),
        reasons=tuple(reason for reason in reasons if reason),
        partitions=tuple(
            _partition_status(
                partition, source.position(partition.topic_partition), ends.get(partition.topic_partition)
            )
            for partition in assignment
        ),
        open_records=assignment.open_records,
        open_bytes=assignment.open_bytes,
        waiting_calls=flight.waiting,
        batches_in_flight=flight.in_flight,
        held=sender.held,
        paused=paused,
        requests_per_second_limit=limits.requests_per_s,
        requests_in_flight_limit=limits.in_flight,
    )


def _partition_status(partition: AssignedPartition, position: int | None, end: int | None) -> PartitionStatus:
    return PartitionStatus(
        partition.topic_partition,
        position=position,
        settled=partition.tracker.committable(position),
        committed=partition.committed,
        end=end,
    )
