"""The engine: one loop that owns all state, from the poll to the commit. It knows ports only.

    consume -> translate -> lane -> batch -> send -> settle -> commit

A position is committed when everything below it is settled: delivered, dropped by a rule, or safely in the dead
letters (G1). Nothing here runs in parallel; the listener's methods are called inside `Source.poll`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from pipeline.backpressure import Backpressure, OpenLimits
from pipeline.committer import Committer
from pipeline.deadletters.keeper import DeadLetterKeeper
from pipeline.delivery.flight import Flight
from pipeline.delivery.lanes import Lanes
from pipeline.delivery.lease import Lease
from pipeline.errors import LimitReachedError
from pipeline.intake import Intake
from pipeline.kafka.assignment import Assignment
from pipeline.kafka.watchdog import Watchdog
from pipeline.ports import Clock, Sender, Source, Translator
from pipeline.records import Record, TopicPartition
from pipeline.settlement import Settlement
from pipeline.status import EngineStatus
from pipeline.status_taking import take_status
from pipeline.tally import Tally
from pipeline.waiting import Waiting

_log = structlog.get_logger(__name__)

IDLE_WAIT_S = 0.1
"""How long a poll may wait while nothing is on its way."""
BUSY_WAIT_S = 0.02
"""How long to wait for results before Kafka is asked again."""
ABANDON_WAIT_S = 5.0
"""How long abandoned batches may take to come back; it is a matter of milliseconds unless the sender is stuck."""
STATUS_INTERVAL_S = 1.0
POLL_BYTES = 8 * 1024 * 1024
"""About how much one poll may bring: the number of records is chosen by what they weighed so far."""

STARTING = EngineStatus(ready=False, reasons=("joining the consumer group",))
NOT_POLLED = "Kafka has not been polled for too long; nothing is sent until it is"
"""The process was frozen, or the client waits for an answer: to a commit, while the group's coordinator is away."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What bounds the engine; times in seconds."""

    poll_max_records: int = 1_000
    open_limits: OpenLimits = field(default_factory=OpenLimits)
    commit_interval_s: float = 5.0
    drain_deadline_s: float = 10.0
    stalled_after_s: float = 300.0


