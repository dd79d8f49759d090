"""What a replay leaves out of what the rules make: a translator around the translator."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import orjson

from pipeline.calls import COUNTED_KINDS, ERASING_KINDS, IRREVERSIBLE_KINDS, CallFailure, CallKind
from pipeline.deadletters.entry import DeadLetter
from pipeline.decode import SchemaPending
from pipeline.erasures import Erasures
from pipeline.records import Record
from pipeline.replay.choices import Choices
from pipeline.translation import Prepared, Translation, counted_anew

Translate = Callable[[Record], Translation | SchemaPending]
"""Record in, operations out, or a schema to wait for."""


class Folder(Protocol):
    """Puts identifies of one person together."""

    def folded(self, record: Record, call: Prepared) -> Prepared | None:
        """Return what is sent in place of an identify, None where another one carries it."""
        ...

    def carried(self, failed: DeadLetter) -> Sequence[DeadLetter]:
        """Return a dead letter like that of a failed identify for each of those that it carried."""
        ...


class LeftOut(StrEnum):
    """Why a call that the rules make is not sent."""

    OTHER_RULE = "other_rule"  # not among --rules
    OTHER_PERSON = "other_person"  # not among --people
    TOO_RECENT = "too_recent"  # --older-than, or --drop-recent
    IRREVERSIBLE = "irreversible"  # without --allow-irreversible
    ERASED_LATER = "erased_later"  # a later record destroys or suppresses the person
    CAME_BACK = "came_back"  # it would erase somebody who is there again
    FOLDED = "folded"  # another identify of the person carries it


class Sieve:
    """Translates as `translate` does and leaves out what the choices do not want.

    `now` is the moment of the start, in Unix seconds: what was inside the campaign window then counts as inside.
    `left_out` counts calls by reason, `irreversible` those of each kind that were left out as such.
    """

    def __init__(
        self,
        translate: Translate,
        choices: Choices,
        now: float,
        erasures: Erasures | None = None,
        folder: Folder | None = None,
    ) -> None:
        self._translate = translate
        self._choices = choices
        self._now = now
        self._erasures = erasures
        self._folder = folder
        self.left_out: Counter[LeftOut] = Counter()
        self.irreversible: Counter[CallKind] = Counter()

    def translate(self, record: Record) -> Translation | SchemaPending:
        """Return what of a record is to be sent; what is left out counts as dropped."""
        made = self._translate(record)
        if isinstance(made, SchemaPending) or not (made.calls or made.failures):
            return made
        calls = []
        for call in made.calls:
            reason = self.reason(record, call)
            folded = call
            if reason is None and self._folder is not None and call.source.kind is CallKind.IDENTIFY:
                carrier = self._folder.folded(record, call)
                reason, folded = (LeftOut.FOLDED, call) if carrier is None else (None, carrier)
            if reason is None:
                calls.append(self._as_of_now(folded))
            else:
                self._leave_out(reason, call)
        failures = tuple(failure for failure in made.failures if self._wants_failure(failure))
        sent = Translation(tuple(calls), failures, matched=True, clamped=made.clamped)
        return sent if self.as_new is None else counted_anew(sent, self.as_new)

    @property
    def as_new(self) -> str | None:
        """The salt by which events get other ids, None where they keep theirs."""
        return self._choices.as_new

    def carried(self, failed: DeadLetter) -> Sequence[DeadLetter]:
        """Return the dead letters of what a failed call carried; these calls count as left out no more."""
        found = () if self._folder is None else self._folder.carried(failed)
        self.left_out[LeftOut.FOLDED] -= len(found)  # also of records that are still to be read
        return found

    def inside_window(self, record: Record, call: Prepared) -> bool:
        """Tell whether a call may trigger a campaign: an event that is not older than the window."""
        if call.source.kind not in COUNTED_KINDS:
            return False
        return self._now - happened_at(record, call, self._now) <= self._choices.campaign_window_s

    def reason(self, record: Record, call: Prepared) -> LeftOut | None:
        """Return why a call is left out, None where it is not; folding is looked at afterwards."""
        choices, kind = self._choices, call.source.kind
        if choices.rules and call.source.rule not in choices.rules:
            return LeftOut.OTHER_RULE
        if choices.people and choices.people.isdisjoint(people_in(call)):
            return LeftOut.OTHER_PERSON
        if kind in IRREVERSIBLE_KINDS and not choices.allow_irreversible:
            return LeftOut.IRREVERSIBLE
        if self._erasures is not None and not choices.include_erased:
            if kind in ERASING_KINDS:
                if self._erasures.returned_after(record, call):
                    return LeftOut.CAME_BACK
            elif self._erasures.erased_after(record, call):
                return LeftOut.ERASED_LATER
        return LeftOut.TOO_RECENT if self._is_too_recent(record, call) else None

    def _is_too_recent(self, record: Record, call: Prepared) -> bool:
        if self._choices.older_than_s is not None:
            return self._now - happened_at(record, call, self._now) <= self._choices.older_than_s
        return self._choices.drop_recent and self.inside_window(record, call)

    def _as_of_now(self, call: Prepared) -> Prepared:
        """Return an identify with the time of the replay where that is wanted, every other call as it is."""
        if not self._choices.identify_as_of_now or call.source.kind is not CallKind.IDENTIFY:
            return call
        operation = orjson.loads(call.payload)
        operation["timestamp"] = int(self._now)
        return call._replace(payload=orjson.dumps(operation))

    def _leave_out(self, reason: LeftOut, call: Prepared) -> None:
        self.left_out[reason] += 1
        if reason is LeftOut.IRREVERSIBLE:
            self.irreversible[call.source.kind] += 1

    def _wants_failure(self, failure: CallFailure) -> bool:
        """A failure has no person; one of a record as a whole has no rule either."""
        if self._choices.people:
            return False
        return not self._choices.rules or (
            failure.source is not None and failure.source.rule in self._choices.rules
        )


def happened_at(record: Record, call: Prepared, default: float) -> float:
    """Return when what a call tells of happened, in Unix seconds: its own time, else the record's."""
    time = None
    if call.source.kind in COUNTED_KINDS or call.source.kind is CallKind.IDENTIFY:
        time = orjson.loads(call.payload).get("timestamp")
    if time is not None:
        return float(time)
    return default if record.timestamp_ms is None else record.timestamp_ms / 1000


def people_in(call: Prepared) -> set[str]:
    """Return whom a call is about; a merge is about two."""
    return {who.lane_key for who in (call.identity, call.secondary) if who is not None}
