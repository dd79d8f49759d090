"""What every `Source` does, the one that reads Apache Kafka and the one that the engine's tests use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import RemoteRefusedError
from pipeline.records import Record, TopicPartition
from tests.contract.source_driving import Member, poll_for, poll_until
from tests.contract.source_kafkas import BehindLearning, InMemory, KafkaOfTest, OnBroker

QUIET_S = 0.5


_REBALANCES: dict[str, dict[str, str]] = {
    "apache": {},
    "apache-eager": {"partition_assignment_strategy": "range"},
    "apache-consumer-protocol": {"group_protocol": "consumer"},
}


@pytest.fixture(
    params=[
        "memory",
        "memory-learning",
        "embedded",
        pytest.param("embedded-learning", marks=pytest.mark.full),
        pytest.param("apache-learning", marks=[pytest.mark.kafka, pytest.mark.full]),
        pytest.param("apache", marks=[pytest.mark.kafka, pytest.mark.full]),
        pytest.param("apache-eager", marks=[pytest.mark.kafka, pytest.mark.full]),
        pytest.param("apache-consumer-protocol", marks=[pytest.mark.kafka, pytest.mark.full]),
    ]
)
def kafka(request: pytest.FixtureRequest, tmp_path: Path) -> KafkaOfTest:
    """A topic of two partitions."""
    name: str = request.param
    found = kafka_called(name.removesuffix("-learning"), request)
    return BehindLearning(found, tmp_path) if name.endswith("-learning") else found


def kafka_called(name: str, request: pytest.FixtureRequest) -> KafkaOfTest:
    if name == "memory":
        return InMemory(2)
    if name == "embedded":
        return OnBroker(request.getfixturevalue("embedded_broker"), 2)
    return OnBroker(request.getfixturevalue("apache_kafka"), 2, **_REBALANCES[name])


@pytest.fixture
def members() -> Iterator[list[Member]]:
    """Members to close when the test ends, however it ends."""
    started: list[Member] = []
    yield started
    for member in started:
        member.source.close()


def both(kafka: KafkaOfTest) -> tuple[TopicPartition, TopicPartition]:
    return TopicPartition(kafka.topic, 0), TopicPartition(kafka.topic, 1)


def test_a_record_arrives_as_it_was_written(kafka: KafkaOfTest, members: list[Member]) -> None:
    headers = (("a", b"1"), ("b", None), ("a", b""))
    kafka.write(0, b"value", b"key", headers, 1_700_000_000_123)
    members.append(member := Member(kafka.source()))
    poll_until(lambda: bool(member.records), member)
    assert member.records == [Record(kafka.topic, 0, 0, b"key", b"value", headers, 1_700_000_000_123)]


def test_a_tombstone_is_not_an_empty_value(kafka: KafkaOfTest, members: list[Member]) -> None:
    for value in (None, b"", b"x"):
        kafka.write(0, value)
    members.append(member := Member(kafka.source()))
    poll_until(lambda: len(member.records) == 3, member)
    assert member.values() == [None, b"", b"x"]
    assert [r.key for r in member.records] == [None, None, None]


def test_the_listener_hears_of_partitions_before_their_records(
    kafka: KafkaOfTest, members: list[Member]
) -> None:
    kafka.write(1, b"x")
    members.append(member := Member(kafka.source()))
    poll_until(lambda: bool(member.records), member)
    assert member.events == [("assigned", both(kafka))]


def test_records_of_a_partition_keep_their_order(kafka: KafkaOfTest, members: list[Member]) -> None:
    for number in range(30):
        kafka.write(number % 2, b"%d" % number)
    members.append(member := Member(kafka.source()))
    poll_until(lambda: len(member.records) == 30, member)
    assert [member.values(p) for p in (0, 1)] == [[b"%d" % n for n in range(p, 30, 2)] for p in (0, 1)]


def test_a_poll_gives_no_more_than_it_was_asked_for(kafka: KafkaOfTest, members: list[Member]) -> None:
    for number in range(10):
        kafka.write(0, b"%d" % number)
    members.append(member := Member(kafka.source()))
    poll_until(lambda: bool(member.assigned_now), member)
    while len(member.records) < 10:
        before = len(member.records)
        member.poll(max_records=3)
        assert len(member.records) - before <= 3


def test_the_position_is_what_comes_after_the_last_record(kafka: KafkaOfTest, members: list[Member]) -> None:
    for _ in range(3):
        kafka.write(0, b"x")
    members.append(member := Member(kafka.source()))
    first, second = both(kafka)
    assert member.source.position(first) is None
    poll_until(lambda: len(member.records) == 3, member)
    assert member.source.position(first) == 3
    poll_until(lambda: member.source.position(second) == 0, member)
    assert member.source.position(TopicPartition("elsewhere", 0)) is None


def test_a_commit_is_where_the_next_member_begins(kafka: KafkaOfTest, members: list[Member]) -> None:
    for number in range(4):
        kafka.write(0, b"%d" % number)
    first = Member(kafka.source())
    poll_until(lambda: len(first.records) == 4, first)
    result = first.source.commit({both(kafka)[0]: 2})
    assert (result.committed, result.refused) == ({both(kafka)[0]: 2}, None)
    assert kafka.committed(0) == 2
    first.source.close()
    members.append(second := Member(kafka.source()))
    poll_until(lambda: len(second.records) >= 2, second)
    assert second.values() == [b"2", b"3"]


def test_what_was_not_committed_comes_again(kafka: KafkaOfTest, members: list[Member]) -> None:
    kafka.write(0, b"x")
    first = Member(kafka.source())
    poll_until(lambda: bool(first.records), first)
    first.source.close()
    members.append(second := Member(kafka.source()))
    poll_until(lambda: bool(second.records), second)
    assert second.values() == [b"x"]


def test_a_commit_never_goes_back(kafka: KafkaOfTest, members: list[Member]) -> None:
    partition = both(kafka)[0]
    for _ in range(3):
        kafka.write(0, b"x")
    members.append(member := Member(kafka.source()))
    poll_until(lambda: len(member.records) == 3, member)
    member.source.commit({partition: 3})
    member.source.commit({partition: 1})
    assert member.source.commit({partition: 3}).refused is None
    assert kafka.committed(0) == 3


def test_a_partition_that_is_not_ours_is_not_committed(kafka: KafkaOfTest, members: list[Member]) -> None:
    kafka.write(0, b"x")
    members.append(member := Member(kafka.source()))
    poll_until(lambda: bool(member.records), member)
    result = member.source.commit({both(kafka)[0]: 1, TopicPartition(kafka.topic, 7): 5})
    assert result.committed == {both(kafka)[0]: 1}
    assert result.refused is not None


def test_a_paused_partition_gives_nothing_until_it_is_resumed(
    kafka: KafkaOfTest, members: list[Member]
) -> None:
    members.append(member := Member(kafka.source()))
    first, second = both(kafka)
    poll_until(lambda: member.source.position(first) is not None, member)
    member.source.pause([first, TopicPartition("elsewhere", 0)])
    for partition in (0, 1):
        kafka.write(partition, b"%d" % partition)
    poll_until(lambda: bool(member.records), member)
    poll_for(QUIET_S, member)
    assert member.values() == [b"1"]
    member.source.resume([first, second])
    poll_until(lambda: len(member.records) == 2, member)
    assert member.values() == [b"1", b"0"]


def test_pausing_again_and_again_loses_and_repeats_nothing(kafka: KafkaOfTest, members: list[Member]) -> None:
    for number in range(20):
        kafka.write(number % 2, b"%d" % number)
    members.append(member := Member(kafka.source()))
    poll_until(lambda: bool(member.assigned_now), member)
    while len(member.records) < 20:
        before = len(member.records)
        poll_until(lambda: len(member.records) > before, member, max_records=7)  # noqa: B023 - used at once
        member.source.pause(both(kafka))
        member.poll(max_records=7)
        member.source.resume(both(kafka))
    assert sorted(r.offset for r in member.records if r.partition == 0) == list(range(10))
    assert sorted(r.offset for r in member.records if r.partition == 1) == list(range(10))


def test_a_second_member_takes_over_where_the_first_has_committed(
    kafka: KafkaOfTest, members: list[Member]
) -> None:
    for number in range(10):
        kafka.write(number % 2, b"%d" % number)
    members.append(first := Member(kafka.source(), on_revoked=Member.commit_what_was_read))
    poll_until(lambda: len(first.records) == 10, first)
    # Not left to the revoke: the embedded broker takes no commit once a rebalance waits for its members.
    first.commit_what_was_read()
    members.append(second := Member(kafka.source()))
    poll_until(lambda: bool(second.assigned_now) and len(first.assigned_now) == 1, first, second)
    for partition in (0, 1):
        kafka.write(partition, b"late")
    poll_until(lambda: b"late" in first.values() and b"late" in second.values(), first, second)
    assert first.assigned_now | second.assigned_now == set(both(kafka))
    assert second.values() == [b"late"]
    assert len(first.records) == 11


def test_a_paused_partition_that_is_won_back_flows_again(kafka: KafkaOfTest, members: list[Member]) -> None:
    members.append(first := Member(kafka.source()))
    poll_until(lambda: len(first.assigned_now) == 2, first)
    first.source.pause(both(kafka))
    second = Member(kafka.source())
    poll_until(lambda: len(first.assigned_now) == len(second.assigned_now) == 1, first, second)
    [moved] = second.assigned_now
    second.source.close()
    poll_until(lambda: len(first.assigned_now) == 2, first)
    kafka.write(moved.partition, b"x")
    poll_until(lambda: bool(first.records), first)
    assert first.records[0].partition == moved.partition


def test_closing_revokes_and_lets_commit_once_more(kafka: KafkaOfTest) -> None:
    kafka.write(0, b"x")
    member = Member(kafka.source(), on_revoked=Member.commit_what_was_read)
    poll_until(lambda: bool(member.records), member)
    member.source.close()
    member.source.close()
    assert member.events[-1] == ("revoked", both(kafka))
    assert kafka.committed(0) == 1


def test_a_new_group_may_begin_at_the_end(kafka: KafkaOfTest, members: list[Member]) -> None:
    kafka.write(0, b"old")
    members.append(member := Member(kafka.source(start="latest")))
    poll_until(lambda: member.source.position(both(kafka)[0]) == 1, member)
    kafka.write(0, b"new")
    poll_until(lambda: bool(member.records), member)
    assert member.values() == [b"new"]


def lag_behind_deletion(kafka: KafkaOfTest) -> None:
    """The group has committed 1, and records 0 to 2 of 4 are gone."""
    for number in range(4):
        kafka.write(0, b"%d" % number)
    member = Member(kafka.source())
    poll_until(lambda: len(member.records) == 4, member)
    member.source.commit({both(kafka)[0]: 1})
    member.source.close()
    kafka.delete_before(0, 3)


def test_unread_records_that_were_deleted_stop_the_reader(kafka: KafkaOfTest, members: list[Member]) -> None:
    lag_behind_deletion(kafka)
    members.append(member := Member(kafka.source(out_of_range="fail")))
    with pytest.raises(RemoteRefusedError, match=f"{kafka.topic}/0"):
        poll_until(lambda: bool(member.records), member)
    assert kafka.committed(0) == 1


def test_unread_records_that_were_deleted_may_be_passed_over(
    kafka: KafkaOfTest, members: list[Member]
) -> None:
    lag_behind_deletion(kafka)
    members.append(member := Member(kafka.source(out_of_range="earliest")))
    poll_until(lambda: bool(member.records), member)
    assert member.values() == [b"3"]


def test_unread_records_that_were_deleted_may_be_left_for_the_end(
    kafka: KafkaOfTest, members: list[Member]
) -> None:
    lag_behind_deletion(kafka)
    members.append(member := Member(kafka.source(out_of_range="latest")))
    poll_until(lambda: member.source.position(both(kafka)[0]) == 4, member)
    kafka.write(0, b"new")
    poll_until(lambda: bool(member.records), member)
    assert member.values() == [b"new"]


def test_the_ends_of_the_partitions_are_known(kafka: KafkaOfTest, members: list[Member]) -> None:
    kafka.write(0, b"x")
    kafka.write(0, b"x")
    members.append(member := Member(kafka.source()))
    ends = {both(kafka)[0]: 2, both(kafka)[1]: 0}
    poll_until(lambda: member.source.end_offsets() == ends, member)


def test_nothing_is_wrong_while_the_broker_answers(kafka: KafkaOfTest, members: list[Member]) -> None:
    members.append(member := Member(kafka.source()))
    poll_until(lambda: bool(member.assigned_now), member)
    poll_until(lambda: member.source.trouble is None, member)
