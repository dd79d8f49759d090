"""Driving sources in tests: poll them until something holds, and remember what their listener was told."""

import time
from collections.abc import Callable, Sequence

from pipeline.ports import Source
from pipeline.records import Record, TopicPartition

DEADLINE_S = 40.0


class Member:
    """A source with a listener that remembers; polled until a condition holds."""

    def __init__(self, source: Source, on_revoked: Callable[["Member"], None] | None = None) -> None:
        self.source = source
        self.events: list[tuple[str, tuple[TopicPartition, ...]]] = []
        self.assigned_now: set[TopicPartition] = set()
        self.records: list[Record] = []
        self._on_revoked = on_revoked
        source.start(self)

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.events.append(("assigned", tuple(sorted(partitions))))
        self.assigned_now |= set(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.events.append(("revoked", tuple(sorted(partitions))))
        if self._on_revoked is not None:
            self._on_revoked(self)
        self.assigned_now -= set(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.events.append(("lost", tuple(sorted(partitions))))
        self.assigned_now -= set(partitions)

    def poll(self, max_records: int = 100) -> None:
        for record in self.source.poll(max_records, 0.05):
            assert record.topic_partition in self.assigned_now, "a record of a partition that is not ours"
            self.records.append(record)

    def values(self, partition: int | None = None) -> list[bytes | None]:
        """What has been read, of one partition or of all."""
        return [r.value for r in self.records if partition is None or r.partition == partition]

    def next_offsets(self) -> dict[TopicPartition, int]:
        """One above the last record read, for each partition that is ours now."""
        last = {r.topic_partition: r.offset + 1 for r in self.records}
        return {partition: offset for partition, offset in last.items() if partition in self.assigned_now}

    def commit_what_was_read(self) -> None:
        """Commit; a broker that is busy with a rebalance may refuse once or twice."""
        deadline = time.monotonic() + 3
        while (self.source.commit(self.next_offsets()).refused or "").startswith("Kafka did not take"):
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)


def poll_until(condition: Callable[[], bool], *members: Member, max_records: int = 100) -> None:
    """Poll the members in turn until the condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {DEADLINE_S:.0f} s: {[m.events for m in members]}")
        for member in members:
            member.poll(max_records)


def poll_for(seconds: float, *members: Member) -> None:
    """Go on polling, to see that something does not happen."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for member in members:
            member.poll()
