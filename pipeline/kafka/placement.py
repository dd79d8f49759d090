"""Putting partitions where they have to be read from: at their start, or back to life."""

from collections import Counter
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.membership import Membership
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.partitions import Partitions
from pipeline.kafka.start import StartPositions
from pipeline.records import TopicPartition

_log = structlog.get_logger(__name__)

_RETRY_S = 1.0


class Placement:
    """Where each partition is read from."""

    def __init__(
        self,
        consumer: Consumer,
        options: KafkaOptions,
        partitions: Partitions,
        membership: Membership,
        *,
        passed_over: Counter[TopicPartition],
        known: Mapping[str, int],
        monotonic: Callable[[], float],
    ) -> None:
        self._consumer = consumer
        self._options = options
        self._partitions = partitions
        self._membership = membership
        self._starts = StartPositions(consumer, options, known)
        self._passed_over = passed_over
        self._monotonic = monotonic
        self._retry_at = 0.0

    def position(self, partition: TopicPartition) -> int | None:
        """Return the offset after everything that was read or passed over, None when unknown."""
        state = self._partitions.get(partition)
        if state is None:
            return None
        [answer] = self._consumer.position([KafkaPartition(partition.topic, partition.partition)])
        known = [offset for offset in (answer.offset, state.reached) if offset is not None and offset >= 0]
        return max(known, default=None)

    def place(self) -> None:
        """Begin partitions that have nowhere to begin, and assign anew those that never came to life.

        Raises:
            RemoteRefusedError: an offset is gone and the policy is `fail`.
        """
        if self._monotonic() < self._retry_at:
            return
        wanted = self._partitions.wanting_start()
        if wanted:
            self._find_starts(wanted)
        stuck = self._stuck()
        if stuck:
            _log.warning("partitions_stuck", partitions=[str(p) for p in stuck], then="assigning them anew")
            self._read_from(dict.fromkeys(stuck, OFFSET_INVALID))

    def _find_starts(self, wanted: list[TopicPartition]) -> None:
        read = {partition: offset for partition in wanted if (offset := self.position(partition)) is not None}
        try:
            starts = self._starts.find(wanted, read)
        except KafkaException as exception:
            error = exception.args[0]
            _log.warning("start_not_found", cause=error.str(), code=error.name(), then="trying again")
            self._retry_at = self._monotonic() + _RETRY_S
            return
        gone_back = [partition for partition, offset in read.items() if starts[partition].offset < offset]
        if gone_back:
            # An offset that comes a second time is another record: nothing may mistake one for the other.
            self._membership.begin_anew(gone_back)
        for partition, start in starts.items():
            self._passed_over[partition] += start.skipped
            state = self._partitions.get(partition)
            if state is not None:
                state.wants_start, state.reached, state.put_elsewhere = False, start.offset, start.elsewhere
        self._read_from({partition: start.offset for partition, start in starts.items()})

    def _stuck(self) -> list[TopicPartition]:
        """Return partitions without any sign of life since they were assigned.

        librdkafka leaves a partition alone for good when the look-up of its committed offset fails in
        certain ways (rdkafka_assignment.c says so).
        """
        now = self._monotonic()
        stuck = []
        for partition, state in self._partitions.states():
            if state.alive:
                continue
            if state.paused or state.wants_start or self.position(partition) is not None:
                state.alive = not state.paused and not state.wants_start
                state.quiet_since = now
            elif now - state.quiet_since > self._options.stuck_after_s:
                state.quiet_since = now
                stuck.append(partition)
        return stuck

    def _read_from(self, offsets: Mapping[TopicPartition, int]) -> None:
        moved = [KafkaPartition(p.topic, p.partition, offset) for p, offset in offsets.items()]
        if self._options.incremental:
            self._consumer.incremental_unassign(moved)
            self._consumer.incremental_assign(moved)
        else:
            # An eager member can only be assigned everything at once, the others from where they are.
            others = [
                KafkaPartition(
                    p.topic, p.partition, OFFSET_INVALID if (at := self.position(p)) is None else at
                )
                for p in self._partitions
                if p not in offsets
            ]
            # In two steps: in one, the client may tell the old position of what was moved for a moment longer.
            self._consumer.assign(others)
            self._consumer.assign([*others, *moved])
        # The client remembers across assignments that a partition was paused.
        self._consumer.resume(moved)
        paused = [p for p, state in self._partitions.states() if state.paused]
        if paused:
            self._consumer.pause([KafkaPartition(p.topic, p.partition) for p in paused])
