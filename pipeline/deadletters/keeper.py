"""What becomes of failed calls: written, made safe, on probation, settled; and what is wrong when that fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

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


class DeadLetterKeeper:
    """Writes failed calls to the store and gives their records back when they may be settled."""

    def __init__(self, store: DeadLetterStore, limits: FailureLimits, clock: Clock, tally: Tally) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._tally = tally
        # What fails here and what fails there are counted apart: an answer comes so much later than a mapping error
        # that one window of both would hold now too many of the one and now of the other.
        self._unmapped = Probation(limits.share, limits.window)
        self._refused = Probation(limits.share, limits.window)
        self._unmatched = Probation(limits.unmatched_share, limits.window)
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
            self._refused.note(True)
        self._store.write(entry, opened)

    def take_in(self, *, matched: bool, failed: bool) -> None:
        """Take note of what the mapping made of a record."""
        self._unmapped.note(failed)
        self._unmatched.note(not matched)

    def succeed(self) -> None:
        """Take note of a record whose calls were all accepted."""
        self._refused.note(False)

    def pass_over(self, opened: OpenRecord) -> None:
        """Take a record that no rule matched, where those are watched."""
        self._unmatched.add(opened, self._clock.monotonic())

    def release(self) -> Iterator[OpenRecord]:
        """Make what was taken safe; yield the records that may settle a call, one for each call.

        Raises:
            LimitReachedError: too many failed, and the settings say that this is the end.
        """
        now = self._clock.monotonic()
        if self._unavailable is None or now >= self._flush_at:
            self._flush(now)
        self._judge()
        if self._limit_reached is None:
            for probation in (self._unmapped, self._refused, self._unmatched):
                yield from probation.release(now)

    def start_afresh(self) -> None:
        """Forget what was seen, because the rules have changed: what waits is judged by what comes now."""
        for probation in (self._unmapped, self._refused, self._unmatched):
            probation.forget()
        self._limit_reached = None

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _flush(self, now: float) -> None:
        try:
            for opened in self._store.flush():
                (self._refused if opened.refused else self._unmapped).add(opened, now)
        except DeadLettersUnavailableError as error:
            if self._unavailable is None:
                _log.error(
                    "dead_letters_unavailable", cause=str(error), then="reading pauses until they can be kept"
                )
            self._unavailable = str(error)
            self._flush_at = now + RETRY_S
        else:
            if self._unavailable is not None:
                _log.info("dead_letters_available")
            self._unavailable = None

    def _judge(self) -> None:
        if self._limit_reached is not None:
            return
        for probation, what in (
            (self._unmapped, "could not be mapped"),
            (self._refused, "were refused by Customer.io"),
            (self._unmatched, "matched no rule"),
        ):
            if probation.is_exceeded:
                self._limit_reached = _limit_text(probation, what, self._limits.window)
                _log.error("limit_reached", cause=self._limit_reached, action=self._limits.action)
        if self._limit_reached is not None and self._limits.action == "stop":
            raise LimitReachedError(self._limit_reached)


def _limit_text(probation: Probation, what: str, window: int) -> str:
    return (
        f"{probation.share:.0%} of the last {window:,} records {what}: nothing of them is committed; "
        "mend the mapping or the source and start again"
    )
