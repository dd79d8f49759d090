"""How old records are and how long topics keep them, as brokers tell it."""

import time
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.kafka.ages import NextRecord, RecordAges
from pipeline.kafka.options import KafkaOptions
from pipeline.records import TopicPartition
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import wait_until


def ages_of(bootstrap_servers: str, topic: str, *, timeout_s: float = 5.0) -> RecordAges:
    options = KafkaOptions(bootstrap_servers=bootstrap_servers, topics=(topic,), group_id="ages")
    return RecordAges(options, timeout_s=timeout_s)


def write(bootstrap_servers: str, topic: str, *records: tuple[int, int], size: int = 10) -> None:
    """Write records, each a partition and a timestamp in milliseconds."""
    in_order = {"enable.idempotence": True}
    producer = Producer({"bootstrap.servers": bootstrap_servers, "message.max.bytes": 2_000_000, **in_order})
    for partition, timestamp_ms in records:
        producer.produce(topic, value=b"x" * size, partition=partition, timestamp=timestamp_ms)
    assert producer.flush(30) == 0


def test_the_record_at_an_offset_tells_when_it_was_written(embedded_broker: EmbeddedBrokerProcess) -> None:
    topic, now_ms = f"ages-{uuid4().hex[:8]}", round(time.time() * 1000)
    embedded_broker.create_topic(topic, 3)
    servers = embedded_broker.bootstrap_servers
    write(servers, topic, (0, now_ms - 2_000), (0, now_ms - 1_000), (1, now_ms - 5_000))
    ages = ages_of(servers, topic)
    asked = {TopicPartition(topic, 0): 1, TopicPartition(topic, 1): 0, TopicPartition(topic, 2): 0}
    try:
        for _ in range(2):  # a second look is answered as the first
            assert ages.look(asked) == {
                TopicPartition(topic, 0): NextRecord(1, now_ms - 1_000),
                TopicPartition(topic, 1): NextRecord(0, now_ms - 5_000),
                TopicPartition(topic, 2): NextRecord(0),
            }
    finally:
        ages.close()


def test_a_broker_that_tells_no_retention_is_no_error(embedded_broker: EmbeddedBrokerProcess) -> None:
    topic = f"ages-{uuid4().hex[:8]}"
    embedded_broker.create_topic(topic, 1)
    ages = ages_of(embedded_broker.bootstrap_servers, topic, timeout_s=0.5)
    try:
        assert ages.retention_s([topic]) == {}
    finally:
        ages.close()


def test_no_broker_costs_a_bounded_time_and_no_exception() -> None:
    ages = ages_of("127.0.0.1:1", "nowhere", timeout_s=0.5)
    try:
        assert ages.look({TopicPartition("nowhere", 0): 0}) == {}
    finally:
        ages.close()


def test_a_question_without_an_answer_is_cut_short_when_the_pipeline_stops() -> None:
    ages = ages_of("127.0.0.1:1", "nowhere", timeout_s=600)
    try:
        ages.cancel()
        assert ages.look({TopicPartition("nowhere", 0): 0}) == {}
        assert ages.retention_s(["nowhere"]) == {}
    finally:
        ages.close()


@pytest.mark.full
@pytest.mark.kafka
def test_apache_kafka_tells_ages_retention_and_what_it_has_deleted(apache_kafka: ApacheKafka) -> None:
    kept, short, compacted = (f"ages-{name}-{uuid4().hex[:8]}" for name in ("kept", "short", "compacted"))
    admin = AdminClient({"bootstrap.servers": apache_kafka.bootstrap_servers})
    settings = {
        kept: {"retention.ms": "-1"},
        short: {"retention.ms": "86400000"},
        compacted: {"cleanup.policy": "compact"},
    }
    for created in admin.create_topics(
        [NewTopic(name, 2, 1, config=config) for name, config in settings.items()]
    ).values():
        created.result(60)
    now_ms = round(time.time() * 1000)
    write(apache_kafka.bootstrap_servers, short, (0, now_ms - 9_000), (0, now_ms - 3_000), size=900_000)
    write(apache_kafka.bootstrap_servers, short, (1, now_ms - 1_000), size=900_000)
    ages = ages_of(apache_kafka.bootstrap_servers, short)
    first, second = TopicPartition(short, 0), TopicPartition(short, 1)
    try:
        assert ages.retention_s([kept, short, compacted, "not-there"]) == {
            kept: None,
            short: 86_400.0,
            compacted: None,
        }
        wait_until(
            lambda: (
                ages.look({first: 0, second: 0})
                == {first: NextRecord(0, now_ms - 9_000), second: NextRecord(0, now_ms - 1_000)}
            ),
            "both partitions told",
            20,
        )
        _delete_before(admin, first, 1)
        wait_until(lambda: ages.look({first: 0}) == {first: NextRecord(0, gone=True)}, "told to be gone")
    finally:
        ages.close()


def _delete_before(admin: AdminClient, partition: TopicPartition, offset: int) -> None:
    from confluent_kafka import TopicPartition as KafkaPartition  # noqa: PLC0415 - two classes of one name

    for done in admin.delete_records([KafkaPartition(*partition, offset)]).values():
        done.result(60)
