"""Records that wait for a schema. What was read behind them waits too, so that nothing overtakes them.

A registry that is down costs time and no record: what waits counts as not read, so no commit passes it, and a
partition that is taken away is read again from there by whoever gets it (G1, G5, G7).
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator

from pipeline.decode import SchemaPending
from pipeline.records import Record, TopicPartition
from pipeline.translation import Translation


class Waiting:
    """What waits, by partition, in the order in which it was read."""

    def __init__(self) -> None:
        self._records: dict[TopicPartition, deque[Record]] = {}
        self._pending: dict[TopicPartition, SchemaPending] = {}

    def add(self, record: Record, pending: SchemaPending | None = None) -> None:
        """Let a record wait for a schema, or behind those of its partition that do."""
        name = record.topic_partition
        self._records.setdefault(name, deque()).append(record)
        if pending is not None:
            self._pending[name] = pending

    def ready(
        self, translate: Callable[[Record], Translation | SchemaPending]
    ) -> Iterator[tuple[Record, Translation]]:
        """Yield the records that need not wait any longer, in order, with what became of them."""
        for name, records in list(self._records.items()):
            while records:
                translation = translate(records[0])
                if isinstance(translation, SchemaPending):
                    self._pending[name] = translation
                    break
                yield records.popleft(), translation

    def release(self) -> list[TopicPartition]:
        """Return the partitions of which nothing waits any longer, and forget them."""
        done = [name for name, records in self._records.items() if not records]
        self.drop(done)
        return done

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget what waits of these partitions."""
        for name in partitions:
            self._records.pop(name, None)
            self._pending.pop(name, None)

    def position(self, partition: TopicPartition, position: int | None) -> int | None:
        """Return how far a partition counts as read: up to the first record that waits, else `position`."""
        records = self._records.get(partition)
        return records[0].offset if records else position

    @property
    def partitions(self) -> Collection[TopicPartition]:
        """The partitions of which something waits."""
        return self._records.keys()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(record.size for records in self._records.values() for record in records)

    @property
    def trouble(self) -> str | None:
        """Why records wait, in a safe sentence; None when none does, or the registry is just being asked."""
        for name, pending in self._pending.items():
            if pending.trouble is not None:
                return f"records of {name} wait for schema {pending.schema_id}: {pending.trouble}"
        return None

    def __contains__(self, partition: TopicPartition) -> bool:
        return partition in self._records

    def __len__(self) -> int:
        return sum(len(records) for records in self._records.values())

    def __bool__(self) -> bool:
        return bool(self._records)
