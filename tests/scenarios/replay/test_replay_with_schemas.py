"""A replay of records with schemas: what only looks waits for a registry that is slow, as the run does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import write_configuration
from tests.servers.replay import replay, run_command
from tests.servers.sandbox import SandboxThread
from tests.servers.serving import serving

SCHEMA = {"schemaType": "JSON", "schema": json.dumps({"type": "object", "required": ["who"]})}
MAPPING = """
version: 1
rules:
  - {name: event, when: type == 'thing', track: {id: "${who}", name: thing, timestamp: 1000}}
"""
RECORDS = 5


class Registry(ThreadingHTTPServer):
    """A schema registry with one schema, number 7, which fails at first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.failures_left = 0
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        registry = self.server
        assert isinstance(registry, Registry)
        registry.asked += 1
        registry.failures_left -= 1
        body = json.dumps(SCHEMA).encode()
        self.send_response(503 if registry.failures_left >= 0 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as registry:
        yield registry


@pytest.fixture
def configuration(embedded_broker: EmbeddedBrokerProcess, registry: Registry, tmp_path: Path) -> Path:
    embedded_broker.create_topic("with-schemas", 1)
    producer = Producer({"bootstrap.servers": embedded_broker.bootstrap_servers, "log_level": 0})
    for number in range(RECORDS):
        event = json.dumps({"type": "thing", "who": f"p{number}"}).encode()
        producer.produce("with-schemas", b"\x00" + (7).to_bytes(4) + event, partition=0)
    assert producer.flush(10) == 0
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    return write_configuration(
        tmp_path,
        bootstrap_servers=embedded_broker.bootstrap_servers,
        topic="with-schemas",
        base_url="http://127.0.0.1:9",
        mapping={"files": [str(tmp_path / "mapping.yaml")]},
        decode={"format": "schema_registry", "registry": {"url": registry.url}},
    )


@pytest.mark.full
def test_every_way_of_a_replay_waits_for_a_registry_that_fails_at_first(
    configuration: Path, registry: Registry, tmp_path: Path
) -> None:
    mapping = str(tmp_path / "mapping.yaml")
    registry.failures_left = 2
    bill = replay(configuration, "--from", "earliest", "--dry-run")
    assert bill.status == 0, bill.errors
    assert (bill.document["calls"], bill.document["dead_letters"]) == ({"track": RECORDS}, {})
    assert registry.asked >= 3, "it was asked again"

    registry.failures_left = 2
    with SandboxThread() as sandbox:
        done = replay(configuration, "--from", "earliest", "--to-sandbox", sandbox.base_url)
        assert done.document["delivered"] == {"track": RECORDS}, done.errors

    registry.failures_left = 2
    difference = replay(configuration, "--from", "earliest", "--diff", mapping, mapping)
    assert difference.document["total"]["same"] == RECORDS, difference.errors

    registry.failures_left = 2
    traced = run_command("trace", "--config", str(configuration), "p3", "--json")
    assert [each["position"] for each in traced.document["records"]] == ["with-schemas/0@3"], traced.errors
