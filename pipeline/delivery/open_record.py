"""A record with calls that are not settled yet."""

from pipeline.kafka.assignment import AssignedPartition
from pipeline.records import Record


class OpenRecord:
    """Counts the calls of a record that are still open; the record settles with the last one.

    It holds the partition as it was assigned when the record was read, so that a late result of an older assignment
    can do no harm. `weight` is what the record and its operations weigh in bytes while they are open. `confirmed`
    tells that a call of it was accepted, `refused` that one was sent and went to the dead letters.
    """

    __slots__ = ("_open_calls", "_weight", "confirmed", "partition", "record", "refused")

    def __init__(self, record: Record, partition: AssignedPartition, *, calls: int, weight: int) -> None:
        self.record = record
        self.partition = partition
        self._open_calls = calls
        self._weight = weight
        self.confirmed = False
        self.refused = False
        partition.open_bytes += weight

    def settle_call(self) -> bool:
        """Settle one call; return whether that settled the record."""
        self._open_calls -= 1
        if self._open_calls > 0:
            return False
        self.partition.tracker.settle(self.record.offset)
        self.partition.open_bytes -= self._weight
        return True
