"""Members of one group on Apache Kafka, under each way of sharing partitions out (known bugs 12, 14, 24, 33 to 36)."""

import random
import subprocess
import sys
from collections.abc import Sequence
from threading import Thread

import pytest

from pipeline.errors import RemoteRefusedError
from pipeline.records import Record, TopicPartition
from tests.contract.source_driving import Member, poll_for, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.apache_kafka import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.full]

WAYS: dict[str, dict[str, str]] = {
    "cooperative": {},
    "eager": {"partition_assignment_strategy": "range"},
    "consumer-protocol": {"group_protocol": "consumer"},
}


@pytest.fixture(params=sorted(WAYS))
def kafka(request: pytest.FixtureRequest, apache_kafka: ApacheKafka) -> OnBroker:
    """A topic of six partitions."""
    return OnBroker(apache_kafka, 6, **WAYS[request.param])


def unread(members: Sequence[Member], written: dict[int, int]) -> set[tuple[int, int]]:
    """Offsets that no member has read."""
    every = {(partition, offset) for partition, count in written.items() for offset in range(count)}
    return every - {(r.partition, r.offset) for member in members for r in member.records}


def close_while_others_poll(leaving: Member, others: Sequence[Member]) -> None:
    """Leaving in the middle of a rebalance waits for the others, as they do in processes of their own."""
    closing = Thread(target=leaving.source.close)
    closing.start()
    poll_until(lambda: not closing.is_alive(), *others)


def test_members_that_come_and_go_under_load_miss_nothing_and_repeat_nothing(kafka: OnBroker) -> None:
    """Every member commits what it read when it is revoked, so a clean rebalance repeats nothing."""
    chance = random.Random(7)
    written = dict.fromkeys(range(6), 0)
    gone: list[Member] = []
    members = [Member(kafka.source(), on_revoked=Member.commit_what_was_read)]
    for step in range(8):
        for partition in range(6):
            kafka.write(partition, b"x")
            written[partition] += 1
        if step % 2 == 0 and len(members) < 3:
            members.append(Member(kafka.source(), on_revoked=Member.commit_what_was_read))
        elif len(members) > 1:
            gone.append(leaving := members.pop(chance.randrange(len(members))))
            close_while_others_poll(leaving, members)
        poll_until(lambda: sum(len(m.assigned_now) for m in members) == 6, *members)
        poll_until(lambda: not unread([*members, *gone], written), *members)
    for member in members:
        member.source.close()
    everything = [(r.partition, r.offset) for m in [*members, *gone] for r in m.records]
    assert len(everything) == len(set(everything)) == 48
    assert [kafka.committed(p) for p in range(6)] == [8] * 6


def test_commits_go_on_through_rebalances_and_never_go_back(kafka: OnBroker) -> None:
    steady = Member(kafka.source(), on_revoked=Member.commit_what_was_read)
    seen: dict[TopicPartition, int] = {}
    poll_until(lambda: len(steady.assigned_now) == 6, steady)
    for _ in range(3):
        for partition in range(6):
            kafka.write(partition, b"x")
        guest = Member(kafka.source(), on_revoked=Member.commit_what_was_read)
        poll_until(lambda: len(guest.assigned_now) == 3, steady, guest)  # noqa: B023 - used at once
        guest.source.close()
        poll_until(lambda: len(steady.assigned_now) == 6, steady)
        result = steady.source.commit(steady.next_offsets())
        assert all(offset >= seen.get(partition, 0) for partition, offset in result.committed.items())
        seen.update(result.committed)
    assert not [event for event in steady.events if event[0] == "lost"]
    steady.source.close()


