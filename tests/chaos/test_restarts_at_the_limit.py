"""A supervisor that restarts a pipeline at its limit, again and again, does not pour the topic out (G6)."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipeline.kafka.progress import group_progress
from tests.chaos.accounting import dead_letters_in
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

PARTITIONS = 6
RECORDS = 12_000
WINDOW = 400
RESTARTS = 20
MAPPING = """
version: 1
rules:
  - {name: view, track: {id: '${person}', name: viewed, attributes: {path: '${abs(path)}'}}}
"""

_topics = count(1)


def write(bootstrap_servers: str, topic: str, value: Callable[[int], bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 5})
    for number in range(RECORDS):
        producer.produce(topic, value(number), partition=number % PARTITIONS)
    assert producer.flush(60) == 0


@pytest.mark.full
def test_twenty_restarts_leave_at_most_a_window_of_records_in_the_dead_letters(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    broker, topic = embedded_broker.bootstrap_servers, f"limit-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    write(broker, topic, lambda number: b'{"person": "p%d", "path": "/a"}' % number)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=broker,
            topic=topic,
            base_url=sandbox.base_url,
            mapping={"files": ["mapping.yaml"]},
            deadletters={"limit_window_records": WINDOW, "limit_action": "stop"},
        )
        for _ in range(RESTARTS):
            with PipelineProcess(configuration) as pipeline:
                assert pipeline.process.wait(60) == 3, pipeline.output[-2000:]
                assert pipeline.logged("limit_reached")
            letters = {entry.record.position for entry in dead_letters_in(tmp_path / "dead-letters.jsonl")}
            print(len(letters), end=" ")
        assert sandbox.counts()["requests"] == 0
    assert letters
    assert len(letters) <= WINDOW
    assert sum(each.committed or 0 for each in group_progress(broker, "test-group", topic)) == 0
