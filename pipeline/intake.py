"""Records in: each is translated, and its calls wait in their lanes.

Records come in runs of one partition, and what can be done once for a run is not done for each record.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from pipeline.calls import CallFailure
from pipeline.deadletters.keeper import DeadLetterKeeper
from pipeline.decode import SchemaPending
from pipeline.delivery.batch import Operation
from pipeline.delivery.flight import Flight
from pipeline.delivery.open_record import OpenRecord
from pipeline.kafka.assignment import AssignedPartition, Assignment
from pipeline.ports import Clock, Translator
from pipeline.records import Record, TopicPartition
from pipeline.tally import Tally
from pipeline.translation import Prepared, Translation
from pipeline.waiting import Waiting

_PARTITION = itemgetter(0, 1)  # of a record


class Intake:
    """Takes in what a poll returned.

    `record_bytes` is about the most that a record weighed lately; it falls slowly. `note_unmatched` is told of a record
    that no rule matched, and of how many there were of its run.
    """

    def __init__(
        self,
        *,
        assignment: Assignment,
        translator: Translator,
        flight: Flight,
        waiting: Waiting,
        dead_letters: DeadLetterKeeper,
        clock: Clock,
        tally: Tally,
        note_unmatched: Callable[[Record, int], None],
    ) -> None:
        self.record_bytes = 1_000_000.0  # the first polls are small, until it is known what records weigh
        self._assignment = assignment
        self._translator = translator
        self._flight = flight
        self._waiting = waiting
        self._dead_letters = dead_letters
        self._clock = clock
        self._tally = tally
        self._note_unmatched = note_unmatched
        self._sequence = 0

    def take_in(self, records: Sequence[Record]) -> None:
        """Take in records, those first that waited for a schema which is there now."""
        if self._waiting:
            self._take_in_waiting()
        for name, run in groupby(records, _PARTITION):
            partition = self._assignment.get(TopicPartition(*name))
            if partition is not None:  # else it was taken away in the very poll that returned it
                self._take_in_run(partition, tuple(run))

    def _take_in_waiting(self) -> None:
        for record, translation in self._waiting.ready(self._translator.translate):
            partition = self._assignment.get(record.topic_partition)
            if partition is not None:
                self._sort(partition, [(record, translation)])
        self._waiting.release()

    def _take_in_run(self, partition: AssignedPartition, run: Sequence[Record]) -> None:
        name = partition.topic_partition
        partition.last_read = run[-1].offset
        self._tally.records[name] += len(run)
        largest = max([record.size for record in run])
        self.record_bytes = max(largest, 0.99 ** len(run) * self.record_bytes)
        self._sort(partition, self._translated(name, run))

    def _translated(
        self, name: TopicPartition, run: Sequence[Record]
    ) -> Iterator[tuple[Record, Translation]]:
        """Yield records with what becomes of them, up to the first that waits for a schema; the rest wait too."""
        translate, waits = self._translator.translate, name in self._waiting
        for record in run:
            if waits:
                self._waiting.add(record)
                continue
            translation = translate(record)
            if isinstance(translation, SchemaPending):
                self._waiting.add(record, translation)
                waits = True
            else:
                yield record, translation

    def _sort(self, partition: AssignedPartition, run: Iterable[tuple[Record, Translation]]) -> None:
        """Open the records that make calls, pass over the others."""
        now = self._clock.monotonic()
        well = dropped = unmatched = watched = 0
        stranger: Record | None = None
        for record, translation in run:
            calls, failures, matched, clamped = translation
            if failures:
                self._dead_letters.note_mapped(well)
                self._dead_letters.note_unmapped()
                well = 0
            elif not matched and self._dead_letters.watches_unmatched:
                self._dead_letters.note_mapped(well)
                self._pass_over(record, partition)
                well, stranger = 0, record
                watched += 1
                continue
            else:
                well += 1
            if calls or failures:
                self._open(record, partition, calls, failures, now)
                self._tally.clamped_timestamps += clamped
            elif matched:
                dropped += 1
            else:
                unmatched += 1
                stranger = record
        self._dead_letters.note_mapped(well)
        self._skip(partition, dropped, unmatched)
        if stranger is not None:
            self._note_unmatched(stranger, unmatched + watched)

    def _open(
        self,
        record: Record,
        partition: AssignedPartition,
        calls: Sequence[Prepared],
        failures: Sequence[CallFailure],
        now: float,
    ) -> None:
        if not partition.tracker.open(record.offset):
            return  # on its way already
        weight = record.size + sum([len(call.payload) for call in calls])
        opened = OpenRecord(record, partition, calls=len(calls) + len(failures), weight=weight)
        partition.calls_under_way += len(calls)
        made, add, sequence = self._tally.calls, self._flight.add, self._sequence
        for source, identity, payload, lanes, single, _ in calls:
            sequence += 1
            made[source.kind] += 1
            add(Operation(source, identity, payload, opened, lanes, sequence, now, single))
        self._sequence = sequence
        for failure in failures:
            self._dead_letters.fail(
                opened, failure.reason, failure.text, source=failure.source, field=failure.field
            )

    def _pass_over(self, record: Record, partition: AssignedPartition) -> None:
        self._tally.skipped["unmatched"] += 1
        if partition.tracker.open(record.offset):
            self._dead_letters.pass_over(OpenRecord(record, partition, calls=1, weight=record.size))

    def _skip(self, partition: AssignedPartition, dropped: int, unmatched: int) -> None:
        """Count records that were never opened: the position alone passes them."""
        if dropped:
            self._tally.skipped["dropped"] += dropped
        if unmatched:
            self._tally.skipped["unmatched"] += unmatched
        if dropped or unmatched:
            self._tally.settled[partition.topic_partition] += dropped + unmatched
