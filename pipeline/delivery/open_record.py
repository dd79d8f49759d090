"""A record with calls that are not settled yet."""

from pipeline.kafka.offsets import OffsetTracker
from pipeline.records import Record


class OpenRecord:
    """Counts the calls of a record that are still open; the record settles with the last one.

    It holds the tracker of the assignment under which the record was read, so that a late result of an older
    assignment can do no harm.
    """

    __slots__ = ("_open_calls", "_tracker", "record")

    def __init__(self, record: Record, tracker: OffsetTracker, calls: int) -> None:
        self.record = record
        self._tracker = tracker
        self._open_calls = calls

    def settle_call(self) -> bool:
        """Settle one call; return whether that settled the record."""
        self._open_calls -= 1
        if self._open_calls > 0:
            return False
        self._tracker.settle(self.record.offset)
        return True
