"""Each person's calls first arrive in the order of Kafka, with many requests under way and one of twenty failing."""

import random
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from tests.chaos.test_killed_pipeline import is_drained
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

PEOPLE = 50
PARTITIONS = 4
CONCURRENCY = 16
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 500, "share": 0.02},
    {"kind": "reset_before", "share": 0.01},
    {"kind": "reset_after", "share": 0.01},
    {"kind": "truncated", "share": 0.01},
)
MAPPING = """
version: 1
rules:
  - name: step
    when: type == 'step'
    track: {id: '${person}', name: step, attributes: {number: '${number}'}}
"""

_topics = count(1)


def write_steps(bootstrap_servers: str, topic: str, steps: int) -> dict[str, list[int]]:
    """Write every person's steps, the people mixed at random; return each person's in the order of Kafka."""
    order = [person for person in range(PEOPLE) for _ in range(steps)]
    random.Random(7).shuffle(order)
    written: dict[str, list[int]] = {}
    producer = Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True, "linger.ms": 5})
    for number, person in enumerate(order):
        name = f"p{person}"
        value = orjson.dumps({"type": "step", "person": name, "number": number})
        producer.produce(topic, key=name, value=value, timestamp=1_790_000_000_000)
        written.setdefault(name, []).append(number)
        if number % 10_000 == 9_999:
            producer.flush(60)
    assert producer.flush(60) == 0
    return written


def first_arrivals(sandbox: SandboxProcess) -> dict[str, list[int]]:
    arrived: dict[str, dict[int, None]] = {}
    for arrival in sandbox.arrivals():
        person = arrival["person"].removeprefix("id:")
        arrived.setdefault(person, {})[arrival["data"]["number"]] = None
    return {person: list(numbers) for person, numbers in arrived.items()}


def prove(bootstrap_servers: str, topic: str, folder: Path, steps: int) -> None:
    (folder / "steps.yaml").write_text(MAPPING)
    written = write_steps(bootstrap_servers, topic, steps)
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            folder,
            bootstrap_servers=bootstrap_servers,
            topic=topic,
            base_url=sandbox.base_url,
            group=topic,
            mapping={"files": ["steps.yaml"]},
            delivery={
                "max_in_flight_requests": CONCURRENCY,
                # Small requests, so that each person's steps are spread over many of them.
                "batch_max_items": 8,
                "linger_milliseconds": 1,
                "commit_interval_seconds": 0.5,
                "retry": {"initial_backoff_seconds": 0.05, "max_backoff_seconds": 0.5},
            },
        )
        for fault in FAULTS:
            sandbox.set_fault(path="/api/v2/batch", **fault)
        most_in_flight = 0

        def is_over() -> bool:
            nonlocal most_in_flight
            most_in_flight = max(most_in_flight, pipeline.status()["batches_in_flight"])
            return is_drained(bootstrap_servers, topic, topic)

        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(is_over, "drained", 600)
            pipeline.stop()
        requests, struck = sandbox.counts()["requests"], [fault["struck"] for fault in sandbox.faults()]
        print(f"{requests:,} requests, struck {struck}, at most {most_in_flight} seen in flight")
        assert all(struck), "a fault never struck"
        assert first_arrivals(sandbox) == written
        assert sandbox.counts()["events_counted"] == PEOPLE * steps


def test_each_persons_calls_first_arrive_in_the_order_of_kafka(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    topic = f"order-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    prove(embedded_broker.bootstrap_servers, topic, tmp_path, 60)


@pytest.mark.kafka
@pytest.mark.full
def test_two_thousand_calls_of_each_person_in_the_order_of_apache_kafka(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    topic = f"order-{next(_topics)}"
    apache_kafka.create_topic(topic, PARTITIONS)
    prove(apache_kafka.bootstrap_servers, topic, tmp_path, 2_000)
