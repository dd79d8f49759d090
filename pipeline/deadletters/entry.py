"""A dead letter: one record or one call that failed, with all that is needed to understand it and to send it again."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pipeline.calls import CallSource, Reason
from pipeline.event_id import record_digest
from pipeline.records import Position, Record


class LetterKey(NamedTuple):
    """What failed: entries with one key are about the same call, or the same record when `source` is None.

    `digest` is of the record's value, so that a topic that was created anew is not taken for the old one. `as_new` is
    the salt of a replay that gave events other ids: the same event under another id is another call.
    """

    position: Position
    digest: str
    source: CallSource | None
    as_new: str | None = None

    @property
    def whole(self) -> "LetterKey":
        """The key of the whole record: calls with one such key come out of one translation."""
        return self._replace(source=None)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One failed call, or one failed record when `source` is None.

    `record` is the original, byte for byte. `text` is safe to log; `answer` holds the server's own words and is not.
    `first_seen_ms` is Unix milliseconds. `attempts` counts requests that carried the call. `replay` is the name of the
    replay that made the entry, None for the live pipeline's, and `as_new` the salt by which it gave events other ids.
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
    replay: str | None = None
    as_new: str | None = None

    @property
    def key(self) -> LetterKey:
        """What failed."""
        return LetterKey(self.record.position, record_digest(self.record), self.source, self.as_new)


class Settlement(StrEnum):
    """How a dead letter came to its end."""

    DELIVERED = "delivered"  # Customer.io confirmed every call of it
    REPLACED = (
        "replaced"  # the calls of a record were tried one by one: those that failed have entries of their own
    )
    DISMISSED = "dismissed"  # a person decided that it is not to be sent


@dataclass(frozen=True, slots=True)
class Resolution:
    """The end of a dead letter. It hides the entries with this key that were first seen at `until_ms` or before.

    Both times are Unix milliseconds; `until_ms` is by the clock of whoever wrote the entry, so that no two clocks are
    compared. A call that fails again later has an entry that is not hidden.
    """

    key: LetterKey
    until_ms: int
    resolved_ms: int
    settlement: Settlement = Settlement.DELIVERED
