"""Memory is bounded while the receiver is down, however much waits (G10). The curves are printed."""

import time
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.ports import free_ports

LIMIT_MB = 250
PARTITIONS = 6
MAPPING = """
version: 1
rules:
  - name: view
    when: type == 'viewed'
    track: {id: '${person}', name: viewed, attributes: {path: '${path}', session: '${session}'}}
  - name: line
    when: type == 'invoice'
    for_each: lines
    key: ${to_string(item().number)}
    track: {id: '${person}', name: line, attributes: {number: '${item().number}', text: '${item().text}'}}
"""

_topics = count(1)


def write_views(bootstrap_servers: str, topic: str, records: int) -> None:
    """Write so many small records."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "compression.type": "lz4"})
    for number in range(records):
        value = b'{"type":"viewed","person":"p%d","path":"/docs/%d","session":"s%d"}'
        producer.produce(topic, value % (number % 5_000, number % 97, number), key=b"p%d" % (number % 5_000))
        if number % 10_000 == 9_999:
            producer.flush(60)
    assert producer.flush(60) == 0


def write_invoices(bootstrap_servers: str, topic: str, records: int) -> None:
    """Write so many records of about 1 MB, each of which makes 50 calls of 20 kB."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "message.max.bytes": 2_000_000})
    lines = [{"number": number, "text": "x" * 20_000} for number in range(50)]
    for number in range(records):
        person = f"p{number}"
        producer.produce(
            topic, orjson.dumps({"type": "invoice", "person": person, "lines": lines}), key=person
        )
        producer.flush(60)


def curve(
    bootstrap_servers: str, topic: str, folder: Path, watch_s: float, **delivery: Any
) -> tuple[list[float], dict[str, Any]]:
    """Run against a receiver that is not there; return resident megabytes over time, and the status at the end."""
    (folder / "memory.yaml").write_text(MAPPING)
    configuration = write_configuration(
        folder,
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        base_url=f"http://127.0.0.1:{free_ports(1)[0]}",
        mapping={"files": ["memory.yaml"]},
        delivery=delivery,
        logs={"level": "info"},
    )
    samples: list[float] = []
    with PipelineProcess(configuration) as pipeline:

        def is_paused() -> bool:
            samples.append(pipeline.memory_mb())
            return bool(pipeline.status()["paused"])

        pipeline.wait_until(lambda: pipeline.logged("delivery_fails"), "the outage noticed")
        pipeline.wait_until(is_paused, "reading paused", 120)
        end = time.monotonic() + watch_s
        while time.monotonic() < end:
            assert is_paused(), "reading goes on although nothing settles"
            time.sleep(0.1)
        status = pipeline.status()
        pipeline.kill()
    shown = samples[:: max(1, len(samples) // 24)]
    print(f"resident MB: {' '.join(f'{sample:.0f}' for sample in shown)}; most {max(samples):.0f}")
    print(f"open: {status['open_records']:,} records, {status['open_bytes'] / 1e6:.1f} MB")
    return samples, status


@pytest.mark.full
def test_a_topic_of_small_records_waits_in_bounded_memory(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    topic = f"memory-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    write_views(embedded_broker.bootstrap_servers, topic, 60_000)
    samples, status = curve(embedded_broker.bootstrap_servers, topic, tmp_path, 2)
    assert max(samples) < LIMIT_MB
    assert status["open_records"] < 60_000


@pytest.mark.kafka
@pytest.mark.slow
def test_a_million_records_wait_in_bounded_memory(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    topic = f"memory-{next(_topics)}"
    apache_kafka.create_topic(topic, PARTITIONS)
    write_views(apache_kafka.bootstrap_servers, topic, 1_000_000)
    samples, _ = curve(apache_kafka.bootstrap_servers, topic, tmp_path, 30)
    assert max(samples) < LIMIT_MB


@pytest.mark.kafka
@pytest.mark.slow
def test_records_of_a_megabyte_with_a_fan_out_wait_in_bounded_memory(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    topic = f"memory-{next(_topics)}"
    apache_kafka.create_topic(topic, PARTITIONS, max_message_bytes="2000000")
    write_invoices(apache_kafka.bootstrap_servers, topic, 400)
    samples, _ = curve(apache_kafka.bootstrap_servers, topic, tmp_path, 10)
    assert max(samples) < LIMIT_MB