class Engine:
    """Moves records from a source to a sender and their positions back."""

    def __init__(
        self,
        *,
        source: Source,
        sender: Sender,
        dead_letters: DeadLetterKeeper,
        translator: Translator,
        lanes: Lanes,
        lease: Lease,
        clock: Clock,
        tally: Tally,
        options: EngineOptions,
        note_unmatched: Callable[[Record, int], None] = lambda _record, _count: None,
    ) -> None:
        self._source = source
        self._sender = sender
        self._dead_letters = dead_letters
        self._lease = lease
        self._clock = clock
        self._tally = tally
        self._options = options
        self._assignment = Assignment()
        self._flight = Flight(lanes, sender)
        self._waiting = Waiting()
        self._backpressure = Backpressure(options.open_limits)
        self._paused: set[TopicPartition] = set()
        self._intake = Intake(
            assignment=self._assignment,
            translator=translator,
            flight=self._flight,
            waiting=self._waiting,
            dead_letters=dead_letters,
            clock=clock,
            tally=tally,
            note_unmatched=note_unmatched,
        )
        self._settlement = Settlement(flight=self._flight, dead_letters=dead_letters, tally=tally)
        self._closing = False
        self._committer = Committer(
            source,
            self._assignment,
            self._waiting,
            clock=clock,
            tally=tally,
            interval_s=options.commit_interval_s,
        )
        self._watchdog = Watchdog(options.stalled_after_s, tally)
        self._status_at = 0.0
        self._status = STARTING

    @property
    def status(self) -> EngineStatus:
        """How the engine is doing. Other threads ask, also while this one waits for Kafka and can tell nobody."""
        if not self._status.ready or self._lease.holds(self._clock.monotonic()):
            return self._status
        return replace(self._status, ready=False, reasons=(NOT_POLLED,))

    # The loop

    def run(self, stop: Callable[[], bool]) -> None:
        """Run until `stop` says so, then finish what is in flight within the drain deadline, commit and leave.

        Raises:
            ConfigurationError, RemoteRefusedError: the source cannot go on. Nothing open is committed.
            LimitReachedError: too many records failed, and the settings say that this is the end.
        """
        try:
            self._source.start(self)
            try:
                while not stop():
                    self.step()
            except LimitReachedError:
                self._finish()
                raise
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
        records = self._source.poll(self._poll_size(), self._poll_wait_s())
        self._lease.renew(self._clock.monotonic())
        self._intake.take_in(records)
        self._launch()
        self._settlement.land(0.0 if records else self._land_wait_s())
        self._settlement.release()
        self._keep_bounds()
        self._committer.commit_if_due()
        self._publish_status()

    def _poll_size(self) -> int:
        return max(1, min(self._options.poll_max_records, int(POLL_BYTES / self._intake.record_bytes)))

    def _poll_wait_s(self) -> float:
        if self._flight.in_flight:
            return 0.0
        due_in = self._flight.next_due_in(self._clock.monotonic())
        return IDLE_WAIT_S if not due_in else min(due_in, IDLE_WAIT_S)

    def _land_wait_s(self) -> float:
        if not self._flight.in_flight:
            return 0.0
        now = self._clock.monotonic()
        due_in = self._flight.next_due_in(now)
        # What is due and may not go yet is no reason to hurry.
        if due_in is None or self._flight.in_flight >= self._sender.capacity or not self._may_launch(now):
            return BUSY_WAIT_S
        return min(due_in, BUSY_WAIT_S)

    # Out

    def _launch(self, *, flush: bool = False) -> None:
        now = self._clock.monotonic()
        if self._may_launch(now):
            self._flight.launch(now, flush=flush)

    def _may_launch(self, now: float) -> bool:
        return self._dead_letters.trouble is None and self._lease.holds(now)

    def _keep_bounds(self) -> None:
        """Pause what must not be read now; polling itself never stops, group membership hangs on it."""
        wanted = self._backpressure.paused(
            self._assignment,
            waiting=self._waiting.partitions,
            waiting_bytes=self._waiting.size,
            hold=self._dead_letters.trouble is not None,
        )
        if wanted != self._paused:
            self._source.pause(wanted - self._paused)
            self._source.resume(self._paused - wanted)
            self._paused = wanted

    # The listener: called inside the source's poll and close

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Start afresh with each partition."""
        self._tally.rebalances["assigned"] += 1
        self._let_go(partitions)
        self._assignment.add(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Finish what is in flight within the deadline, commit, let go (G7)."""
        self._tally.rebalances["revoked"] += 1
        with self._letting_go(partitions):
            if not self._closing:
                self._drain(partitions)
                self._committer.commit(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Give up what is in flight and commit nothing (G7)."""
        self._tally.rebalances["lost"] += 1
        with self._letting_go(partitions):
            self._abandon(partitions)

    @contextmanager
    def _letting_go(self, partitions: Sequence[TopicPartition]) -> Iterator[None]:
        """Let go at the end, also after an error: the source drops the partitions whatever is raised here."""
        try:
            yield
        except BaseException:
            self._recall(partitions)
            raise
        finally:
            self._let_go(partitions)

    def _let_go(self, partitions: Sequence[TopicPartition]) -> None:
        self._assignment.drop(partitions)
        self._waiting.drop(partitions)
        self._flight.discard_gone()
        self._paused.difference_update(partitions)

    # Stopping

    def _drain(self, partitions: Collection[TopicPartition]) -> None:
        """Bring the calls of these partitions to their end; give up what is left at the deadline."""
        deadline = self._clock.monotonic() + self._options.drain_deadline_s
        while self._assignment.have_calls_under_way(partitions):
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0 or self._sender.held or self._dead_letters.trouble:
                self._abandon(partitions)
                return
            # Draining stands in for polling: a process that is frozen meanwhile notices the gap here.
            self._lease.renew(self._clock.monotonic())
            self._launch(flush=True)
            self._settlement.land(min(left_s, BUSY_WAIT_S))
            self._settlement.release()
        self._settlement.release()

    def _abandon(self, partitions: Collection[TopicPartition]) -> None:
        self._recall(partitions)
        self._settlement.release()

    def _recall(self, partitions: Collection[TopicPartition]) -> None:
        """Have every batch back that carries a call of these partitions, confirmed or not."""
        numbers = self._flight.abandon(partitions)
        deadline = self._clock.monotonic() + ABANDON_WAIT_S
        while not self._flight.are_landed(numbers) and self._clock.monotonic() < deadline:
            self._settlement.land(BUSY_WAIT_S)

    def _finish(self) -> int:
        """Drain and commit everything; return how many records stay open."""
        everything = self._assignment.topic_partitions
        self._drain(everything)
        self._committer.commit(everything)
        return self._assignment.open_records + len(self._waiting)

    def _close(self) -> None:
        self._closing = True
        self._status = EngineStatus(ready=False, reasons=("stopped",))
        try:
            self._source.close()
        finally:
            self._sender.close()
            self._dead_letters.close()

    def _publish_status(self) -> None:
        now = self._clock.monotonic()
        if now < self._status_at:
            return
        self._status_at = now + STATUS_INTERVAL_S
        # Partitions that were added elsewhere change our share without an assignment of ours.
        self._sender.set_share(self._source.share)
        self._status = take_status(
            self._source,
            self._sender,
            self._assignment,
            self._flight,
            self._waiting,
            trouble=self._dead_letters.trouble,
            watchdog=self._watchdog,
            now=now,
            paused=self._backpressure.is_full,
        )
