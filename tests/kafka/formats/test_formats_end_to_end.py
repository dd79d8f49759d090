"""From bytes in Kafka to Customer.io: every format in one run, and a registry that is away at first and again later."""

from itertools import count
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from pipeline.kafka.progress import group_progress
from tests.kafka.formats.apicurio import Apicurio
from tests.kafka.formats.gate import Gate
from tests.kafka.formats.written import Writer
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

MAPPING = """\
version: 1
rules:
  - name: orders
    when: user_id
    track: {id: "${user_id}", name: order, attributes: {number: "${total}"}}
  - name: changes
    when: op == 'c'
    track: {id: "${after.user_id}", name: created}
  - name: cloud events
    when: specversion
    track: {id: "${data.user_id}", name: "${type}"}
"""
_topics = count(1)
pytestmark = [pytest.mark.kafka, pytest.mark.full]  # a JDK with Maven, for the registry


class Topics:
    """The topics of one test."""

    def __init__(self, broker: EmbeddedBrokerProcess) -> None:
        self.servers, number = broker.bootstrap_servers, next(_topics)
        self.orders, self.changes = f"orders-{number}", f"changes-{number}"
        self.clouds, self.plain = f"clouds-{number}", f"plain-{number}"
        for topic in (self.orders, self.changes, self.clouds, self.plain):
            broker.create_topic(topic, 1)
        self._producer = Producer({"bootstrap.servers": self.servers})

    @property
    def all(self) -> list[str]:
        return [self.orders, self.changes, self.clouds, self.plain]

    def put(
        self, topic: str, value: bytes, headers: list[tuple[str, str | bytes | None]] | None = None
    ) -> None:
        self._producer.produce(topic, value, headers=headers or [], timestamp=1_790_000_000_000)
        assert self._producer.flush(10) == 0

    def are_drained(self) -> bool:
        return all(
            each.committed == each.end
            for topic in self.all
            for each in group_progress(self.servers, "test-group", topic)
        )


def test_a_registry_that_is_away_costs_time_and_no_record(
    embedded_broker: EmbeddedBrokerProcess, apicurio: Apicurio, tmp_path: Path
) -> None:
    topics, writer, gate = Topics(embedded_broker), Writer(apicurio.url), Gate(apicurio.port)
    (tmp_path / "rules.yaml").write_text(MAPPING)
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=topics.servers,
            topic="",
            base_url=sandbox.base_url,
            kafka={"topics": topics.all},
            mapping={"files": ["rules.yaml"]},
            decode={
                "topics": {
                    topics.orders: "schema_registry",
                    topics.changes: {"envelope": "debezium"},
                    topics.clouds: {"format": "schema_registry", "envelope": "cloudevents"},
                },
                "registry": {"url": f"http://127.0.0.1:{gate.port}/apis/ccompat/v7", "timeout_seconds": 2},
            },
        )
        for number in (1, 2):
            topics.put(topics.orders, writer.protobuf("p", {"user_id": "ann", "total": number}))
        topics.put(topics.orders, writer.json("j", {"user_id": "ann", "total": 3}))
        topics.put(topics.changes, b'{"schema": {}, "payload": {"op": "c", "after": {"user_id": "bob"}}}')
        topics.put(
            topics.clouds,
            writer.protobuf("p", {"user_id": "cid"}),
            [("ce_specversion", b"1.0"), ("ce_type", b"cloud")],
        )
        topics.put(topics.plain, b'{"user_id": "dan"}')

        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(lambda: pipeline.logged("schema_registry_fails"), "the outage noticed")
            pipeline.wait_until(lambda: len(sandbox.event_ids()) == 2, "the topics without schemas delivered")
            pipeline.wait_until(
                lambda: "the schema registry cannot be reached" in pipeline.get("/readyz").text,
                "readiness red for that reason",
            )
            gate.open()
            pipeline.wait_until(topics.are_drained, "everything delivered and committed")
            pipeline.wait_until(pipeline.is_ready, "ready again")

            gate.shut()
            topics.put(topics.orders, writer.protobuf("p", {"user_id": "ann", "total": 4}))
            topics.put(topics.orders, writer.json("other", {"user_id": "ann", "total": 5}))
            topics.put(topics.orders, b"\0\0\x0f\xff\xffsecret")
            topics.put(topics.orders, b"not framed")
            pipeline.wait_until(lambda: len(sandbox.event_ids()) >= 7, "known schemas need no registry")
            gate.open()
            pipeline.wait_until(topics.are_drained, "everything delivered and committed again")
            assert pipeline.stop() == 143
        gate.shut()
        writer.close()

        mine = [a["data"].get("number") for a in sandbox.arrivals() if a["person"] == "id:ann"]
        assert mine == [1, 2, 3, 4, 5]
        assert len(sandbox.event_ids()) == sandbox.counts()["events_counted"] == 8
    letters = [orjson.loads(line) for line in (tmp_path / "dead-letters.jsonl").read_text().splitlines()]
    assert [letter["reason"] for letter in letters] == ["undecodable", "undecodable"]
    assert letters[0]["text"] == "the schema registry has no schema 1048575"
    assert "secret" not in pipeline.output
