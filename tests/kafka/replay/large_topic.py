"""A shop's story in a topic with all that Apache Kafka leaves behind: holes, out-of-order times, control records.

The story is written in transactions. Every fourth one is aborted first, and leaves a hole as long as itself. Of a
compacted topic the log cleaner then removes a quarter of the rest.
"""

import random
import uuid
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from pipeline.demo.shop import ShopRecord, shop_records
from pipeline.kafka.messages import MessageReader
from pipeline.records import Record
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import wait_until

PARTITIONS = 6
TRANSACTIONS = 24
HOURS = 10
DISORDER_MS = 20 * 60 * 1000
COMPACTED = {"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0.01", "segment_bytes": "1048576"}
"""Segments as small as brokers take them: the newest one of a partition is never compacted."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record of the story with its place: a person keeps to a partition, every fourth key there comes again."""

    record: ShopRecord
    partition: int
    key: bytes


def write_story(kafka: ApacheKafka, topic: str, count: int, start_ms: int) -> None:
    """Write ten hours of a shop, with times that are up to twenty minutes out of order."""
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": uuid.uuid4().hex, "linger.ms": 5}
    )
    producer.init_transactions(60)
    step_ms = HOURS * 3_600_000 // count
    story = _placed(list(shop_records(count, seed=7, start_ms=start_ms, people=count // 20, step_ms=step_ms)))
    draw = random.Random(7)
    for number, first in enumerate(range(0, count, count // TRANSACTIONS)):
        chunk = story[first : first + count // TRANSACTIONS]
        for aborted in (True, False) if number % 4 == 3 else (False,):
            producer.begin_transaction()
            for each in chunk:
                _produce(producer, topic, each, each.record.timestamp_ms + draw.randrange(DISORDER_MS))
            assert producer.flush(60) == 0
            if aborted:
                producer.abort_transaction(60)
            else:
                producer.commit_transaction(60)


def _placed(story: Sequence[ShopRecord]) -> list[Placed]:
    numbers: Counter[int] = Counter()
    placed = []
    for position, record in enumerate(story):
        person = record.key if record.key is not None else str(position).encode()
        partition = zlib.crc32(person) % PARTITIONS
        number = numbers[partition]
        numbers[partition] += 1
        key = number - 3 if number % 4 == 3 else number
        placed.append(Placed(record, partition, f"{partition}:{key}".encode()))
    return placed


def _produce(producer: Producer, topic: str, each: Placed, timestamp_ms: int) -> None:
    while True:
        try:
            producer.produce(topic, each.record.value, each.key, each.partition, timestamp=timestamp_ms)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def read_naively(kafka: ApacheKafka, topic: str) -> list[Record]:
    """Read the whole topic, one partition after the other, to the notice of its end."""
    client = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": "naive",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    records: list[Record] = []
    for number in range(PARTITIONS):
        client.assign([KafkaPartition(topic, number, 0)])
        at_end = False
        while not at_end:
            found, events = MessageReader().read(client.consume(1_000, 1.0))
            records += found
            at_end = any(error.code() == KafkaError._PARTITION_EOF for error, _ in events)
    client.close()
    return records


def read_when_compacted(kafka: ApacheKafka, topic: str) -> list[Record]:
    """Wait until the log cleaner has been through every partition, keep it from going on, and read what is left."""
    reads: list[list[Record]] = [[]]

    def is_compacted() -> bool:
        reads[:] = [reads[-1], read_naively(kafka, topic)]
        return len(reads[0]) == len(reads[1]) and all(
            is_full_of_holes(reads[1], number) for number in range(PARTITIONS)
        )

    wait_until(is_compacted, "the topic is compacted", 900, 1.0)
    _stop_compacting(kafka, topic)
    wait_until(is_compacted, "the log cleaner has stopped", 300, 1.0)
    return reads[-1]


def is_full_of_holes(records: Sequence[Record], partition: int) -> bool:
    """Tell whether so many short stretches of a partition are missing that it has been compacted."""
    offsets = [record.offset for record in records if record.partition == partition]
    holes = sum(1 < later - before < 6 for before, later in pairwise(offsets))
    return holes > len(offsets) / 20


def _stop_compacting(kafka: ApacheKafka, topic: str) -> None:
    entry = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    kafka.admin.incremental_alter_configs([resource])[resource].result(30)
