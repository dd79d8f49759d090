"""What Kafka gives: records and where they stand."""

from typing import NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]

UNREADABLE_HEADERS: Headers = (("cio.unreadable_headers", None),)
"""What stands for the headers of a record that has some whose names are not UTF-8.

A header itself, so that a dead letter that is tried again still says that the original's are not known.
"""


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
    `headers` keeps order, repeated names and null values; they are `UNREADABLE_HEADERS` where they cannot be read.
    `timestamp_ms` is None when the record has none.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
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
        """Bytes of key, value and headers, which is what a record weighs while it is open."""
        headers = sum([len(name) + len(value or b"") for name, value in self.headers]) if self.headers else 0
        return len(self.key or b"") + len(self.value or b"") + headers
