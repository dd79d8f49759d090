"""Who was deleted or suppressed after a dead letter was made: to send it now would bring the person back."""

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.calls import Identity
from pipeline.deadletters.unresolved import Unresolved
from pipeline.receipts.receipt import RECEIPTED_KINDS, Namer, Receipt
from pipeline.records import Position, Record, TopicPartition
from pipeline.translation import Prepared, Translation


class _Moment(NamedTuple):
    """The highest offset of an erasure, and its newest time in Unix milliseconds."""

    offset: int
    time_ms: int


class LaterErasures:
    """The deletions and suppressions that dead letters and receipts tell of.

    Within a partition offsets tell what is later, elsewhere times do. `hashed` is how receipts name people where they
    hash names, None when the key is not known. It grows with the number of people who were erased.
    """

    def __init__(self, hashed: Namer | None = None) -> None:
        self._hashed = hashed
        self._erased: dict[str, dict[TopicPartition, _Moment]] = {}

    def note_record(self, record: Record, translation: Translation) -> None:
        """Take note of whom a record erases."""
        for call in translation.calls:
            if call.source.kind in RECEIPTED_KINDS and call.identity is not None:
                self._note(call.identity.lane_key, record.position, record.timestamp_ms or 0)

    def note_receipt(self, receipt: Receipt) -> None:
        """Take note of an erasure that was accepted."""
        name = receipt.person if receipt.hashed else Identity(receipt.person_kind, receipt.person).lane_key
        self._note(name, receipt.position, receipt.accepted_ms)

    def is_erased(self, record: Record, call: Prepared) -> bool:
        """Tell whether the person of a call, which erases nobody itself, was erased later than the record."""
        if call.identity is None or call.source.kind in RECEIPTED_KINDS:
            return False
        return any(
            moment.offset > record.offset
            if partition == record.topic_partition
            else moment.time_ms > (record.timestamp_ms or 0)
            for name in self._names(call.identity)
            for partition, moment in self._erased.get(name, {}).items()
        )

    def _names(self, identity: Identity) -> Iterable[str]:
        return (identity.lane_key,) if self._hashed is None else (identity.lane_key, self._hashed(identity))

    def _note(self, name: str, position: Position, time_ms: int) -> None:
        places = self._erased.setdefault(name, {})
        partition = TopicPartition(position.topic, position.partition)
        offset, latest_ms = places.get(partition, (-1, 0))
        places[partition] = _Moment(max(offset, position.offset), max(latest_ms, time_ms))


def may_erase(letter: Unresolved) -> bool:
    """Tell whether a dead letter may be about a deletion or suppression that has not been delivered."""
    return letter.source is None or letter.source.kind in RECEIPTED_KINDS
