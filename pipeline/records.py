"""What Kafka gives: records and where they stand."""

from typing import NamedTuple


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Position(NamedTuple):
    """Where a record stands in Kafka: enough to find it again."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class Record(NamedTuple):
    """One Kafka record as it was read.

    A named tuple and not a dataclass because one is made for every record read; it is just as immutable.

    `value` is None for a tombstone, which is not the same as an empty value.
    `headers` keeps order, repeated names and null values.
    `timestamp_ms` is None when the record has none.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None

    @property
    def position(self) -> Position:
        """Where the record stands."""
        return Position(self.topic, self.partition, self.offset)

    @property
    def topic_partition(self) -> TopicPartition:
        """The partition the record came from."""
        return TopicPartition(self.topic, self.partition)

    @property
    def size(self) -> int:
        """Bytes of key and value, which is what a record weighs while it is open."""
        return len(self.key or b"") + len(self.value or b"")
