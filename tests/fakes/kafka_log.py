"""Kafka in memory, for the engine's tests: partitions with offsets, and one consumer group."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.records import Record, TopicPartition


@dataclass(slots=True)
class PartitionLog:
    """One partition: its records by offset, and the offsets at which it begins and ends."""

    records: dict[int, Record] = field(default_factory=dict)
    low: int = 0
    high: int = 0

    def next_record(self, position: int) -> Record | None:
        """Return the first record at `position` or above."""
        for offset in range(position, self.high):
            if offset in self.records:
                return self.records[offset]
        return None


class FakeLog:
    """A broker and one consumer group; it outlives the sources, as Kafka outlives a crash of its reader."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.partitions = {
            TopicPartition(t, p): PartitionLog() for t, count in topics.items() for p in range(count)
        }
        self.committed: dict[TopicPartition, int] = {}
        """What the group has committed."""
        self.commits: list[dict[TopicPartition, int]] = []
        """Every commit that was taken, oldest first."""
        self._owners: dict[TopicPartition, object] = {}
        self._members: list[object] = []
        self._elsewhere: set[TopicPartition] = set()

    def append(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        timestamp_ms: int | None = 1_700_000_000_000,
    ) -> Record:
        """Write a record and return it."""
        log = self.partitions[TopicPartition(topic, partition)]
        record = Record(topic, partition, log.high, key, value, tuple(headers), timestamp_ms)
        log.records[log.high] = record
        log.high += 1
        return record

    def append_gap(self, topic: str, partition: int, offsets: int = 1) -> None:
        """Leave offsets out, as control records, aborted transactions and compaction do."""
        self.partitions[TopicPartition(topic, partition)].high += offsets

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Drop the records below an offset, as retention does."""
        log = self.partitions[TopicPartition(topic, partition)]
        log.low = max(log.low, offset)
        for old in [o for o in log.records if o < offset]:
            del log.records[old]

    def take_away(self, *partitions: TopicPartition) -> None:
        """Give partitions to a member elsewhere: their owner is told to revoke them in its next poll."""
        self._elsewhere.update(partitions)

    def give_back(self, *partitions: TopicPartition) -> None:
        """Let the member elsewhere go: the partitions are assigned here again."""
        self._elsewhere.difference_update(partitions)

    def join(self, member: object) -> None:
        """Add a member; the partitions are shared out anew."""
        self._members.append(member)

    def leave(self, member: object) -> None:
        """Remove a member, whatever it owns."""
        if member in self._members:
            self._members.remove(member)
        self.release(member, [p for p, owner in self._owners.items() if owner is member])

    def release(self, member: object, partitions: Iterable[TopicPartition]) -> None:
        """Take note that a member has let partitions go."""
        for partition in partitions:
            if self._owners.get(partition) is member:
                del self._owners[partition]

    def acquire(self, member: object) -> list[TopicPartition]:
        """Hand a member the partitions that are meant for it and that nobody holds any more."""
        free = [p for p in self.target(member) if p not in self._owners]
        self._owners.update(dict.fromkeys(free, member))
        return free

    def target(self, member: object) -> list[TopicPartition]:
        """Return the partitions that a member should have."""
        here = [p for p in sorted(self.partitions) if p not in self._elsewhere]
        index, count = self._members.index(member), len(self._members)
        return here[index::count]

    def owns(self, member: object, partition: TopicPartition) -> bool:
        """Tell whether the member holds the partition."""
        return self._owners.get(partition) is member

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Take the group's offsets."""
        self.committed.update(offsets)
        self.commits.append(dict(offsets))
