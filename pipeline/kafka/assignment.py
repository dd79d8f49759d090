"""What the engine knows about each partition that is assigned to it."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush

from pipeline.kafka.offsets import OffsetTracker
from pipeline.records import TopicPartition


class AssignedPartition:
    """One partition during one assignment.

    The next assignment of the same partition gets a new object; what still refers to the old one finds
    `alive` False. `committed` is the last offset that Kafka confirmed during this assignment, `last_read` the last one
    that was taken in, `calls_under_way` the number of calls that wait for their request or its answer.
    """

    __slots__ = (
        "_urgent",
        "alive",
        "calls_under_way",
        "committed",
        "last_read",
        "open_bytes",
        "topic_partition",
        "tracker",
    )

    def __init__(self, topic_partition: TopicPartition) -> None:
        self.topic_partition = topic_partition
        self.tracker = OffsetTracker()
        self.open_bytes = 0
        self.calls_under_way = 0
        self.last_read = -1
        self.committed: int | None = None
        self.alive = True
        self._urgent: list[int] = []  # a heap

    @property
    def span(self) -> int:
        """How many offsets the lowest open record lies behind the last one read."""
        lowest = self.tracker.lowest_open
        return 0 if lowest is None else self.last_read - lowest

    def commit_soon(self, offset: int) -> None:
        """Ask that this next offset be committed as soon as everything below it is settled."""
        heappush(self._urgent, offset)

    @property
    def is_commit_due(self) -> bool:
        """Whether the watermark has reached an offset that should be committed without waiting for the interval."""
        if not self._urgent:
            return False
        lowest = self.tracker.lowest_open
        return lowest is None or lowest >= self._urgent[0]

    def confirm(self, offset: int) -> None:
        """Remember the offset that Kafka has now."""
        self.committed = offset
        while self._urgent and self._urgent[0] <= offset:
            heappop(self._urgent)


class Assignment:
    """The partitions that are ours now."""

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, AssignedPartition] = {}

    def add(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Take partitions on, each with a new tracker, also where an older assignment was never taken away."""
        topic_partitions = tuple(topic_partitions)
        self.drop(topic_partitions)
        for topic_partition in topic_partitions:
            self._partitions[topic_partition] = AssignedPartition(topic_partition)

    def drop(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Let partitions go. Unknown ones are passed over: librdkafka has been seen to revoke what was never given."""
        for topic_partition in topic_partitions:
            dropped = self._partitions.pop(topic_partition, None)
            if dropped is not None:
                dropped.alive = False

    def have_calls_under_way(self, topic_partitions: Iterable[TopicPartition]) -> bool:
        """Tell whether a call of any of these partitions waits for its request or its answer."""
        return any(
            self._partitions[name].calls_under_way for name in topic_partitions if name in self._partitions
        )

    def get(self, topic_partition: TopicPartition) -> AssignedPartition | None:
        """Return the partition, None when it is not ours."""
        return self._partitions.get(topic_partition)

    def uncommitted(self, positions: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, int]:
        """Return the offsets of these partitions that may be committed and are above what was committed before."""
        offsets = {}
        for name, position in positions.items():
            partition = self._partitions[name]
            offset = partition.tracker.committable(position)
            if offset is not None and (partition.committed is None or offset > partition.committed):
                offsets[name] = offset
        return offsets

    def confirm(self, committed: Mapping[TopicPartition, int]) -> None:
        """Remember what Kafka confirmed."""
        for name, offset in committed.items():
            partition = self._partitions.get(name)
            if partition is not None:
                partition.confirm(offset)

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
