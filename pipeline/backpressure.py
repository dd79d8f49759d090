"""Which partitions must not be read now: everything while too much is open, one alone when it is stretched."""

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.kafka.assignment import Assignment
from pipeline.records import TopicPartition


@dataclass(frozen=True, slots=True)
class OpenLimits:
    """What may be open at once. Reading pauses at a limit and goes on at half of it.

    `max_span` is the distance, in offsets of one partition, between its lowest open record and the last one read: it
    bounds what a crash sends again and what one stuck record can hold up.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_records: int = 40_000
    max_span: int = 100_000


class Backpressure:
    """Decides which partitions pause."""

    def __init__(self, limits: OpenLimits) -> None:
        self._limits = limits
        self._stretched: set[TopicPartition] = set()
        self.is_full = False

    def paused(
        self, assignment: Assignment, *, waiting: Collection[TopicPartition], waiting_bytes: int, hold: bool
    ) -> set[TopicPartition]:
        """Return the partitions that must be paused. Those in `waiting` hold records back; `hold` pauses all."""
        share = max(
            (assignment.open_bytes + waiting_bytes) / self._limits.max_bytes,
            assignment.open_records / self._limits.max_records,
        )
        if hold or share >= 1.0:
            self.is_full = True
        elif share <= 0.5:
            self.is_full = False
        if self.is_full:
            return set(assignment.topic_partitions)
        for partition in assignment:
            if partition.span >= self._limits.max_span:
                self._stretched.add(partition.topic_partition)
            elif partition.span <= self._limits.max_span // 2:
                self._stretched.discard(partition.topic_partition)
        return {name for name in assignment.topic_partitions if name in self._stretched or name in waiting}
