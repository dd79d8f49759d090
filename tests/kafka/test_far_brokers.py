"""Brokers that answer, but later than the first look at the topics waits."""

from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.embedded import EmbeddedBrokerProcess, skip_without_native_interface


def test_brokers_far_away_are_read_and_the_rate_is_shared() -> None:
    skip_without_native_interface()
    with EmbeddedBrokerProcess() as broker:
        read_by_two_members(broker)


def read_by_two_members(broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(broker, 2)
    for partition in range(2):
        kafka.write(partition, b"x")
    broker.set_delay_ms(400)
    members = [Member(kafka.source(session_timeout_s=6.0)) for _ in range(2)]
    poll_until(lambda: sum(len(member.records) for member in members) >= 2, *members)
    poll_until(lambda: [member.source.share for member in members] == [0.5, 0.5], *members)
    broker.set_delay_ms(0)
    for member in members:
        member.source.close()
