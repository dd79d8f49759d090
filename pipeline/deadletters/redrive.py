"""Dead letters sent once more: each person's calls in order, and nothing resolved before it is confirmed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline.calls import CallFailure, CallSource
from pipeline.deadletters.entry import DeadLetter, Resolution, Settlement
from pipeline.deadletters.ledger import Ledger
from pipeline.deadletters.plan import Course, PlannedLetter, PlannedRecord
from pipeline.deadletters.unresolved import Unresolved
from pipeline.delivery.batch import Failed, Operation, Outcome
from pipeline.delivery.flight import Flight
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import RemoteRefusedError
from pipeline.kafka.assignment import AssignedPartition
from pipeline.ports import Clock, Sender
from pipeline.records import Record, TopicPartition

MAX_OPEN_CALLS = 2_000
"""Calls that may be read and not be settled yet: enough for several full batches."""
MAX_RECORDS_TAKEN_IN = 500
"""Records taken in at once: nothing else bounds those that send no call, and a stop is asked for in between."""
WAIT_S = 0.05


@dataclass(slots=True)
class Progress:
    """How far a retry is, in dead letters. `calls` counts confirmed calls."""

    delivered: int = 0
    failed: int = 0
    not_made: int = 0
    irreversible: int = 0
    erased: int = 0
    calls: int = 0

    @property
    def done(self) -> int:
        """Dead letters that were dealt with, one way or the other."""
        return self.delivered + self.left

    @property
    def left(self) -> int:
        """Dead letters that were dealt with and are still there."""
        return self.failed + self.not_made + self.irreversible + self.erased


@dataclass(slots=True, eq=False)
class _Open:
    """A dead letter of which calls are on their way, and which of its calls have failed so far."""

    letter: Unresolved
    calls: int
    failed: set[CallSource | None]


class Redrive:
    """Sends planned records and notes what becomes of their dead letters.

    `lanes` of `flight` keep each identity's calls in order. What is confirmed is resolved in the ledger, what fails
    gets a new entry; what is given up before it is confirmed stays as it is, so that a retry can be repeated.
    `progress` is kept up to date.
    """

    def __init__(
        self,
        flight: Flight,
        sender: Sender,
        ledger: Ledger,
        clock: Clock,
        progress: Progress,
        *,
        drain_deadline_s: float,
        max_open_calls: int = MAX_OPEN_CALLS,
    ) -> None:
        self.progress = progress
        self._flight = flight
        self._sender = sender
        self._ledger = ledger
        self._clock = clock
        self._drain_deadline_s = drain_deadline_s
        self._max_open_calls = max_open_calls
        self._partitions: dict[TopicPartition, AssignedPartition] = {}
        self._waiting: dict[int, list[_Open]] = {}
        self._sequence = 0

    def run(
        self,
        records: Iterable[PlannedRecord],
        stop: Callable[[], bool],
        look: Callable[[Progress], None] = lambda _progress: None,
    ) -> None:
        """Send everything, or until `stop` says so: then what is in flight is waited for and the rest given up.

        `look` is shown the progress now and then.

        Raises:
            RemoteRefusedError: Customer.io refuses the connection; nothing more was sent.
            DeadLettersUnavailableError: what was delivered cannot be noted; a repeated retry sends it again.
        """
        left = iter(records)
        more = True
        while (more or self._waiting) and not stop():
            more = more and self._feed(left)
            self._turn(launch=True)
            look(self.progress)
            if self._sender.held is not None:
                self._give_up()
                raise RemoteRefusedError(f"the retry stopped: {self._sender.held}")
        self._drain()
        look(self.progress)

    def _turn(self, *, launch: bool) -> None:
        if launch:
            self._flight.launch(self._clock.monotonic(), flush=True)
        for operation, outcome in self._flight.land(WAIT_S if self._flight.in_flight else 0.0):
            self._settle(operation, outcome)
        self._ledger.flush()

    # In

    def _feed(self, records: Iterator[PlannedRecord]) -> bool:
        """Take some records in while there is room; tell whether there may be more."""
        for taken, record in enumerate(records, 1):
            self._take_in(record)
            if taken == MAX_RECORDS_TAKEN_IN or len(self._waiting) >= self._max_open_calls:
                return True
        return False

    def _take_in(self, planned: PlannedRecord) -> None:
        self._note_failures(planned)
        waiting: dict[int, list[_Open]] = defaultdict(list)
        for each in planned.letters:
            match each.course:
                case Course.NOT_MADE:
                    self.progress.not_made += 1
                case Course.IRREVERSIBLE:
                    self.progress.irreversible += 1
                case Course.ERASED:
                    self.progress.erased += 1
                case Course.FAILS_AGAIN:
                    self.progress.failed += 1
                case Course.SEND:
                    self._open(each, waiting)
        for index in planned.calls:
            self._send(planned, index, waiting[index])

    def _note_failures(self, planned: PlannedRecord) -> None:
        """Note what cannot be made before any letter that meant it is resolved: it is never without an entry."""
        failures = {
            failure.source: (each.letter, failure) for each in planned.letters for failure in each.failures
        }
        for letter, failure in failures.values():
            self._ledger.add(letter, self._entry(planned.record, failure, letter))

    def _open(self, planned: PlannedLetter, waiting: dict[int, list[_Open]]) -> None:
        failed = {failure.source for failure in planned.failures}
        opened = _Open(planned.letter, len(planned.calls), failed)
        for call in planned.calls:
            waiting[call].append(opened)
        if not planned.calls:
            self._close(opened)

    def _send(self, planned: PlannedRecord, index: int, waiting: list[_Open]) -> None:
        self._sequence += 1
        call, record = planned.translation.calls[index], planned.record
        name = record.topic_partition
        partition = self._partitions.setdefault(name, AssignedPartition(name))
        opened = OpenRecord(record, partition, calls=1, weight=len(call.payload))
        now = self._clock.monotonic()
        self._waiting[self._sequence] = waiting
        self._flight.add(
            Operation(
                call.source, call.identity, call.payload, opened, call.lanes, self._sequence, now, call.single
            )
        )

    # Out

    def _settle(self, operation: Operation, outcome: Outcome) -> None:
        waiting = self._waiting.pop(operation.sequence)
        if isinstance(outcome, Failed):
            letter = waiting[0].letter
            self._ledger.add(letter, self._refused(operation, outcome, letter))
        else:
            self.progress.calls += 1
        for opened in waiting:
            if isinstance(outcome, Failed):
                opened.failed.add(operation.source)
            opened.calls -= 1
            if opened.calls == 0:
                self._close(opened)

    def _close(self, opened: _Open) -> None:
        letter = opened.letter
        if opened.failed:
            self.progress.failed += 1
        else:
            self.progress.delivered += 1
        if letter.source in opened.failed:
            return  # the new entry is the letter's own
        settlement = Settlement.REPLACED if opened.failed else Settlement.DELIVERED
        self._ledger.resolve(letter, Resolution(letter.key, letter.last_seen_ms, self._now_ms(), settlement))

    def _entry(self, record: Record, failure: CallFailure, letter: Unresolved) -> DeadLetter:
        return DeadLetter(
            record,
            failure.reason,
            failure.text,
            self._now_ms(),
            failure.source,
            failure.field,
            replay=letter.replay,
            as_new=letter.key.as_new,
        )

    def _refused(self, operation: Operation, failed: Failed, letter: Unresolved) -> DeadLetter:
        return DeadLetter(
            operation.record.record,
            failed.reason,
            failed.text,
            self._now_ms(),
            operation.source,
            failed.field,
            failed.status,
            failed.answer,
            failed.attempts,
            letter.replay,
            letter.key.as_new,
        )

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    # The end

    def _drain(self) -> None:
        """Wait for what is in flight, at most until the deadline; give the rest up."""
        deadline = self._clock.monotonic() + self._drain_deadline_s
        while self._flight.in_flight and self._clock.monotonic() < deadline:
            self._turn(launch=False)
        self._give_up()

    def _give_up(self) -> None:
        numbers = self._flight.abandon(self._partitions.keys())
        deadline = self._clock.monotonic() + self._drain_deadline_s
        while not self._flight.are_landed(numbers) and self._clock.monotonic() < deadline:
            self._turn(launch=False)
