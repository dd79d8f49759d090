"""The three Kafkas that the contract of `Source` is tested on: in memory, embedded, and Apache Kafka."""

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.source import KafkaSource
from pipeline.people.learning import Learner
from pipeline.people.register import Register
from pipeline.people.source import LearningSource
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


class BehindLearning:
    """Another Kafka, read through a `LearningSource` that finds nothing to learn."""

    def __init__(self, kafka: "KafkaOfTest", folder: Path) -> None:
        self.topic = kafka.topic
        self.write, self.delete_before, self.committed = kafka.write, kafka.delete_before, kafka.committed
        self._kafka = kafka
        self._folder = folder

    def source(self, **options: Any) -> Source:
        path = self._folder / f"{uuid.uuid4()}.sqlite"  # as on another machine

        def open_register() -> Register:
            return Register(path, 1_000)

        learner = Learner(lambda *_: iter(()), lambda _record, _stop: (), open_register, time.time)
        return LearningSource(self._kafka.source(**options), open_register(), learner)


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
        self.bootstrap_servers = broker.bootstrap_servers
        self._broker = broker
        self._partitions = partitions
        self._properties: dict[str, str | int | bool] = dict(properties)
        if properties.get("group_protocol") != "consumer":  # there the brokers hold it
            self._properties.setdefault("heartbeat_interval_ms", 300)
        # The embedded broker lets every rebalance take a second less than this.
        self._session_timeout_s = 2.0 if isinstance(broker, EmbeddedBrokerProcess) else 6.0
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

    def write_many(self, partition: int, values: Sequence[bytes], headers: Headers) -> None:
        """Write several records and wait for all of them at once."""
        for value in values:
            self._producer.produce(self.topic, value, partition=partition, headers=list(headers))
        assert self._producer.flush(REQUEST_TIMEOUT_S) == 0

    def make_topic_again(self) -> None:
        """Delete the topic and make it anew."""
        self._broker.delete_topic(self.topic)
        self._broker.create_topic(self.topic, self._partitions)

    def delete_before(self, partition: int, offset: int) -> None:
        self._broker.delete_records(self.topic, partition, offset)

    def committed(self, partition: int) -> int | None:
        asker = Consumer({"bootstrap.servers": self._broker.bootstrap_servers, "group.id": self.group})
        [answer] = asker.committed([KafkaPartition(self.topic, partition)], REQUEST_TIMEOUT_S)
        asker.close()
        return answer.offset if answer.offset >= 0 else None

    def source(self, **options: Any) -> KafkaSource:
        return KafkaSource(KafkaOptions(**self._settings(options)))

    def options_as_json(self, **options: Any) -> str:
        """The options of a source, for a process of its own."""
        return orjson.dumps(self._settings(options)).decode()

    def _settings(self, options: dict[str, Any]) -> dict[str, Any]:
        ours = {k.replace("_", "."): v for k, v in self._properties.items()}
        return {
            "bootstrap_servers": self._broker.bootstrap_servers,
            "topics": (self.topic,),
            "group_id": self.group,
            "session_timeout_s": self._session_timeout_s,
            "max_poll_interval_s": 20.0,
            "fetch_wait_ms": 10,
            "statistics_interval_s": 0.2,
            **options,
            "properties": {**ours, **options.get("properties", {})},
        }


def options_from_json(text: str) -> KafkaOptions:
    """Read what `options_as_json` wrote."""
    settings = orjson.loads(text)
    return KafkaOptions(**{**settings, "topics": tuple(settings["topics"])})
