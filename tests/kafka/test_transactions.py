"""Transactions leave gaps in the offsets; a drained topic is committed to its very end all the same (known bug 30)."""

import uuid

import pytest
from confluent_kafka import Producer

from pipeline.records import TopicPartition
from tests.contract.source_driving import Member, poll_for, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka

TIMEOUT_S = 30.0


@pytest.fixture
def kafka(apache_kafka: ApacheKafka) -> OnBroker:
    return OnBroker(apache_kafka, 1)


@pytest.fixture
def producer(apache_kafka: ApacheKafka) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": apache_kafka.bootstrap_servers,
            "transactional.id": uuid.uuid4().hex,
            "linger.ms": 0,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    return producer


def begin_and_write(producer: Producer, topic: str, values: list[bytes]) -> None:
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(TIMEOUT_S) == 0


def test_aborted_records_are_not_read_and_the_end_is_committed(kafka: OnBroker, producer: Producer) -> None:
    begin_and_write(producer, kafka.topic, [b"a", b"b"])
    producer.commit_transaction(TIMEOUT_S)
    begin_and_write(producer, kafka.topic, [b"never"])
    producer.abort_transaction(TIMEOUT_S)
    begin_and_write(producer, kafka.topic, [b"c"])
    producer.commit_transaction(TIMEOUT_S)
    partition = TopicPartition(kafka.topic, 0)
    member = Member(kafka.source())
    # a, b, marker, aborted, marker, c, marker
    poll_until(lambda: member.source.position(partition) == 7, member)
    assert [(r.offset, r.value) for r in member.records] == [(0, b"a"), (1, b"b"), (5, b"c")]
    assert member.source.end_offsets() == {partition: 7}
    assert member.source.commit({partition: 7}).committed == {partition: 7}
    member.source.close()
    assert kafka.committed(0) == 7
    again = Member(kafka.source())
    poll_until(lambda: again.source.position(partition) == 7, again)
    assert again.records == []
    again.source.close()


def test_an_open_transaction_is_neither_read_nor_passed(kafka: OnBroker, producer: Producer) -> None:
    kafka.write(0, b"before")
    begin_and_write(producer, kafka.topic, [b"open"])
    partition = TopicPartition(kafka.topic, 0)
    member = Member(kafka.source())
    poll_until(lambda: bool(member.records), member)
    poll_for(1.0, member)
    assert member.source.position(partition) == 1
    producer.commit_transaction(TIMEOUT_S)
    poll_until(lambda: member.source.position(partition) == 3, member)
    assert member.values() == [b"before", b"open"]
    member.source.close()
