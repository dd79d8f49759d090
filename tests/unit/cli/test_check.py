"""`cio-pipeline check` on real servers: what it finds right, what it finds wrong, and what it says to do."""

import json
import os
import re
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.kafka.progress import group_progress
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.internet import Internet
from tests.servers.pipeline import write_configuration
from tests.servers.ports import free_ports
from tests.servers.sandbox import API_KEY, SandboxThread
from tests.servers.serving import serving

_topics = count(1)
SIGNED_UP = {
    "type": "user.signed_up",
    "occurred_at": "2026-03-14T09:26:53Z",
    "user": {"id": "ann", "email": "a@b.c"},
}


@pytest.fixture
def topic(embedded_broker: EmbeddedBrokerProcess) -> str:
    topic = f"checked-{next(_topics)}"
    embedded_broker.create_topic(topic, 3)
    return topic


class Checked:
    """What one run said."""

    def __init__(self, configuration: Path, *arguments: str, **more: str) -> None:
        command = [sys.executable, "-m", "pipeline", "check", "--config", str(configuration), *arguments]
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CIO_PIPELINE")
        }
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env={**environment, **more}
        )
        self.status, self.output, self.errors = done.returncode, done.stdout, done.stderr

    def all(self, name: str) -> list[dict[str, Any]]:
        document = json.loads(self.output)
        assert document["ok"] == (self.status == 0), self.output + self.errors
        return [check for check in document["checks"] if check["name"] == name]

    def __getitem__(self, name: str) -> dict[str, Any]:
        (check,) = self.all(name)
        return check


def configured(
    folder: Path, broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, **sections: Any
) -> Path:
    return write_configuration(
        folder,
        bootstrap_servers=broker.bootstrap_servers,
        topic=topic,
        base_url=sandbox.base_url,
        **sections,
    )


def put(broker: EmbeddedBrokerProcess, topic: str, partition: int, *events: object) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for event in events:
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        producer.produce(topic, value, partition=partition, timestamp=1_790_000_000_000)
    assert producer.flush(10) == 0


def test_everything_right_is_a_tick_a_line_and_status_0(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    put(embedded_broker, topic, 0, SIGNED_UP, {"type": "nobody.cares"})
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic))
    assert checked.status == 0, checked.output + checked.errors
    lines = checked.output.splitlines()
    assert lines[-1] == "all is well"
    names = (
        "settings",
        "mapping",
        "broker",
        "authentication",
        "topic",
        "dead letters",
        "reading",
        "decoding",
    )
    for name in (*names, "matched", "order", "customer.io", "region", "clock"):
        assert any(line.startswith(f"✓ {name} ") for line in lines), (name, checked.output)
    assert "1 of the last 2 records (50%) match no rule" in checked.output
    assert API_KEY not in checked.output


def test_nothing_is_sent_committed_or_written(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    put(embedded_broker, topic, 0, SIGNED_UP)
    before = sandbox.counts()["calls"]
    assert Checked(configured(tmp_path, embedded_broker, sandbox, topic)).status == 0
    assert sandbox.counts()["calls"] == before
    assert all(
        each.committed is None
        for each in group_progress(embedded_broker.bootstrap_servers, "test-group", topic)
    )
    assert [file.name for file in tmp_path.iterdir()] == ["pipeline.yaml"]


def test_a_person_in_several_partitions_is_a_cross(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    put(embedded_broker, topic, 0, SIGNED_UP)
    put(embedded_broker, topic, 2, SIGNED_UP)
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic), "--json")
    assert checked.status == 1
    assert checked["order"]["state"] == "failed"
    assert "1 of 1 people" in checked["order"]["text"]
    assert "record key" in checked["order"]["advice"]


def test_records_that_no_rule_matches_or_that_are_no_json_are_crosses(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    put(embedded_broker, topic, 0, {"other": 1}, {"other": 2})
    configuration = configured(tmp_path, embedded_broker, sandbox, topic)
    assert Checked(configuration, "--json")["matched"]["state"] == "failed"
    put(embedded_broker, topic, 1, b"secret, and no JSON")
    checked = Checked(configuration, "--json")
    assert checked["decoding"]["state"] == "failed"
    assert "secret" not in checked.output


def test_a_topic_that_is_not_there_is_named_with_what_to_do(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path
) -> None:
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, "no-such-topic"), "--json")
    assert checked.status == 1
    assert checked["topic"]["text"].startswith("no-such-topic does not exist")
    assert "kafka.topics" in checked["topic"]["advice"]


@pytest.mark.full  # ten seconds of waiting for a broker
def test_a_broker_that_is_not_there_is_a_cross_and_customerio_is_asked_all_the_same(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    servers = {"bootstrap_servers": f"127.0.0.1:{port}"}
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, "t", kafka=servers), "--json")
    assert checked.status == 1
    assert checked["broker"]["state"] == "failed"
    assert checked["topics"]["state"] == "left_out"
    assert checked["customer.io"]["state"] == "passed"


