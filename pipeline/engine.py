"""The engine: one loop that owns all state, from the poll to the commit. It knows ports only.

    consume -> translate -> lane -> batch -> send -> settle -> commit

A position is committed when everything below it is settled: delivered, dropped by a rule, or safely in the dead
letters (G1). Nothing here runs in parallel; the listener's methods are called inside `Source.poll`.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from pipeline.calls import CallKind
from pipeline.deadletters.entry import DeadLetter
from pipeline.decode import SchemaPending
from pipeline.delivery.batch import Confirmed, Failed, Operation, Outcome
from pipeline.delivery.flight import Flight
from pipeline.delivery.lanes import Lanes
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import DeadLettersUnavailableError
from pipeline.kafka.assignment import AssignedPartition, Assignment
from pipeline.ports import Clock, DeadLetterStore, Sender, Source
from pipeline.records import Record, TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally
from pipeline.translation import Translation
from pipeline.waiting import Waiting

_log = structlog.get_logger(__name__)

IDLE_WAIT_S = 0.1
"""How long a poll may wait while nothing is on its way."""
BUSY_WAIT_S = 0.02
"""How long to wait for results before Kafka is asked again."""
ABANDON_WAIT_S = 5.0
"""How long abandoned batches may take to come back; it is a matter of milliseconds unless the sender is stuck."""
STATUS_INTERVAL_S = 1.0
DEAD_LETTERS_RETRY_S = 1.0

COMMIT_SOON_KINDS = frozenset({CallKind.DESTROY, CallKind.SUPPRESS, CallKind.MERGE})
"""Calls whose repetition after a crash would hurt most: they are committed without waiting for the interval."""


STARTING = EngineStatus(ready=False, reasons=("joining the consumer group",))


class Translator(Protocol):
    """Record in, operations out."""

    def translate(self, record: Record) -> Translation | SchemaPending:
        """Return what becomes of a record, or that its schema is being looked up; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What bounds the engine.

    Reading pauses when `max_open_bytes` bytes or `max_open_records` records are open and goes on at half of that.
    """

    poll_max_records: int = 1_000
    max_open_bytes: int = 64 * 1024 * 1024
    max_open_records: int = 50_000
    commit_interval_s: float = 5.0
    drain_deadline_s: float = 10.0


class Engine:
    """Moves records from a source to a sender and their positions back."""

    def __init__(
        self,
        *,
        source: Source,
        sender: Sender,
        dead_letters: DeadLetterStore,
        translator: Translator,
        lanes: Lanes,
        clock: Clock,
        tally: Tally,
        options: EngineOptions,
    ) -> None:
        self._source = source
        self._sender = sender
        self._dead_letters = dead_letters
        self._translator = translator
        self._clock = clock
        self._tally = tally
        self._options = options
        self._assignment = Assignment()
        self._flight = Flight(lanes, sender)
        self._waiting = Waiting()
        self._sequence = 0
        self._paused = False
        self._closing = False
        self._dead_letters_trouble: str | None = None
        self._flush_at = 0.0
        self._commit_at = clock.monotonic() + options.commit_interval_s
        self._commit_refused: str | None = None
        self._status_at = 0.0
        self.status = STARTING

    # The loop

    def run(self, stop: Callable[[], bool]) -> None:
        """Run until `stop` says so, then finish what is in flight within the drain deadline, commit and leave.

        Raises:
            ConfigurationError, RemoteRefusedError: the source cannot go on. Nothing open is committed.
        """
        try:
            self._source.start(self)
            while not stop():
                self.step()
            left_open = self._finish()
        finally:
            self._close()
        _log.info(
            "stopped",
            records_left_open=left_open,
            then="they are read again" if left_open else "nothing is left",
        )

    def step(self) -> None:
        """Take in what Kafka has, send what is due, settle what came back, commit what is due."""
        records = self._source.poll(self._options.poll_max_records, self._poll_wait_s())
        if self._waiting:
            self._take_in_waiting()
        for record in records:
            self._take_in(record)
        self._flight.launch(self._clock.monotonic())
        self._settle(self._flight.land(0.0 if records else self._land_wait_s()))
        self._flush_dead_letters()
        self._keep_bounds()
        self._commit_if_due()
        self._publish_status()

    def _poll_wait_s(self) -> float:
        if self._flight.in_flight:
            return 0.0
        due_in = self._flight.next_due_in(self._clock.monotonic())
        return IDLE_WAIT_S if due_in is None else min(due_in, IDLE_WAIT_S)

    def _land_wait_s(self) -> float:
        if not self._flight.in_flight:
            return 0.0
        due_in = self._flight.next_due_in(self._clock.monotonic())
        if due_in is None or self._flight.in_flight >= self._sender.capacity:
            return BUSY_WAIT_S
        return min(due_in, BUSY_WAIT_S)

    # In

    def _take_in(self, record: Record) -> None:
        name = record.topic_partition
        partition = self._assignment.get(name)
        if partition is None:
            return  # taken away in the very poll that returned it
        self._tally.records[name] += 1
        if self._waiting and name in self._waiting:
            self._waiting.add(record)
            return
        translation = self._translator.translate(record)
        if isinstance(translation, SchemaPending):
            self._waiting.add(record, translation)
            self._source.pause([name])
            return
        self._open(record, partition, translation)

    def _take_in_waiting(self) -> None:
        for record, translation in self._waiting.ready(self._translator.translate):
            partition = self._assignment.get(record.topic_partition)
            if partition is not None:
                self._open(record, partition, translation)
        released = self._waiting.release()
        if released and not self._paused:
            self._source.resume(released)

    def _open(self, record: Record, partition: AssignedPartition, translation: Translation) -> None:
        self._tally.clamped_timestamps += translation.clamped
        calls = len(translation.calls) + len(translation.failures)
        if calls == 0:
            # Never opened, so the position alone passes it.
            self._tally.skipped["dropped" if translation.matched else "unmatched"] += 1
            self._tally.settled[partition.topic_partition] += 1
            return
        if not partition.tracker.open(record.offset):
            return  # on its way already
        weight = record.size + sum(len(call.payload) for call in translation.calls)
        opened = OpenRecord(record, partition, calls=calls, weight=weight)
        self._queue(opened, translation)

    def _queue(self, opened: OpenRecord, translation: Translation) -> None:
        now = self._clock.monotonic()
        for call in translation.calls:
            self._sequence += 1
            self._tally.calls[call.source.kind] += 1
            self._flight.add(
                Operation(
                    call.source, call.identity, call.payload, opened, call.lanes, self._sequence, now, call.single
                )
            )
        for failure in translation.failures:
            entry = DeadLetter(
                opened.record,
                failure.reason,
                failure.text,
                first_seen_ms=self._now_ms(),
                source=failure.source,
                field=failure.field,
            )
            self._write_dead_letter(entry, opened)

    # Out

    def _settle(self, landed: Iterable[tuple[Operation, Outcome]]) -> None:
        for operation, outcome in landed:
            match outcome:
                case Confirmed():
                    self._tally.delivered[operation.kind] += 1
                    self._settle_call(operation.record)
                    if operation.kind in COMMIT_SOON_KINDS:
                        operation.record.partition.commit_soon(operation.record.record.offset + 1)
                case Failed():
                    self._write_dead_letter(self._entry_of(operation, outcome), operation.record)

    def _settle_call(self, opened: OpenRecord) -> None:
        if opened.settle_call() and opened.partition.alive:
            self._tally.settled[opened.partition.topic_partition] += 1

    def _entry_of(self, operation: Operation, failed: Failed) -> DeadLetter:
        return DeadLetter(
            operation.record.record,
            failed.reason,
            failed.text,
            first_seen_ms=self._now_ms(),
            source=operation.source,
            field=failed.field,
            status=failed.status,
            answer=failed.answer,
            attempts=failed.attempts,
        )

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def _write_dead_letter(self, entry: DeadLetter, opened: OpenRecord) -> None:
        _log.debug("dead_letter", position=str(entry.record.position), reason=entry.reason, text=entry.text)
        self._tally.dead_letters[entry.reason] += 1
        self._dead_letters.write(entry, opened)

    def _flush_dead_letters(self) -> None:
        """Settle what is safe in the dead letters; when the store fails, hold: nothing is dropped."""
        if self._dead_letters_trouble is not None and self._clock.monotonic() < self._flush_at:
            return
        try:
            for opened in self._dead_letters.flush():
                self._settle_call(opened)
        except DeadLettersUnavailableError as error:
            if self._dead_letters_trouble is None:
                _log.error(
                    "dead_letters_unavailable", cause=str(error), then="reading pauses until they can be kept"
                )
            self._dead_letters_trouble = str(error)
            self._flush_at = self._clock.monotonic() + DEAD_LETTERS_RETRY_S
        else:
            if self._dead_letters_trouble is not None:
                _log.info("dead_letters_available")
            self._dead_letters_trouble = None

    # Bounds

    def _keep_bounds(self) -> None:
        """Pause reading when too much is open; polling itself never stops, group membership hangs on it."""
        open_share = max(
            (self._assignment.open_bytes + self._waiting.size) / self._options.max_open_bytes,
            self._assignment.open_records / self._options.max_open_records,
        )
        if self._dead_letters_trouble is not None:
            open_share = 1.0
        if open_share >= 1.0 and not self._paused:
            self._paused = True
            self._source.pause(self._assignment.topic_partitions)
        elif open_share <= 0.5 and self._paused:
            self._paused = False
            self._source.resume(
                [name for name in self._assignment.topic_partitions if name not in self._waiting]
            )

    # Commits

    def _commit_if_due(self) -> None:
        # After a refusal even the urgent ones wait for the interval, else a rebalance would be answered with a storm.
        soon = self._commit_refused is None and any(partition.is_commit_due for partition in self._assignment)
        if soon or self._clock.monotonic() >= self._commit_at:
            self._commit(self._assignment.topic_partitions)

    def _commit(self, partitions: Iterable[TopicPartition]) -> None:
        self._commit_at = self._clock.monotonic() + self._options.commit_interval_s
        offsets = self._assignment.uncommitted(
            {
                name: self._waiting.position(name, self._source.position(name))
                for name in partitions
                if name in self._assignment
            }
        )
        if not offsets:
            return
        result = self._source.commit(offsets)
        self._assignment.confirm(result.committed)
        self._tally.commits["refused" if result.refused else "committed"] += 1
        if result.refused and self._commit_refused is None:
            _log.warning(
                "commit_refused", cause=result.refused, then="tried again; records may be sent again"
            )
        self._commit_refused = result.refused

    # The listener: called inside the source's poll and close

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Start afresh with each partition."""
        self._assignment.add(partitions)
        self._waiting.drop(partitions)
        if self._paused:
            self._source.pause(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Finish what is in flight within the deadline, commit, let go (G7)."""
        if not self._closing:
            self._drain(partitions)
            self._commit(partitions)
        self._let_go(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Give up what is in flight and commit nothing (G7)."""
        self._abandon(partitions)
        self._let_go(partitions)

    def _let_go(self, partitions: Sequence[TopicPartition]) -> None:
        self._assignment.drop(partitions)
        self._waiting.drop(partitions)
        self._flight.discard_gone()

    # Stopping

    def _drain(self, partitions: Collection[TopicPartition]) -> None:
        """Bring the open calls of these partitions to their end; give up what is left at the deadline."""
        deadline = self._clock.monotonic() + self._options.drain_deadline_s
        while self._assignment.are_open(partitions):
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0 or self._sender.held:
                self._abandon(partitions)
                return
            self._flight.launch(self._clock.monotonic(), flush=True)
            self._settle(self._flight.land(min(left_s, BUSY_WAIT_S)))
            self._flush_dead_letters()

    def _abandon(self, partitions: Collection[TopicPartition]) -> None:
        numbers = self._flight.abandon(partitions)
        deadline = self._clock.monotonic() + ABANDON_WAIT_S
        while not self._flight.are_landed(numbers) and self._clock.monotonic() < deadline:
            self._settle(self._flight.land(BUSY_WAIT_S))
        self._flush_dead_letters()

    def _finish(self) -> int:
        """Drain and commit everything; return how many records stay open."""
        everything = self._assignment.topic_partitions
        self._drain(everything)
        self._commit(everything)
        return self._assignment.open_records + len(self._waiting)

    def _close(self) -> None:
        self._closing = True
        self.status = EngineStatus(ready=False, reasons=("stopped",))
        try:
            self._source.close()
        finally:
            self._sender.close()
            self._dead_letters.close()

    # For those who look on

    def _publish_status(self) -> None:
        now = self._clock.monotonic()
        if now < self._status_at:
            return
        self._status_at = now + STATUS_INTERVAL_S
        ends = self._source.end_offsets()
        reasons = tuple(
            reason
            for reason in (
                self._source.trouble,
                self._sender.held,
                self._dead_letters_trouble,
                self._waiting.trouble,
                None if len(self._assignment) else "no partition is assigned",
            )
            if reason is not None
        )
        self.status = EngineStatus(
            ready=not reasons,
            reasons=reasons,
            partitions=tuple(
                PartitionStatus(
                    partition.topic_partition,
                    position=self._source.position(partition.topic_partition),
                    committed=partition.committed,
                    end=ends.get(partition.topic_partition),
                )
                for partition in self._assignment
            ),
            open_records=self._assignment.open_records,
            open_bytes=self._assignment.open_bytes,
            waiting_calls=self._flight.waiting,
            batches_in_flight=self._flight.in_flight,
            held=self._sender.held,
            paused=self._paused,
        )
