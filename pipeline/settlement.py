"""Outcomes in: delivered calls settle their records at once, failed ones when they are safe in the dead letters."""

from pipeline.calls import CallKind
from pipeline.deadletters.keeper import DeadLetterKeeper
from pipeline.delivery.batch import Confirmed, Failed, Operation
from pipeline.delivery.flight import Flight
from pipeline.delivery.open_record import OpenRecord
from pipeline.tally import Tally

COMMIT_SOON_KINDS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS, CallKind.MERGE})
"""Calls whose repetition after a crash would hurt most: they are committed without waiting for the interval."""


class Settlement:
    """Takes back what was sent and settles the positions that nothing is open for any longer."""

    def __init__(self, *, flight: Flight, dead_letters: DeadLetterKeeper, tally: Tally) -> None:
        self._flight = flight
        self._dead_letters = dead_letters
        self._tally = tally

    def land(self, wait_s: float) -> None:
        """Settle the calls that came to an end, waiting at most `wait_s` seconds for the first."""
        delivered, accepted = self._tally.delivered, 0
        for operation, outcome in self._flight.land(wait_s):
            opened = operation.record
            opened.partition.calls_under_way -= 1
            if type(outcome) is Confirmed:
                kind = operation.source.kind
                delivered[kind] += 1
                opened.confirmed = True
                accepted += self._settle_call(opened)
                if kind in COMMIT_SOON_KINDS:
                    opened.partition.commit_soon(opened.record.offset + 1)
            elif type(outcome) is Failed:
                self._dead_letters.note_accepted(accepted)
                accepted = 0
                self._fail(operation, outcome)
        self._dead_letters.note_accepted(accepted)

    def release(self) -> None:
        """Settle what has become safe in the dead letters.

        Raises:
            LimitReachedError: too many failed, and the settings say that this is the end.
        """
        for opened in self._dead_letters.release():
            self._dead_letters.note_accepted(self._settle_call(opened))

    def _settle_call(self, opened: OpenRecord) -> bool:
        """Settle one call of a record; return whether that settled a record of which all that was sent was accepted.

        A record of which nothing was sent says nothing about Customer.io: it must not water down the refused share.
        """
        if not opened.settle_call():
            return False
        if opened.partition.alive:
            self._tally.settled[opened.partition.topic_partition] += 1
        return opened.confirmed and not opened.refused

    def _fail(self, operation: Operation, outcome: Failed) -> None:
        self._dead_letters.fail(
            operation.record,
            outcome.reason,
            outcome.text,
            source=operation.source,
            field=outcome.field,
            status=outcome.status,
            answer=outcome.answer,
            attempts=outcome.attempts,
        )
