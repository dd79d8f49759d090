"""A source that gives no record of a partition before it is known whom that partition has identified so far."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence

from pipeline.people.learning import Learner
from pipeline.people.register import Register
from pipeline.ports import AssignmentListener, CommitResult, Source
from pipeline.records import Record, TopicPartition
from pipeline.status import ClientStatus


class LearningSource:
    """A `Source` that keeps the first records of a partition back until everything below them is in the register.

    At each commit it notes how far each partition is settled, so that the next owner, or the next start, need not learn
    it again. The partition counts as read up to the first record that is kept back, so no commit passes it.
    """

    def __init__(self, source: Source, register: Register, learner: Learner) -> None:
        self._source = source
        self._register = register
        self._learner = learner
        self._listener: AssignmentListener | None = None
        self._unlearned: set[TopicPartition] = set()
        self._kept_back: dict[TopicPartition, deque[Record]] = {}
        self._paused: set[TopicPartition] = set()  # by whoever reads from us

    def start(self, listener: AssignmentListener) -> None:
        """See `Source.start`."""
        self._listener = listener
        self._source.start(self)

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        """See `Source.poll`."""
        self._learner.check()
        if not self._unlearned:
            return self._sorted(self._source.poll(max_records, timeout_s))
        records = list(self._sorted(self._source.poll(max_records, timeout_s)))
        for partition in list(self._kept_back):
            if partition not in self._paused and self._learner.is_done(partition):
                records += self._give(partition, max_records - len(records))
        return records

    def position(self, partition: TopicPartition) -> int | None:
        """See `Source.position`."""
        kept_back = self._kept_back.get(partition)
        return kept_back[0].offset if kept_back else self._source.position(partition)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """See `Source.commit`. The register is brought up to date first, so that it never lags behind the group."""
        learned = {name: offset for name, offset in offsets.items() if name not in self._unlearned}
        self._register.flush(learned)
        return self._source.commit(offsets)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        self._paused.update(partitions)
        self._source.pause(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`. A partition that is being learned stays paused."""
        self._paused.difference_update(partitions)
        self._source.resume([name for name in partitions if name not in self._kept_back])

    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """See `Source.end_offsets`."""
        return self._source.end_offsets()

    @property
    def client(self) -> ClientStatus:
        """See `Source.client`."""
        return self._source.client

    @property
    def share(self) -> float:
        """See `Source.share`."""
        return self._source.share

    @property
    def trouble(self) -> str | None:
        """See `Source.trouble`; while something is learned, that."""
        return self._source.trouble or self._learner.trouble

    def close(self) -> None:
        """See `Source.close`."""
        try:
            self._source.close()
        finally:
            self._learner.close()
            self._register.close()

    # The listener: called inside the source's poll and close

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """See `AssignmentListener.assigned`."""
        self._let_go(partitions)
        self._unlearned.update(partitions)
        self._engine().assigned(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """See `AssignmentListener.revoked`."""
        self._engine().revoked(partitions)
        self._let_go(partitions)

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """See `AssignmentListener.lost`."""
        self._engine().lost(partitions)
        self._let_go(partitions)

    def _engine(self) -> AssignmentListener:
        assert self._listener is not None
        return self._listener

    def _let_go(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            self._unlearned.discard(partition)
            self._kept_back.pop(partition, None)
            self._paused.discard(partition)
            self._learner.forget(partition)

    def _sorted(self, records: Sequence[Record]) -> Sequence[Record]:
        """Keep back the records of partitions that are not learned."""
        if not self._unlearned:
            return records
        return [record for record in records if not self._keep_back(record)]

    def _keep_back(self, record: Record) -> bool:
        partition = record.topic_partition
        if partition not in self._unlearned:
            return False
        kept_back = self._kept_back.get(partition)
        if kept_back is None:
            if (self._register.read_up_to(partition) or 0) >= record.offset:
                self._unlearned.discard(partition)
                return False
            kept_back = self._kept_back[partition] = deque()
            self._source.pause([partition])
            self._learner.learn(partition, record.offset)
        kept_back.append(record)
        return True

    def _give(self, partition: TopicPartition, most: int) -> list[Record]:
        """Return records that were kept back; with the last of them the partition is read on."""
        kept_back = self._kept_back[partition]
        given = [kept_back.popleft() for _ in range(min(most, len(kept_back)))]
        if not kept_back:
            del self._kept_back[partition]
            self._unlearned.discard(partition)
            self._source.resume([partition])
        return given
