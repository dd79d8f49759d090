"""A topic that is made again, or cut short, has offsets below what was committed: they are committed all the same."""

import pytest
from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as KafkaPartition

from pipeline.kafka.embedded import ApiKey
from pipeline.records import TopicPartition
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.embedded import EmbeddedBrokerProcess

_REBALANCES: dict[str, dict[str, str]] = {
    "apache": {},
    "apache-eager": {"partition_assignment_strategy": "range"},
    "apache-consumer-protocol": {"group_protocol": "consumer"},
}


@pytest.fixture(
    params=[
        "embedded",
        *(pytest.param(name, marks=[pytest.mark.kafka, pytest.mark.full]) for name in _REBALANCES),
    ]
)
def kafka(request: pytest.FixtureRequest) -> OnBroker:
    """A topic of two partitions."""
    if request.param == "embedded":
        broker, properties = request.getfixturevalue("embedded_broker"), {}
    else:
        broker, properties = request.getfixturevalue("apache_kafka"), _REBALANCES[request.param]
    return OnBroker(broker, 2, topic_metadata_refresh_interval_ms=500, **properties)


def commit_beyond_the_end(kafka: OnBroker) -> None:
    outsider = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.group})
    outsider.commit(offsets=[KafkaPartition(kafka.topic, 0, 100)], asynchronous=False)
    outsider.close()


def test_the_offsets_of_a_topic_that_is_made_again_are_committed(kafka: OnBroker) -> None:
    first = TopicPartition(kafka.topic, 0)
    for _ in range(5):
        kafka.write(0, b"old")
    member = Member(kafka.source(out_of_range="earliest"))
    poll_until(lambda: len(member.records) == 5, member)
    assert member.source.commit({first: 5}).refused is None
    kafka.make_topic_again()
    for _ in range(3):
        kafka.write(0, b"new")
    poll_until(lambda: member.values().count(b"new") == 3, member)
    assert member.source.commit({first: 2}).committed == {first: 2}
    assert kafka.committed(0) == 2
    assert member.source.commit({first: 3}).refused is None
    member.source.commit({first: 1})
    assert kafka.committed(0) == 3, "a commit went back"
    member.source.close()


def test_a_topic_that_is_made_again_begins_anew_and_what_was_read_is_not_committed(
    embedded_broker: EmbeddedBrokerProcess,
) -> None:
    """Otherwise a record of the new topic is taken for the open one of the old topic at the same offset."""
    kafka = OnBroker(embedded_broker, 1, topic_metadata_refresh_interval_ms=500)
    first = TopicPartition(kafka.topic, 0)
    for _ in range(5):
        kafka.write(0, b"old")
    refused: list[str | None] = []
    member = Member(
        kafka.source(out_of_range="earliest"),
        on_revoked=lambda member: refused.append(member.source.commit({first: 5}).refused),
    )
    poll_until(lambda: len(member.records) == 5, member)
    member.source.pause([first])
    kafka.make_topic_again()
    member.source.resume([first])
    kafka.write(0, b"new")
    poll_until(lambda: b"new" in member.values(), member)
    assert member.events == [("assigned", (first,)), ("revoked", (first,)), ("assigned", (first,))]
    assert refused == ["the offsets that were read are not there any more"]
    assert kafka.committed(0) is None
    assert member.source.position(first) == 1
    member.source.close()


def test_offsets_below_one_that_lies_beyond_the_end_are_committed(kafka: OnBroker) -> None:
    """As after an election of a broker that had not everything, or when a topic was made again while nobody read."""
    first, second = TopicPartition(kafka.topic, 0), TopicPartition(kafka.topic, 1)
    commit_beyond_the_end(kafka)
    for partition in (0, 0, 1):
        kafka.write(partition, b"x")
    member = Member(kafka.source(out_of_range="earliest"))
    poll_until(lambda: len(member.records) == 3, member)
    assert len(member.events) == 1, "nothing had been read of it that is gone"
    assert member.source.commit({first: 1, second: 1}).committed == {first: 1, second: 1}
    assert (kafka.committed(0), kafka.committed(1)) == (1, 1)
    assert member.source.commit({first: 2}).refused is None
    assert kafka.committed(0) == 2
    member.source.close()


def test_such_a_commit_that_is_refused_is_made_by_the_next(embedded_broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(embedded_broker, 1)
    first = TopicPartition(kafka.topic, 0)
    commit_beyond_the_end(kafka)
    kafka.write(0, b"x")
    member = Member(kafka.source(out_of_range="earliest"))
    poll_until(lambda: bool(member.records), member)
    embedded_broker.push_errors(ApiKey.OFFSET_COMMIT, [KafkaError.REBALANCE_IN_PROGRESS])
    result = member.source.commit({first: 1})
    assert result.committed == {}
    assert result.refused is not None
    assert kafka.committed(0) == 100
    assert member.source.commit({first: 1}).refused is None
    assert kafka.committed(0) == 1
    member.source.close()
