"""People whose records have moved: a topic that grew spreads the keys anew, also those of later deletions."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import write_configuration
from tests.servers.replay import replay
from tests.servers.sandbox import SandboxThread

pytestmark = pytest.mark.kafka

MAPPING = """
version: 1
defaults: {id: "${who}", timestamp: "${at}"}
rules:
  - {name: bought, when: kind == 'bought', track: {name: bought}}
  - {name: gone, when: kind == 'gone', destroy: {}}
"""
HOUR_S = 3_600


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    with SandboxThread() as sandbox:
        yield sandbox


def write(kafka: ApacheKafka, topic: str, partition: int, kind: str, who: str, hours_ago: float) -> None:
    """Write a record; its own time is when it was written, the event's is long ago."""
    now = time.time()
    value = orjson.dumps({"kind": kind, "who": who, "at": int(now - 1_000 * HOUR_S)})
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, value, who, partition, timestamp=int((now - hours_ago * HOUR_S) * 1000))
    assert producer.flush(30) == 0


def test_a_person_deleted_in_a_partition_that_is_not_replayed_is_not_brought_back(
    apache_kafka: ApacheKafka, sandbox: SandboxThread, tmp_path: Path
) -> None:
    topic = f"grown-{uuid.uuid4().hex[:8]}"
    apache_kafka.create_topic(topic, 2)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    configuration = write_configuration(
        tmp_path,
        bootstrap_servers=apache_kafka.bootstrap_servers,
        topic=topic,
        base_url=sandbox.base_url,
        mapping={"files": [str(tmp_path / "mapping.yaml")]},
    )
    write(apache_kafka, topic, 1, "gone", "grace", hours_ago=9)
    write(apache_kafka, topic, 0, "bought", "ada", hours_ago=8)
    write(apache_kafka, topic, 0, "bought", "grace", hours_ago=7)
    apache_kafka.add_partitions(topic, 3)
    write(apache_kafka, topic, 2, "gone", "ada", hours_ago=6)

    done = replay(configuration, "--from", "earliest", "--partitions", "0")
    assert done.status == 0, done.errors
    assert [(each["person"], each["name"]) for each in sandbox.arrivals()] == [("id:grace", "bought")]
    assert done.document["left_out"] == {"erased_later": 1}
    everybody = ("--name", "everybody", "--include-erased")
    assert replay(configuration, "--from", "earliest", "--partitions", "0", *everybody).status == 0
    assert {each["person"] for each in sandbox.arrivals()} == {"id:grace", "id:ada"}