def test_a_member_that_did_not_poll_in_time_loses_its_partitions_and_wins_them_back(kafka: OnBroker) -> None:
    kafka.write(0, b"x")
    slow = Member(kafka.source(session_timeout_s=3.0, max_poll_interval_s=3.0))
    poll_until(lambda: bool(slow.records), slow)
    other = Member(kafka.source())
    poll_until(lambda: len(other.assigned_now) == 6, other)  # `slow` is silent for all that time
    result = slow.source.commit({TopicPartition(kafka.topic, 0): 1})
    assert result.committed == {}
    assert kafka.committed(0) is None
    poll_until(lambda: len(slow.assigned_now) == len(other.assigned_now) == 3, slow, other)
    other.source.close()
    poll_until(lambda: len(slow.assigned_now) == 6, slow)
    assert {event for event, _ in slow.events} & {"lost", "revoked"}
    slow.source.close()


def test_an_idle_or_paused_member_stays_in_its_group(kafka: OnBroker) -> None:
    member = Member(kafka.source(session_timeout_s=3.0, max_poll_interval_s=3.0))
    poll_until(lambda: len(member.assigned_now) == 6, member)
    member.source.pause(member.assigned_now)
    kafka.write(0, b"x")
    poll_for(7.0, member)
    assert [event for event, _ in member.events].count("assigned") == 1
    assert not member.records
    member.source.resume(member.assigned_now)
    poll_until(lambda: bool(member.records), member)
    member.source.close()


MEMBER_TO_KILL = """
import sys
from pipeline.records import TopicPartition
from tests.contract.source_driving import Member, poll_for, poll_until
from tests.contract.source_kafkas import options_from_json
from pipeline.kafka.source import KafkaSource

options = options_from_json(sys.argv[1])
member = Member(KafkaSource(options))
poll_until(lambda: len(member.records) == 6, member)
member.source.commit({TopicPartition(options.topics[0], 0): 1})
print("READY", flush=True)
poll_for(60, member)
"""


def test_a_killed_member_is_replaced_and_what_it_did_not_commit_comes_again(kafka: OnBroker) -> None:
    for partition in range(6):
        kafka.write(partition, b"%d" % partition)
    command = [sys.executable, "-c", MEMBER_TO_KILL, kafka.options_as_json(session_timeout_s=3.0)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        while b"READY" not in (line := killed.stdout.readline()):
            assert line, "the member ended by itself"
        killed.kill()
    heir = Member(kafka.source())
    poll_until(lambda: len(heir.records) == 5, heir)
    assert sorted(r.partition for r in heir.records) == [1, 2, 3, 4, 5]
    heir.source.close()


def test_a_partition_that_is_added_is_read_from_its_beginning(
    kafka: OnBroker, apache_kafka: ApacheKafka
) -> None:
    refresh = {"topic.metadata.refresh.interval.ms": 500}
    member = Member(kafka.source(start="latest", properties=refresh))
    poll_until(lambda: len(member.assigned_now) == 6, member)
    apache_kafka.add_partitions(kafka.topic, 7)
    kafka.write(6, b"before it is seen")
    poll_until(lambda: bool(member.records), member)
    assert member.records[0][:3] == Record(kafka.topic, 6, 0)[:3]
    member.source.close()


def test_a_second_member_with_the_same_instance_id_stops_one_of_them(kafka: OnBroker) -> None:
    instance = {"group.instance.id": "one"}
    first = Member(kafka.source(properties=instance))
    poll_until(lambda: len(first.assigned_now) == 6, first)
    second = Member(kafka.source(properties=instance))
    with pytest.raises(RemoteRefusedError, match=r"instance"):
        poll_until(lambda: False, first, second)
    first.source.close()
    second.source.close()


def test_a_static_member_that_comes_back_in_time_disturbs_nobody(kafka: OnBroker) -> None:
    def static(name: str) -> dict[str, str]:
        return {"group.instance.id": name}

    first, second = (Member(kafka.source(properties=static(name))) for name in ("one", "two"))
    poll_until(lambda: len(first.assigned_now) == len(second.assigned_now) == 3, first, second)
    before = list(first.events)
    second.source.close()
    third = Member(kafka.source(properties=static("two")))
    poll_until(lambda: len(third.assigned_now) == 3, first, third)
    assert first.events == before
    assert third.assigned_now.isdisjoint(first.assigned_now)
    first.source.close()
    third.source.close()
