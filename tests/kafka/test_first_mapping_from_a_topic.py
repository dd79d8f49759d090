"""`cio-pipeline mapping new --from-topic`: a first mapping from a topic, and nothing left behind in Kafka."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli.entry import run_command_line
from pipeline.errors import ExitStatus
from pipeline.kafka.embedded import ApiKey
from pipeline.kafka.sample import latest_ranges
from pipeline.records import TopicPartition
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.ports import free_ports

ORDER = {
    "type": "order.placed",
    "user": {"id": "u7"},
    "occurred_at": "2026-03-14T09:26:53Z",
    "total": 129.5,
}
SIGNUP = {
    "type": "user.created",
    "user": {"id": "u7", "email": "ada@example.com"},
    "occurred_at": "2026-03-14T09:26:53Z",
}


@pytest.fixture
def topic(embedded_broker: EmbeddedBrokerProcess, tmp_path: Path) -> str:
    name = f"sample-{tmp_path.name.replace('_', '-')}"
    embedded_broker.create_topic(name, 3)
    return name


def fill(servers: str, topic: str, values: Sequence[Any]) -> None:
    producer = Producer({"bootstrap.servers": servers})
    for number, value in enumerate(values):
        text = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        producer.produce(topic, text, partition=number % 3, timestamp=1_773_480_000_000 + number)
    assert producer.flush(20) == 0


def new(*arguments: str) -> int:
    return run_command_line(["mapping", "new", *arguments])


def test_a_first_mapping_of_a_topic_lints_passes_its_tests_and_covers_its_rules(
    embedded_broker: EmbeddedBrokerProcess,
    topic: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    servers = embedded_broker.bootstrap_servers
    fill(servers, topic, [SIGNUP, ORDER, ORDER, ORDER, ORDER])
    written = tmp_path / "first.yaml"
    assert new("--from-topic", topic, "--bootstrap-servers", servers, "--output", str(written)) == 0
    text = written.read_text()
    assert text.startswith(f"# A first mapping, guessed from 5 events of the topic {topic}.")
    assert text.index("order.placed") < text.index("user.created")
    assert run_command_line(["mapping", "test", str(written), "--min-coverage", "100"]) == 0
    assert run_command_line(["mapping", "lint", str(written), "--strict"]) == 0
    assert "2 passed, 0 failed; coverage 100%" in capsys.readouterr().out


def test_reading_a_sample_joins_no_group_and_commits_nothing(
    embedded_broker: EmbeddedBrokerProcess, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(embedded_broker.bootstrap_servers, topic, [ORDER])
    embedded_broker.track_requests()
    assert new("--from-topic", topic, "--bootstrap-servers", embedded_broker.bootstrap_servers) == 0
    assert embedded_broker.count_requests([ApiKey.FETCH]) > 0
    group = [ApiKey.JOIN_GROUP, ApiKey.SYNC_GROUP, ApiKey.HEARTBEAT, ApiKey.OFFSET_COMMIT]
    assert embedded_broker.count_requests([*group, ApiKey.CONSUMER_GROUP_HEARTBEAT]) == 0
    assert "order.placed" in capsys.readouterr().out


def test_the_latest_records_of_every_partition_are_the_sample(
    embedded_broker: EmbeddedBrokerProcess, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [{**ORDER, "type": "order.old"}] * 30
    fill(embedded_broker.bootstrap_servers, topic, [*old, SIGNUP, ORDER, ORDER])
    servers = embedded_broker.bootstrap_servers
    assert new("--from-topic", topic, "--bootstrap-servers", servers, "--records", "3") == 0
    text = capsys.readouterr().out
    assert "guessed from 3 events" in text
    assert "order.placed" in text
    assert "user.created" in text
    assert "order.old" not in text


def test_the_configuration_says_how_to_reach_kafka_and_what_a_record_is(
    embedded_broker: EmbeddedBrokerProcess,
    topic: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    envelope = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order", "data": ORDER}
    fill(embedded_broker.bootstrap_servers, topic, [envelope, None, b"\xff", [1]])
    configuration = {
        "kafka": {"bootstrap_servers": embedded_broker.bootstrap_servers, "topics": topic},
        "decode": {"envelope": "cloudevents"},
        "mapping": {"files": ["not-there-yet.yaml"]},
    }
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(configuration))
    assert new("--from-topic", topic, "--config", str(path)) == 0, "without any credentials of Customer.io"
    told = capsys.readouterr()
    assert "guessed from 1 events" in told.out
    assert "order.placed" in told.out
    assert "3 of 4 events are no JSON objects; the first that cannot be read: " in told.err
    assert f"{topic}/2@0" in told.err


def test_brokers_that_nobody_can_reach_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    [port] = free_ports(1)
    assert new("--from-topic", "shop", "--bootstrap-servers", f"127.0.0.1:{port}") == ExitStatus.FAILED
    told = capsys.readouterr()
    assert told.err.startswith(f"Error: cannot ask for topics at 127.0.0.1:{port}: ")
    assert told.err.endswith("; check the address, and that this machine may reach it\n")
    assert told.out == ""


def test_a_topic_that_is_not_there_is_named(
    embedded_broker: EmbeddedBrokerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = embedded_broker.bootstrap_servers
    assert new("--from-topic", "shpo", "--bootstrap-servers", servers) == ExitStatus.USAGE
    assert capsys.readouterr().err == (
        f"Error: the topic shpo does not exist at {servers}, or the user may not see it;"
        " check the topic's name and the user's rights\n"
    )


def test_an_empty_topic_says_what_to_do(
    embedded_broker: EmbeddedBrokerProcess, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = embedded_broker.bootstrap_servers
    assert new("--from-topic", topic, "--bootstrap-servers", servers) == ExitStatus.FAILED
    assert capsys.readouterr().err == (
        f"Error: the topic {topic} at {servers} has no records to read; send it some events first,"
        " or use a file of events\n"
    )


def test_a_topic_without_json_objects_says_what_it_has_instead(
    embedded_broker: EmbeddedBrokerProcess, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(embedded_broker.bootstrap_servers, topic, [b"secret-text", None])
    assert new("--from-topic", topic, "--bootstrap-servers", embedded_broker.bootstrap_servers) == 1
    told = capsys.readouterr().err
    assert f"there is no JSON object among the 2 events of the topic {topic}" in told
    assert f"the first that cannot be read: {topic}/0@0: " in told
    assert "secret-text" not in told


@settings(suppress_health_check=[HealthCheck.too_slow])  # the machine's pace is not what is tested
@given(
    st.dictionaries(
        st.integers(0, 9),
        st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: (pair[0], sum(pair))),
    ),
    st.integers(1, 120),
)
def test_a_sample_takes_what_is_there_from_the_end_and_no_partition_is_left_out(
    lengths: dict[int, tuple[int, int]], count: int
) -> None:
    ends = {TopicPartition("t", number): pair for number, pair in lengths.items()}
    ranges = latest_ranges(ends, count)
    filled = {name for name, (low, high) in ends.items() if high > low}
    assert set(ranges) == filled
    assert all(ends[name][0] <= each.start < each.end == ends[name][1] for name, each in ranges.items())
    taken = sum(each.end - each.start for each in ranges.values())
    there = sum(high - low for low, high in ends.values())
    assert taken == min(there, max(count, len(filled)))
