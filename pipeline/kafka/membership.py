"""What the group gives and takes: called inside the client's consume and close, never elsewhere."""

from collections.abc import Callable

import structlog
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.partitions import Partitions
from pipeline.ports import AssignmentListener
from pipeline.records import TopicPartition

_log = structlog.get_logger(__name__)


class Membership:
    """Keeps the partitions that are ours and tells the listener.

    `joined` becomes true with the first assignment, which may be of nothing. `changed` is true at first and after each
    assignment of something, until somebody has looked at what changed. `is_losing` is true while the listener hears
    that partitions are lost.
    """

    def __init__(
        self,
        partitions: Partitions,
        listener: AssignmentListener,
        *,
        incremental: bool,
        monotonic: Callable[[], float],
    ) -> None:
        self._partitions = partitions
        self._listener = listener
        self._incremental = incremental
        self._monotonic = monotonic
        self.joined = False
        self.changed = True
        self.is_losing = False

    def assigned(self, consumer: Consumer, assigned: list[KafkaPartition]) -> None:
        """Take partitions on."""
        if self._incremental:
            consumer.incremental_assign(assigned)
        else:
            consumer.assign(assigned)
        self.joined = True
        partitions = _ours(assigned)
        _log.info("partitions_assigned", partitions=[str(p) for p in partitions])
        if partitions:
            self.changed = True
            self._partitions.add(partitions, self._monotonic())
            # The client remembers across assignments that a partition was paused.
            consumer.resume(assigned)
            self._listener.assigned(partitions)

    def revoked(self, _: Consumer, revoked: list[KafkaPartition]) -> None:
        """Let partitions go. Unknown ones are passed over: librdkafka has been seen to revoke what was never given."""
        partitions = [p for p in _ours(revoked) if p in self._partitions]
        _log.info("partitions_revoked", partitions=[str(p) for p in partitions])
        try:
            if partitions:
                self._listener.revoked(partitions)
        finally:
            self._partitions.drop(partitions)

    def begin_anew(self, partitions: list[TopicPartition]) -> None:
        """Let the listener finish with these and take them on again: their offsets begin anew, though we keep them.

        What was read must not be committed meanwhile: see `commits.commit`.
        """
        self._listener.revoked(partitions)
        self._partitions.add(partitions, self._monotonic())
        self._listener.assigned(partitions)

    def lost(self, _: Consumer, lost: list[KafkaPartition]) -> None:
        """Let go of partitions that are gone already, unknown ones passed over."""
        self.lose([p for p in _ours(lost) if p in self._partitions])

    def lose(self, partitions: list[TopicPartition]) -> None:
        """Tell that these are gone."""
        _log.warning("partitions_lost", partitions=[str(p) for p in partitions])
        self.is_losing = True
        try:
            if partitions:
                self._listener.lost(partitions)
        finally:
            self.is_losing = False
            self._partitions.drop(partitions)


def _ours(partitions: list[KafkaPartition]) -> list[TopicPartition]:
    return [TopicPartition(p.topic, p.partition) for p in partitions]
