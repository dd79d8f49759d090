"""What the group gives and takes, told by callbacks that the client makes."""

from collections.abc import Sequence

from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.membership import Membership
from pipeline.kafka.partitions import Partitions
from pipeline.records import TopicPartition

OURS, FOREIGN = TopicPartition("events", 0), TopicPartition("events", 7)


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[TopicPartition]]] = []

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("assigned", list(partitions)))

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("revoked", list(partitions)))

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.told.append(("lost", list(partitions)))


def given(*partitions: TopicPartition) -> list[KafkaPartition]:
    return [KafkaPartition(*partition) for partition in partitions]


def test_partitions_that_were_never_given_are_passed_over_when_they_are_taken_away() -> None:
    """Known bug 33: a revoke names a partition that was not assigned."""
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0})
    listener, partitions = Listener(), Partitions()
    partitions.add([OURS], 0.0)
    membership = Membership(partitions, listener, incremental=True, monotonic=lambda: 0.0)
    membership.revoked(consumer, given(FOREIGN))
    membership.lost(consumer, given(FOREIGN))
    assert listener.told == []
    assert list(partitions) == [OURS]
    membership.revoked(consumer, given(FOREIGN, OURS))
    assert listener.told == [("revoked", [OURS])]
    assert list(partitions) == []
    consumer.close()
