"""How the engine is doing, put together from its parts."""

from pipeline.delivery.flight import Flight
from pipeline.kafka.assignment import AssignedPartition, Assignment
from pipeline.kafka.watchdog import Watchdog
from pipeline.ports import Sender, Source
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.waiting import Waiting


def take_status(
    source: Source,
    sender: Sender,
    assignment: Assignment,
    flight: Flight,
    waiting: Waiting,
    *,
    trouble: str | None,
    watchdog: Watchdog,
    now: float,
    paused: bool,
) -> EngineStatus:
    """Return a snapshot. It is ready when nothing is wrong and there is something to do.

    `now` is on the clock's monotonic scale.
    """
    limits, ends = sender.limits, source.end_offsets()
    partitions = tuple(
        _partition_status(partition, source, waiting, ends.get(partition.topic_partition))
        for partition in assignment
    )
    known = (
        source.trouble,
        sender.held,
        trouble,
        waiting.trouble,
        None if len(assignment) else "no partition is assigned",
    )
    reasons = (*known, watchdog.look(partitions, now, excused=any(known)))
    return EngineStatus(
        ready=not any(reasons),
        reasons=tuple(reason for reason in reasons if reason),
        partitions=partitions,
        open_records=assignment.open_records,
        open_bytes=assignment.open_bytes,
        waiting_calls=flight.waiting,
        blocked_lanes=flight.blocked_lanes,
        batches_in_flight=flight.in_flight,
        held=sender.held,
        paused=paused,
        requests_per_second_limit=limits.requests_per_s,
        requests_in_flight_limit=limits.in_flight,
        client=source.client,
    )


def _partition_status(
    partition: AssignedPartition, source: Source, waiting: Waiting, end: int | None
) -> PartitionStatus:
    name = partition.topic_partition
    position = source.position(name)
    return PartitionStatus(
        name,
        position=position,
        settled=partition.tracker.committable(waiting.position(name, position)),
        committed=partition.committed,
        end=end,
    )
