"""A dead letter: one record or one call that failed, with all that is needed to understand it and to send it again."""

from dataclasses import dataclass

from pipeline.calls import CallSource, Reason
from pipeline.records import Record


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One failed call, or one failed record when `source` is None.

    `record` is the original, byte for byte. `text` is safe to log; `answer` holds the server's own words and is not.
    `first_seen_ms` is Unix milliseconds. `attempts` counts requests that carried the call.
    """

    record: Record
    reason: Reason
    text: str
    first_seen_ms: int
    source: CallSource | None = None
    field: str | None = None
    status: int | None = None
    answer: str | None = None
    attempts: int = 0