def test_credentials_that_customerio_refuses_and_an_address_where_nobody_is(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    wrong = {"api_key": "wrong-key"}
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic, customerio=wrong), "--json")
    assert checked["customer.io"]["state"] == "failed"
    assert checked["customer.io"]["advice"]
    assert "wrong-key" not in checked.output
    (port,) = free_ports(1)
    nobody = {"base_url": f"http://127.0.0.1:{port}"}
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic, customerio=nobody), "--json")
    assert checked["customer.io"]["state"] == "failed"
    assert checked["clock"]["state"] == "left_out"


def test_a_mapping_with_an_error_and_one_whose_test_fails(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    configuration = configured(tmp_path, embedded_broker, sandbox, topic, mapping={"files": ["rules.yaml"]})
    rules.write_text("version: 1\nrules:\n  - name: a\n    when: '(('\n    track: {id: x, name: y}\n")
    broken = Checked(configuration, "--json")
    assert broken["mapping"]["state"] == "failed"
    assert "rules.yaml:4:" in broken["mapping"]["text"]
    rules.write_text(
        "version: 1\nrules:\n  - name: a\n    track: {id: x, name: y}\n"
        "tests:\n  - name: t\n    event: {}\n    expect: []\n"
    )
    failing = Checked(configuration, "--json")
    assert failing["mapping tests"]["state"] == "failed"
    assert "rules.yaml:6:" in failing["mapping tests"]["text"]


def test_a_registry_that_is_not_there_and_records_that_wait_for_it(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    decode = {"format": "schema_registry", "registry": {"url": f"http://127.0.0.1:{port}"}}
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic, decode=decode), "--json")
    assert "cannot be reached" in checked["schema registry"]["text"]


def test_settings_that_are_wrong_come_first_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("kafka: {bootstrap_servers: here, topic: a}\n")
    checked = Checked(path, "--json")
    assert checked.status == 1
    assert len(checked.all("settings")) > 1
    assert checked["everything else"]["state"] == "left_out"


def test_a_folder_for_dead_letters_that_is_not_there(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    letters = {"file": "nowhere/dead-letters.jsonl"}
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic, deadletters=letters), "--json")
    assert checked["dead letters"]["state"] == "failed"
    assert "nowhere" in checked["dead letters"]["advice"]


def test_an_account_of_another_region_is_a_cross_with_the_region_to_set(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    with Internet("eu", tmp_path) as internet:
        us = {"base_url": None, "region": "us"}
        configuration = configured(tmp_path, embedded_broker, sandbox, topic, customerio=us)
        checked = Checked(configuration, "--json", **internet.environment)
    assert checked["customer.io"]["state"] == "passed"
    assert checked["region"]["state"] == "failed"
    assert checked["region"]["text"] == "the account lives in eu and the configuration says us"
    assert checked["region"]["advice"] == "set customerio.region: eu"


class AnHourAhead(BaseHTTPRequestHandler):
    """Customer.io as a machine sees it whose clock is an hour behind."""

    def do_GET(self) -> None:
        body = b'{"url": "track.customer.io", "data_center": "us", "environment_id": 1}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(time.time()) + 3600)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_clock_that_is_an_hour_off_is_a_cross(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), AnHourAhead)) as server:
        ahead = {"base_url": f"http://127.0.0.1:{server.server_port}"}
        checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic, customerio=ahead), "--json")
    assert checked["clock"]["state"] == "failed"
    assert re.fullmatch(r"our clock is 3,[56]\d\d s behind Customer\.io's", checked["clock"]["text"])
    assert "NTP" in checked["clock"]["advice"]


def test_how_far_the_group_is_in_the_topics_of_a_pattern_is_told(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, topic: str, tmp_path: Path
) -> None:
    put(embedded_broker, topic, 0, SIGNED_UP, SIGNED_UP, SIGNED_UP)
    asker = Consumer({"bootstrap.servers": embedded_broker.bootstrap_servers, "group.id": "far"})
    asker.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    asker.close()
    pattern = {"topics": [f"^{topic}$"], "group_id": "far"}
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, topic, kafka=pattern), "--json")
    assert checked["topic"]["text"] == f"^{topic}$ matches 1: {topic}"
    assert checked["group"]["text"] == (
        "far has begun 1 of 3 partitions, where 2 records wait; 2 not begun yet, and to begin at earliest"
    )
    [progress] = [
        each
        for each in group_progress(embedded_broker.bootstrap_servers, "far", f"^{topic}$")
        if each.committed is not None
    ]
    assert (progress.topic, progress.lag) == (topic, 2)


def test_a_pattern_that_matches_no_topic_is_a_cross(
    embedded_broker: EmbeddedBrokerProcess, sandbox: SandboxThread, tmp_path: Path
) -> None:
    checked = Checked(configured(tmp_path, embedded_broker, sandbox, "^no-such-.*"), "--json")
    assert checked["topic"]["text"] == "^no-such-.* matches none"
    assert checked["topic"]["state"] == "failed"
