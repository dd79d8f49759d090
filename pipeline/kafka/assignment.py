"""What the engine knows about each partition that is assigned to it."""

from collections.abc import Iterable, Iterator, Mapping

from pipeline.kafka.offsets import OffsetTracker
from pipeline.records import TopicPartition


class AssignedPartition:
    """One partition during one assignment.

    The next assignment of the same partition gets a new object; what still refers to the old one finds `alive` False.
    `committed` is the last offset that Kafka confirmed during this assignment. `commit_soon` is an offset that is to
    be committed as soon as everything below it is settled, without waiting for the interval.
    """

    __slots__ = ("alive", "commit_soon", "committed", "open_bytes", "topic_partition", "tracker")

    def __init__(self, topic_partition: TopicPartition) -> None:
        self.topic_partition = topic_partition
        self.tracker = OffsetTracker()
        self.open_bytes = 0
        self.committed: int | None = None
        self.commit_soon: int | None = None
        self.alive = True


class Assignment:
    """The partitions that are ours now."""

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, AssignedPartition] = {}

    def add(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Take partitions on, each with a new tracker."""
        for topic_partition in topic_partitions:
            self._partitions[topic_partition] = AssignedPartition(topic_partition)

    def drop(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Let partitions go. Unknown ones are passed over: librdkafka has been seen to revoke what was never given."""
        for topic_partition in topic_partitions:
            dropped = self._partitions.pop(topic_partition, None)
            if dropped is not None:
                dropped.alive = False

    def get(self, topic_partition: TopicPartition) -> AssignedPartition | None:
        """Return the partition, None when it is not ours."""
        return self._partitions.get(topic_partition)

    def uncommitted(
        self, positions: Mapping[TopicPartition, int | None], only: Iterable[TopicPartition] | None = None
    ) -> dict[TopicPartition, int]:
        """Return the offsets that may be committed and are above what was committed before."""
        chosen = self._partitions if only is None else [p for p in only if p in self._partitions]
        offsets = {}
        for topic_partition in chosen:
            partition = self._partitions[topic_partition]
            offset = partition.tracker.committable(positions.get(topic_partition))
            if offset is not None and (partition.committed is None or offset > partition.committed):
                offsets[topic_partition] = offset
        return offsets

    def confirm(self, committed: Mapping[TopicPartition, int]) -> None:
        """Remember what Kafka confirmed."""
        for topic_partition, offset in committed.items():
            partition = self._partitions.get(topic_partition)
            if partition is not None:
                partition.committed = offset
                if partition.commit_soon is not None and partition.commit_soon <= offset:
                    partition.commit_soon = None

    @property
    def open_bytes(self) -> int:
        """Bytes of open records and their operations."""
        return sum(partition.open_bytes for partition in self._partitions.values())

    @property
    def open_records(self) -> int:
        """Records with a call that is not settled."""
        return sum(len(partition.tracker) for partition in self._partitions.values())

    def __iter__(self) -> Iterator[AssignedPartition]:
        return iter(tuple(self._partitions.values()))

    def __len__(self) -> int:
        return len(self._partitions)

    def __contains__(self, topic_partition: TopicPartition) -> bool:
        return topic_partition in self._partitions

    @property
    def topic_partitions(self) -> tuple[TopicPartition, ...]:
        """The names of the partitions that are ours."""
        return tuple(self._partitions)
