"""Brokers that are away, refuse, or do not have what is asked for."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from pipeline.errors import ConfigurationError, RemoteRefusedError
from pipeline.kafka.embedded import ApiKey
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.source import KafkaSource
from pipeline.records import TopicPartition
from tests.contract.source_driving import Member, poll_until
from tests.contract.source_kafkas import OnBroker
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess, skip_without_native_interface
from tests.servers.hostile import HostileServer
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.ports import free_ports


@pytest.fixture
def broker() -> Iterator[EmbeddedBrokerProcess]:
    """A broker of the test's own, since it is taken down."""
    skip_without_native_interface()
    with EmbeddedBrokerProcess() as broker:
        yield broker


def test_an_unreachable_broker_is_named_and_tried_again_and_again() -> None:
    [port] = free_ports(1)
    options = KafkaOptions(bootstrap_servers=f"127.0.0.1:{port}", topics=("events",), group_id="g")
    member = Member(KafkaSource(options))
    poll_until(lambda: member.source.trouble is not None, member)
    assert f"127.0.0.1:{port}" in str(member.source.trouble)
    member.poll()
    member.source.close()


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(1024):
        pass


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("silent", [False, True])
def test_a_pipeline_whose_brokers_do_not_answer_can_be_stopped(
    tmp_path: Path, number: signal.Signals, silent: bool
) -> None:
    with HostileServer(say_nothing) as server:
        address = server.base_url.removeprefix("http://") if silent else f"127.0.0.1:{free_ports(1)[0]}"
        configuration = write_configuration(
            tmp_path, bootstrap_servers=address, topic="events", base_url="http://127.0.0.1:9"
        )
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(lambda: pipeline.logged("started"), "started")
            assert pipeline.stop(number) == 128 + number
            assert pipeline.logged("stopped")


