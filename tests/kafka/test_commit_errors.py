"""What each error of a commit comes to (kafka-facts 1.4), injected into the embedded broker."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from pipeline.errors import RemoteRefusedError
from pipeline.kafka.embedded import ApiKey
from pipeline.records import TopicPartition
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.embedded import EmbeddedBrokerProcess

MORE_THAN_THE_CLIENT_RETRIES = 8


@pytest.fixture
def broker(embedded_broker: EmbeddedBrokerProcess) -> Iterator[EmbeddedBrokerProcess]:
    yield embedded_broker
    embedded_broker.clear_errors(ApiKey.OFFSET_COMMIT)


@pytest.fixture
def kafka(broker: EmbeddedBrokerProcess) -> OnBroker:
    kafka = OnBroker(broker, 1)
    kafka.write(0, b"x")
    kafka.write(0, b"y")
    return kafka


@pytest.fixture
def member(kafka: OnBroker) -> Iterator[Member]:
    member = Member(kafka.source())
    poll_until(lambda: len(member.records) == 2, member)
    yield member
    member.source.close()


def partition_of(kafka: OnBroker) -> TopicPartition:
    return TopicPartition(kafka.topic, 0)


@pytest.mark.parametrize(
    "error",
    [
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_COORDINATOR,
        KafkaError._TRANSPORT,
    ],
)
def test_a_passing_error_is_retried_by_the_client(
    broker: EmbeddedBrokerProcess, kafka: OnBroker, member: Member, error: int
) -> None:
    broker.push_errors(ApiKey.OFFSET_COMMIT, [error])
    result = member.source.commit({partition_of(kafka): 2})
    assert (result.committed, result.refused) == ({partition_of(kafka): 2}, None)
    assert kafka.committed(0) == 2


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, MORE_THAN_THE_CLIENT_RETRIES),
        (KafkaError.REQUEST_TIMED_OUT, MORE_THAN_THE_CLIENT_RETRIES),
        (KafkaError.REBALANCE_IN_PROGRESS, 1),
        (KafkaError.ILLEGAL_GENERATION, 1),
        (KafkaError.UNKNOWN_MEMBER_ID, 1),
        (KafkaError.STALE_MEMBER_EPOCH, 1),
        (KafkaError.OFFSET_METADATA_TOO_LARGE, 1),
        (KafkaError.UNKNOWN, 1),
    ],
)
def test_a_refused_commit_commits_nothing_says_so_and_can_be_tried_again(
    broker: EmbeddedBrokerProcess, kafka: OnBroker, member: Member, error: int, times: int
) -> None:
    broker.push_errors(ApiKey.OFFSET_COMMIT, [error] * times)
    result = member.source.commit({partition_of(kafka): 1})
    assert result.committed == {}
    assert result.refused is not None
    assert kafka.committed(0) is None
    broker.clear_errors(ApiKey.OFFSET_COMMIT)
    poll_until(lambda: member.source.commit({partition_of(kafka): 2}).refused is None, member)
    assert kafka.committed(0) == 2


@pytest.mark.parametrize(
    "error",
    [
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.FENCED_INSTANCE_ID,
    ],
)
def test_a_commit_that_may_never_be_made_stops(
    broker: EmbeddedBrokerProcess, kafka: OnBroker, member: Member, error: int
) -> None:
    broker.push_errors(ApiKey.OFFSET_COMMIT, [error])
    with pytest.raises(RemoteRefusedError, match="Kafka refuses"):
        member.source.commit({partition_of(kafka): 2})
    assert kafka.committed(0) is None


def test_one_commit_covers_every_partition_of_a_batch(broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(broker, 4)
    for partition in range(4):
        kafka.write(partition, b"x")
    member = Member(kafka.source())
    poll_until(lambda: len(member.records) == 4, member)
    broker.track_requests()
    member.commit_what_was_read()
    assert broker.count_requests([ApiKey.OFFSET_COMMIT]) == 1
    assert [kafka.committed(p) for p in range(4)] == [1, 1, 1, 1]
    member.source.close()


def test_a_commit_of_nothing_asks_nobody(broker: EmbeddedBrokerProcess, member: Member) -> None:
    broker.track_requests()
    assert member.source.commit({}).refused is None
    assert broker.count_requests([ApiKey.OFFSET_COMMIT]) == 0
