"""Which records of a partition a replay reads."""

from dataclasses import dataclass

from pipeline.records import Record


@dataclass(frozen=True, slots=True)
class ReplayRange:
    """The offsets from `start` to before `end`; of their records, those from `since_ms` to before `before_ms`.

    Times are Unix milliseconds of the records' own timestamps, None where nothing is asked. With timestamps that the
    producers set, records of a time need not stand next to each other, so offsets alone cannot tell them.
    """

    start: int
    end: int
    since_ms: int | None = None
    before_ms: int | None = None

    def holds(self, record: Record) -> bool:
        """Tell whether a record belongs to the range. A record without a timestamp is judged by its offset alone."""
        if not self.start <= record.offset < self.end:
            return False
        time = record.timestamp_ms
        if time is None:
            return True
        return (self.since_ms is None or time >= self.since_ms) and (
            self.before_ms is None or time < self.before_ms
        )
