"""What a retry will do about the dead letters of one record, before anything is sent."""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from pipeline.calls import IRREVERSIBLE_KINDS, CallFailure
from pipeline.deadletters.archive import Archive
from pipeline.deadletters.matching import match
from pipeline.deadletters.unresolved import Unresolved
from pipeline.records import Record
from pipeline.translation import Prepared, Translation, counted_anew

Translate = Callable[[Record], Translation]
"""Record in, calls out, by the current mapping; raises PipelineError where the record's schema cannot be had."""

IsErased = Callable[[Record, Prepared], bool]
"""Tells whether the person of a record's call was deleted or suppressed later."""


class Course(StrEnum):
    """What is to be done about a dead letter."""

    SEND = "send"
    FAILS_AGAIN = "fails_again"  # the current mapping still cannot make the call
    NOT_MADE = "not_made"  # the current mapping makes no such call
    IRREVERSIBLE = "irreversible"  # it would be sent if that were allowed
    ERASED = "erased"  # the person was deleted or suppressed later, and would be there again


@dataclass(frozen=True, slots=True)
class PlannedLetter:
    """One dead letter and what is to be done about it.

    `calls` are indexes into the record's translation. `failures` are why calls of it cannot be made: the letter's own
    reason where it fails again, else those of calls that get letters of their own.
    """

    letter: Unresolved
    course: Course
    calls: tuple[int, ...] = ()
    failures: tuple[CallFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRecord:
    """All chosen dead letters of one record."""

    record: Record
    translation: Translation
    letters: tuple[PlannedLetter, ...]

    @property
    def calls(self) -> list[int]:
        """The calls to send, each once and in the record's order, whichever letters wait for it."""
        return sorted(
            {call for planned in self.letters if planned.course is Course.SEND for call in planned.calls}
        )


def plan(
    letters: Iterable[Unresolved],
    archive: Archive,
    translate: Translate,
    *,
    allow_irreversible: bool,
    is_erased: IsErased = lambda _record, _call: False,
) -> Iterator[PlannedRecord]:
    """Yield what to do, record by record and in the order of Kafka, reading each original when its turn comes.

    `letters` are in the inventory's order.

    Raises:
        PipelineError: a file changed in the meantime, or a record's schema cannot be had.
    """
    for record, translation, group in translated(letters, archive, translate):
        calls = translation.calls
        erased = frozenset(index for index, call in enumerate(calls) if is_erased(record, call))
        yield PlannedRecord(
            record,
            translation,
            tuple(
                _plan(letter, translation, allow_irreversible=allow_irreversible, erased=erased)
                for letter in group
            ),
        )


def translated(
    letters: Iterable[Unresolved], archive: Archive, translate: Translate
) -> Iterator[tuple[Record, Translation, tuple[Unresolved, ...]]]:
    """Yield each record of dead letters, what the current mapping makes of it, and its letters.

    Those of a replay that gave events other ids stand apart: a retry gives the same ids as the replay.

    Raises:
        PipelineError: a file changed in the meantime, or a record's schema cannot be had.
    """
    for whole, found in groupby(letters, key=lambda letter: letter.key.whole):
        group = tuple(found)
        record = archive.load(group[0].place, group[0].key).record
        translation = translate(record)
        yield record, translation if whole.as_new is None else counted_anew(translation, whole.as_new), group


def _plan(
    letter: Unresolved, translation: Translation, *, allow_irreversible: bool, erased: Set[int]
) -> PlannedLetter:
    found = match(letter, translation)
    if found.failure is not None:
        return PlannedLetter(letter, Course.FAILS_AGAIN, failures=(found.failure,))
    if not found.calls and not found.others:
        return PlannedLetter(letter, Course.NOT_MADE)
    kinds = {translation.calls[call].source.kind for call in found.calls}
    if kinds & IRREVERSIBLE_KINDS and not allow_irreversible:
        return PlannedLetter(letter, Course.IRREVERSIBLE, found.calls)
    if not erased.isdisjoint(found.calls):
        return PlannedLetter(letter, Course.ERASED, found.calls)
    return PlannedLetter(letter, Course.SEND, found.calls, found.others)
