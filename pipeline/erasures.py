"""Who was erased, and who came back: whoever sends old records again must know it before anything is sent.

To send them must neither bring back a person who was destroyed or suppressed later, nor delete one who signed up again
since.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pipeline.calls import ERASING_KINDS, CallKind, Identity
from pipeline.mapping import RuleSet
from pipeline.records import Position, Record, TopicPartition
from pipeline.translation import Prepared, Translation

_SAYS_NOTHING = frozenset({CallKind.UNSUPPRESS, CallKind.DELETE_DEVICE, CallKind.RAW})
"""Calls that do not show that a person is there."""


class _Moment(NamedTuple):
    """The highest offset, and the newest time in Unix milliseconds."""

    offset: int
    time_ms: int


_Moments = dict[str, dict[TopicPartition, _Moment]]
"""By person, and by the partition that told of them."""


def can_erase(rules: RuleSet) -> bool:
    """Tell whether any rule destroys or suppresses people."""
    return any(call.kind in ERASING_KINDS for rule in rules.rules for call in rule.calls)


class Erasures:
    """The last erasure of everybody of whom records and receipts tell one, and their last sign of life.

    Within a partition offsets tell what is later, elsewhere times do. Signs of life are noted only of people who are
    known to have been erased, so that memory grows with their number and not with everybody's: where a sign of life may
    be noted before the erasure, in another partition, all records are noted twice. `hashed` is what receipts call a
    person where they hash names, None when the key is not known.
    """

    def __init__(self, hashed: Callable[[Identity], str] | None = None) -> None:
        self._hashed = hashed
        self._erased: _Moments = {}
        self._alive: _Moments = {}

    def __len__(self) -> int:
        """How many people were erased."""
        return len(self._erased)

    def note(self, record: Record, translation: Translation) -> None:
        """Take note of what a record's calls do; records of one partition come in their order."""
        for call in translation.calls:
            if call.identity is None:
                continue
            person = call.identity.lane_key
            if call.source.kind in ERASING_KINDS:
                _note(self._erased, person, record.position, record.timestamp_ms or 0)
            elif call.source.kind not in _SAYS_NOTHING and person in self._erased:
                _note(self._alive, person, record.position, record.timestamp_ms or 0)

    def note_receipt(self, name: str, position: Position, accepted_ms: int) -> None:
        """Take note of an erasure that was accepted: of whom, asked for by which record, and when in Unix ms."""
        _note(self._erased, name, position, accepted_ms)

    def erased_after(self, record: Record, call: Prepared) -> bool:
        """Tell whether the person of a call, which erases nobody itself, was erased later than the record."""
        if call.identity is None or call.source.kind in ERASING_KINDS:
            return False
        return any(_is_later(self._erased.get(name, {}), record) for name in self._names(call.identity))

    def returned_after(self, record: Record, call: Prepared) -> bool:
        """Tell whether the person of an erasing call was seen again in a later record."""
        if call.identity is None:
            return False
        return _is_later(self._alive.get(call.identity.lane_key, {}), record)

    def _names(self, identity: Identity) -> Iterable[str]:
        return (identity.lane_key,) if self._hashed is None else (identity.lane_key, self._hashed(identity))


def _note(moments: _Moments, person: str, position: Position, time_ms: int) -> None:
    places = moments.setdefault(person, {})
    partition = TopicPartition(position.topic, position.partition)
    offset, latest_ms = places.get(partition, (0, 0))
    places[partition] = _Moment(max(offset, position.offset), max(latest_ms, time_ms))


def _is_later(places: dict[TopicPartition, _Moment], record: Record) -> bool:
    return any(
        moment.offset > record.offset
        if partition == record.topic_partition
        else moment.time_ms > (record.timestamp_ms or 0)
        for partition, moment in places.items()
    )
