"""What becomes of failed calls: on probation, written, made safe, settled; and what is wrong when that fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import structlog

from pipeline.calls import CallSource, Reason
from pipeline.deadletters.entry import DeadLetter
from pipeline.deadletters.probation import Probation
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import DeadLettersUnavailableError, LimitReachedError
from pipeline.ports import Clock, DeadLetterStore
from pipeline.tally import Tally

_log = structlog.get_logger(__name__)

RETRY_S = 1.0
RESTARTS = 20
"""What fails first in a process is written at once, for a person to see, the rest when it has passed probation. So few
are written at once that a supervisor that restarts a broken pipeline so often leaves at most a window of dead letters,
whichever partitions each process reads first."""


@dataclass(frozen=True, slots=True)
class FailureLimits:
    """How many failures are too many.

    `share` is the part of the last `window` records that may fail, `unmatched_share` the part that no rule may
    match; None for no limit. `action` is what is done at a limit: wait for a person, or end.
    """

    share: float | None = 0.5
    unmatched_share: float | None = None
    window: int = 1_000
    action: Literal["hold", "stop"] = "hold"


class _Failure(NamedTuple):
    """A record of which a call failed. `entry` is the dead letter, None when that is safe already."""

    opened: OpenRecord
    entry: DeadLetter | None


class DeadLetterKeeper:
    """Writes failed calls to the store and gives their records back when they may be settled."""

    def __init__(self, store: DeadLetterStore, limits: FailureLimits, clock: Clock, tally: Tally) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._tally = tally
        # What fails here and what fails there are counted apart: an answer comes so much later than a mapping error
        # that one window of both would hold now too many of the one and now of the other.
        self._unmapped: Probation[_Failure] = Probation(limits.share, limits.window)
        self._refused: Probation[_Failure] = Probation(limits.share, limits.window)
        self._unmatched: Probation[OpenRecord] = Probation(limits.unmatched_share, limits.window)
        self._early_left = limits.window // RESTARTS
        self._early: list[OpenRecord] = []  # written at once and not safe yet
        self._unavailable: str | None = None
        self._flush_at = 0.0
        self._limit_reached: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why reading and delivery must hold, in a safe sentence."""
        return self._unavailable or self._limit_reached

    @property
    def watches_unmatched(self) -> bool:
        """Whether records that no rule matches are counted here, and wait for the verdict about them."""
        return self._limits.unmatched_share is not None

    def fail(
        self,
        opened: OpenRecord,
        reason: Reason,
        text: str,
        *,
        source: CallSource | None = None,
        field: str | None = None,
        status: int | None = None,
        answer: str | None = None,
        attempts: int = 0,
    ) -> None:
        """Take a failed call, or a failed record when there is no `source`; with `attempts`, one that was sent."""
        entry = DeadLetter(
            opened.record,
            reason,
            text,
            first_seen_ms=int(self._clock.now() * 1000),
            source=source,
            field=field,
            status=status,
            answer=answer,
            attempts=attempts,
        )
        _log.debug("dead_letter", position=str(opened.record.position), reason=reason, text=text)
        self._tally.dead_letters[reason] += 1
        if attempts and not opened.refused:
            opened.refused = True
            self._refused.note_failed()
        if self._early_left > 0:
            self._early_left -= 1
            self._early.append(opened)
            self._store.write(entry, opened)
        else:
            self._put_on_probation(opened, entry)

    def note_mapped(self, records: int) -> None:
        """Take note of so many records of which nothing failed, and which rules matched where that is watched."""
        self._unmapped.note_well(records)
        self._unmatched.note_well(records)

    def note_unmapped(self) -> None:
        """Take note of a record of which the mapping made a failure."""
        self._unmapped.note_failed()
        self._unmatched.note_well(1)

    def note_accepted(self, records: int) -> None:
        """Take note of so many records that were sent and of which every call that was sent was accepted."""
        self._refused.note_well(records)

    def pass_over(self, opened: OpenRecord) -> None:
        """Take a record that no rule matched, where those are watched."""
        self._unmapped.note_well(1)
        self._unmatched.note_failed()
        self._unmatched.add(opened, self._clock.monotonic())

    def release(self) -> Iterator[OpenRecord]:
        """Make safe what may be written; yield the records that may settle a call, one for each call.

        Raises:
            LimitReachedError: too many failed, and the settings say that this is the end.
        """
        now = self._clock.monotonic()
        yield from self._flush(now)
        self._judge()
        if self._limit_reached is not None:
            return
        for probation in (self._unmapped, self._refused):
            for opened, entry in probation.release(now):
                if entry is None:
                    yield opened
                elif opened.partition.alive:  # else whoever reads the record again makes the entry again
                    self._store.write(entry, opened)
        yield from self._flush(now)
        yield from self._unmatched.release(now)

    def start_afresh(self) -> None:
        """Forget what was seen, because the rules have changed: what waits is judged by what comes now."""
        for probation in (self._unmapped, self._refused, self._unmatched):
            probation.forget()
        self._early_left = self._limits.window // RESTARTS
        self._limit_reached = None

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _put_on_probation(self, opened: OpenRecord, entry: DeadLetter | None) -> None:
        probation = self._refused if opened.refused else self._unmapped
        probation.add(_Failure(opened, entry), self._clock.monotonic())

    def _flush(self, now: float) -> Iterator[OpenRecord]:
        """Make safe what was written; yield what has passed probation, and put on it what was written before."""
        if self._unavailable is not None and now < self._flush_at:
            return
        try:
            safe = self._store.flush()
        except DeadLettersUnavailableError as error:
            self._note_unavailable(str(error), now)
            return
        if self._unavailable is not None:
            _log.info("dead_letters_available")
        self._unavailable = None
        for opened in safe:
            if opened in self._early:
                self._early.remove(opened)
                self._put_on_probation(opened, None)
            else:
                yield opened

    def _note_unavailable(self, cause: str, now: float) -> None:
        if self._unavailable is None:
            _log.error("dead_letters_unavailable", cause=cause, then="reading pauses until they can be kept")
        self._unavailable = cause
        self._flush_at = now + RETRY_S

    def _judge(self) -> None:
        if self._limit_reached is not None:
            return
        watched: tuple[tuple[Probation[Any], str], ...] = (
            (self._unmapped, "could not be mapped"),
            (self._refused, "were refused by Customer.io"),
            (self._unmatched, "matched no rule"),
        )
        for probation, what in watched:
            if probation.is_exceeded:
                self._limit_reached = _limit_text(probation.share, what, self._limits.window)
                _log.error("limit_reached", cause=self._limit_reached, action=self._limits.action)
        if self._limit_reached is not None and self._limits.action == "stop":
            raise LimitReachedError(self._limit_reached)


def _limit_text(share: float, what: str, window: int) -> str:
    return (
        f"{share:.0%} of the last {window:,} records {what}: nothing of them is committed; "
        "mend the mapping or the source and start again"
    )