def test_reading_goes_on_when_the_broker_comes_back(broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(broker, 1, reconnect_backoff_max_ms=200)
    kafka.write(0, b"1")
    member = Member(kafka.source(session_timeout_s=6.0))
    partition = TopicPartition(kafka.topic, 0)
    poll_until(lambda: bool(member.records), member)
    broker.set_down()
    poll_until(lambda: member.source.trouble is not None, member)
    refused = member.source.commit({partition: 1})  # at once, although nobody answers
    assert refused.committed == {}
    assert refused.refused == member.source.trouble
    broker.set_up()
    poll_until(lambda: member.source.trouble is None, member)
    kafka.write(0, b"2")
    poll_until(lambda: len(member.records) >= 2, member)
    poll_until(lambda: member.source.commit({partition: 2}).refused is None, member)
    assert kafka.committed(0) == 2
    member.source.close()


@pytest.mark.kafka
def test_a_topic_that_does_not_exist_is_named(apache_kafka: ApacheKafka) -> None:
    kafka = OnBroker(apache_kafka, 1)
    member = Member(kafka.source(topics=(kafka.topic, "absent")))
    with pytest.raises(ConfigurationError, match="the topic absent does not exist"):
        poll_until(lambda: False, member)
    member.source.close()


@pytest.mark.kafka
def test_topics_may_be_a_regular_expression(apache_kafka: ApacheKafka) -> None:
    kafka = OnBroker(apache_kafka, 1)
    kafka.write(0, b"x")
    member = Member(kafka.source(topics=("^" + kafka.topic[:-1] + ".",)))
    poll_until(lambda: bool(member.records), member)
    assert member.records[0].topic == kafka.topic
    member.source.close()


@pytest.mark.parametrize(
    ("api_key", "error"),
    [
        (ApiKey.JOIN_GROUP, KafkaError.GROUP_AUTHORIZATION_FAILED),
        (ApiKey.JOIN_GROUP, KafkaError.INCONSISTENT_GROUP_PROTOCOL),
        (ApiKey.FETCH, KafkaError.TOPIC_AUTHORIZATION_FAILED),
    ],
)
def test_a_refusal_for_good_stops_the_reader(
    broker: EmbeddedBrokerProcess, api_key: ApiKey, error: int
) -> None:
    kafka = OnBroker(broker, 1)
    kafka.write(0, b"x")
    broker.push_errors(api_key, [error] * 20)
    member = Member(kafka.source())
    with pytest.raises(RemoteRefusedError, match="Kafka refuses"):
        poll_until(lambda: False, member)
    member.source.close()


@pytest.mark.parametrize(
    "error", [KafkaError.NOT_COORDINATOR, KafkaError.UNKNOWN, KafkaError.COORDINATOR_LOAD_IN_PROGRESS]
)
def test_a_partition_whose_offset_could_not_be_fetched_starts_where_it_was_committed(
    broker: EmbeddedBrokerProcess, error: int
) -> None:
    """Known bugs 6 and 44: it never starts, or starts somewhere else."""
    kafka = OnBroker(broker, 1)
    for number in range(3):
        kafka.write(0, b"%d" % number)
    first = Member(kafka.source())
    poll_until(lambda: len(first.records) == 3, first)
    first.source.commit({TopicPartition(kafka.topic, 0): 2})
    first.source.close()
    broker.push_errors(ApiKey.OFFSET_FETCH, [error])
    second = Member(kafka.source(stuck_after_s=1.0))
    poll_until(lambda: bool(second.records), second)
    assert second.values() == [b"2"]
    second.source.close()


def test_a_coordinator_that_nobody_knows_is_trouble_until_it_is_found(broker: EmbeddedBrokerProcess) -> None:
    kafka = OnBroker(broker, 1)
    kafka.write(0, b"x")
    broker.push_errors(ApiKey.FIND_COORDINATOR, [KafkaError.COORDINATOR_NOT_AVAILABLE] * 40)
    member = Member(kafka.source())
    poll_until(lambda: member.source.trouble is not None, member)
    assert member.source.trouble == "the group's coordinator cannot be found"
    poll_until(lambda: bool(member.records) and member.source.trouble is None, member)
    member.source.close()


@pytest.mark.kafka
def test_a_topic_that_is_deleted_and_made_again_is_read_by_whoever_comes_next(
    apache_kafka: ApacheKafka,
) -> None:
    kafka = OnBroker(apache_kafka, 1)
    for _ in range(3):
        kafka.write(0, b"old")
    first = Member(kafka.source())
    poll_until(lambda: len(first.records) == 3, first)
    first.commit_what_was_read()
    first.source.close()
    kafka.make_topic_again()
    kafka.write(0, b"new")
    second = Member(kafka.source())
    poll_until(lambda: bool(second.records), second)
    assert second.values() == [b"new"]
    second.source.close()


@pytest.mark.kafka
def test_a_topic_that_is_made_again_under_a_reader_is_not_waited_for_in_silence(
    apache_kafka: ApacheKafka,
) -> None:
    """Known bug 28: with fewer records than were read before, the old position lies beyond the end."""
    kafka = OnBroker(apache_kafka, 1, topic_metadata_refresh_interval_ms=500)
    for _ in range(3):
        kafka.write(0, b"old")
    member = Member(kafka.source())
    poll_until(lambda: len(member.records) == 3, member)
    member.commit_what_was_read()
    kafka.make_topic_again()
    kafka.write(0, b"new")
    try:
        poll_until(lambda: b"new" in member.values(), member)
    except RemoteRefusedError as error:
        assert "recreated or truncated" in str(error)
    member.source.close()


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"no.such.property": "x"}, "no.such.property"),
        ({"enable.auto.commit": True}, "enable.auto.commit may not be set"),
        ({"auto.offset.reset": "latest"}, "auto.offset.reset may not be set"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "NONE", "sasl.password": "NONE"}, r"\*\*\*"),
    ],
)
def test_a_property_that_cannot_be_used_is_named_without_secrets(
    properties: dict[str, object], words: str
) -> None:
    options = KafkaOptions(
        bootstrap_servers="127.0.0.1:1",
        topics=("events",),
        group_id="g",
        properties=properties,  # type: ignore[arg-type]
    )
    with pytest.raises(ConfigurationError, match=words):
        Member(KafkaSource(options))
    assert "NONE" not in repr(options)
