"""Who was erased, and who came back: known before anything is sent.

A replay must neither bring back a person whom a later record destroyed or suppressed, nor delete one who signed up
again since.
"""

from collections.abc import Iterable

from pipeline.calls import CallKind
from pipeline.mapping import RuleSet
from pipeline.records import Record
from pipeline.translation import Prepared, Translation

ERASING_KINDS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS})
_SAYS_NOTHING = frozenset({CallKind.UNSUPPRESS, CallKind.DELETE_DEVICE, CallKind.RAW})
"""Calls that do not show that a person is there."""

_Moment = tuple[int, int]
"""The highest offset, and the newest of the records' times in Unix milliseconds."""


def can_erase(rules: RuleSet) -> bool:
    """Tell whether any rule destroys or suppresses people."""
    return any(call.kind in ERASING_KINDS for rule in rules.rules for call in rule.calls)


class Erasures:
    """The last erasure of everybody who was erased in the records noted, and the last sign of life of these people.

    Within a partition offsets tell what is later, between partitions the records' times do. Signs of life are noted
    only of people who are known to have been erased, so that memory grows with their number and not with everybody's:
    where a sign of life may be noted before the erasure, in another partition, all records are noted twice.
    """

    def __init__(self) -> None:
        self._erased: dict[str, dict[int, _Moment]] = {}
        self._alive: dict[str, dict[int, _Moment]] = {}

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
                _note(self._erased, person, record)
            elif call.source.kind not in _SAYS_NOTHING and person in self._erased:
                _note(self._alive, person, record)

    def erased_after(self, record: Record, call: Prepared) -> bool:
        """Tell whether a later record erased the person of a call."""
        return _is_later(self._of(self._erased, call), record)

    def returned_after(self, record: Record, call: Prepared) -> bool:
        """Tell whether the person of an erasing call was seen again in a later record."""
        return _is_later(self._of(self._alive, call), record)

    def _of(self, moments: dict[str, dict[int, _Moment]], call: Prepared) -> Iterable[tuple[int, _Moment]]:
        return () if call.identity is None else moments.get(call.identity.lane_key, {}).items()


def _note(moments: dict[str, dict[int, _Moment]], person: str, record: Record) -> None:
    places = moments.setdefault(person, {})
    offset, time = places.get(record.partition, (0, 0))
    places[record.partition] = max(offset, record.offset), max(time, record.timestamp_ms or 0)


def _is_later(moments: Iterable[tuple[int, _Moment]], record: Record) -> bool:
    return any(
        offset > record.offset if partition == record.partition else time > (record.timestamp_ms or 0)
        for partition, (offset, time) in moments
    )
