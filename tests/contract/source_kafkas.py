"""The three Kafkas that the contract of `Source` is tested on: in memory, embedded, and Apache Kafka."""

import uuid
from collections.abc import Sequence
from typing import Any, Protocol

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.source import KafkaSource
from pipeline.ports import Source
from pipeline.records import TopicPartition
from tests.fakes.kafka_log import FakeLog
from tests.fakes.source import FakeSource
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess

REQUEST_TIMEOUT_S = 30.0
Headers = Sequence[tuple[str, bytes | None]]


class KafkaOfTest(Protocol):
    """One topic of its own and one group of its own for each test."""

    topic: str

    def write(
        self,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int = 1_700_000_000_000,
    ) -> None: ...

    def delete_before(self, partition: int, offset: int) -> None: ...

    def committed(self, partition: int) -> int | None: ...

    def source(self, **options: Any) -> Source: ...


class InMemory:
    """`FakeLog` and `FakeSource`."""

    def __init__(self, partitions: int) -> None:
        self.topic = "events"
        self._log = FakeLog({self.topic: partitions})

    def write(
        self,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int = 1_700_000_000_000,
    ) -> None:
        self._log.append(self.topic, partition, value, key, headers, timestamp_ms)

    def delete_before(self, partition: int, offset: int) -> None:
        self._log.delete_before(self.topic, partition, offset)

    def committed(self, partition: int) -> int | None:
        return self._log.committed.get(TopicPartition(self.topic, partition))

    def source(self, **options: Any) -> FakeSource:
        return FakeSource(self._log, **options)


class OnBroker:
    """`KafkaSource` over a broker, embedded or real. `properties` hold for every source made here."""

    def __init__(
        self, broker: ApacheKafka | EmbeddedBrokerProcess, partitions: int, **properties: str | int | bool
    ) -> None:
        self.topic = f"events-{uuid.uuid4().hex[:8]}"
        self.group = f"group-{uuid.uuid4().hex[:8]}"
        self._broker = broker
        self._properties = {"heartbeat_interval_ms": 300, **properties}
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
        broker.create_topic(self.topic, partitions)

    def write(
        self,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: Headers = (),
        timestamp_ms: int = 1_700_000_000_000,
    ) -> None:
        self._producer.produce(
            self.topic, value, key, partition=partition, headers=list(headers), timestamp=timestamp_ms
        )
        assert self._producer.flush(REQUEST_TIMEOUT_S) == 0

    def delete_before(self, partition: int, offset: int) -> None:
        self._broker.delete_records(self.topic, partition, offset)

    def committed(self, partition: int) -> int | None:
        asker = Consumer({"bootstrap.servers": self._broker.bootstrap_servers, "group.id": self.group})
        [answer] = asker.committed([KafkaPartition(self.topic, partition)], REQUEST_TIMEOUT_S)
        asker.close()
        return answer.offset if answer.offset >= 0 else None

    def source(self, **options: Any) -> KafkaSource:
        properties = {
            **{k.replace("_", "."): v for k, v in self._properties.items()},
            **options.pop("properties", {}),
        }
        settings = {
            "bootstrap_servers": self._broker.bootstrap_servers,
            "topics": (self.topic,),
            "group_id": self.group,
            "session_timeout_s": 6.0,
            "max_poll_interval_s": 20.0,
            "fetch_wait_ms": 10,
            "statistics_interval_s": 0.2,
            **options,
        }
        return KafkaSource(KafkaOptions(**settings, properties=properties))
