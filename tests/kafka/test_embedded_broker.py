"""The embedded broker keeps what it is given and fails on request; both ways, and as a process of its own."""

import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from pipeline.kafka.embedded import ApiKey, EmbeddedBroker, EmbeddedBrokerError, SimpleEmbeddedBroker
from pipeline.kafka.embedded_server import answer
from tests.servers.embedded import EmbeddedBrokerProcess, skip_without_native_interface

DEADLINE_S = 20.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    skip_without_native_interface()
    with EmbeddedBroker() as broker:
        yield broker


def produce(bootstrap_servers: str, topic: str, partition: int, values: list[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(DEADLINE_S) == 0


def consume(bootstrap_servers: str, topic: str, count: int) -> list[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.subscribe([topic])
    messages: list[Message] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(messages) < count and time.monotonic() < deadline:
        messages += [m for m in consumer.consume(count, 0.1) if m.error() is None]
    consumer.close()
    return messages


def test_a_topic_has_the_partitions_it_was_made_with(broker: EmbeddedBroker) -> None:
    broker.create_topic("events", 6)
    metadata = Producer({"bootstrap.servers": broker.bootstrap_servers}).list_topics("events", DEADLINE_S)
    assert len(metadata.topics["events"].partitions) == 6


def test_what_is_written_is_read(broker: EmbeddedBroker) -> None:
    broker.create_topic("events", 1)
    produce(broker.bootstrap_servers, "events", 0, [b"a", None, b""])
    assert [m.value() for m in consume(broker.bootstrap_servers, "events", 3)] == [b"a", None, b""]


def test_records_can_be_deleted_from_the_front(broker: EmbeddedBroker) -> None:
    broker.create_topic("events", 1)
    for number in range(4):  # a batch each: whole batches are what is deleted
        produce(broker.bootstrap_servers, "events", 0, [b"%d" % number])
    broker.delete_records("events", 0, 2)
    assert [m.value() for m in consume(broker.bootstrap_servers, "events", 2)] == [b"2", b"3"]


def test_a_pushed_error_is_answered_once(broker: EmbeddedBroker) -> None:
    broker.create_topic("events", 1)
    broker.push_errors(ApiKey.PRODUCE, [KafkaError.POLICY_VIOLATION])
    failures: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for _ in range(2):
        producer.produce("events", b"x", on_delivery=lambda error, _: failures.append(error))
        producer.flush(DEADLINE_S)
    assert [f and f.code() for f in failures] == [KafkaError.POLICY_VIOLATION, None]


def test_requests_are_counted_by_kind(broker: EmbeddedBroker) -> None:
    broker.create_topic("events", 1)
    broker.track_requests()
    produce(broker.bootstrap_servers, "events", 0, [b"x"])
    assert broker.count_requests([ApiKey.PRODUCE]) == 1
    assert broker.count_requests([ApiKey.OFFSET_COMMIT]) == 0


def test_data_outlives_a_broker_that_goes_down_and_comes_up(broker: EmbeddedBroker) -> None:
    broker.create_topic("events", 1)
    produce(broker.bootstrap_servers, "events", 0, [b"x"])
    broker.set_down()
    with pytest.raises(KafkaException):
        Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0}).list_topics(timeout=0.5)
    broker.set_up()
    assert [m.value() for m in consume(broker.bootstrap_servers, "events", 1)] == [b"x"]


def test_a_refusal_names_what_was_asked(broker: EmbeddedBroker) -> None:
    with pytest.raises(EmbeddedBrokerError, match="could not delete topic absent"):
        broker.delete_topic("absent")


def test_the_simple_way_gives_four_partitions_and_says_so_otherwise() -> None:
    with SimpleEmbeddedBroker() as broker:
        broker.create_topic("events", 4)
        produce(broker.bootstrap_servers, "events", 3, [b"x"])
        assert [m.value() for m in consume(broker.bootstrap_servers, "events", 1)] == [b"x"]
        with pytest.raises(EmbeddedBrokerError, match="has 4 partitions, not 6"):
            broker.create_topic("wide", 6)


def test_it_runs_as_a_process_of_its_own() -> None:
    skip_without_native_interface()
    with EmbeddedBrokerProcess(brokers=3) as broker:
        broker.create_topic("events", 2)
        produce(broker.bootstrap_servers, "events", 1, [b"x"])
        assert [m.value() for m in consume(broker.bootstrap_servers, "events", 1)] == [b"x"]
        with pytest.raises(RuntimeError, match="could not delete topic absent"):
            broker.delete_topic("absent")


@pytest.mark.parametrize("line", [b"", b"[]", b'{"do": "close"}', b'{"do": "create_topic", "with": [1]}'])
def test_the_process_answers_what_it_does_not_understand(broker: EmbeddedBroker, line: bytes) -> None:
    assert "error" in answer(broker, line)
