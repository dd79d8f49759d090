"""An outage costs only time (G5): the receiver is slow, then gone, then back, and nobody restarts anything."""

import os
from itertools import count
from pathlib import Path

import pytest

from pipeline.kafka.progress import group_progress
from tests.chaos.test_killed_pipeline import calls_at, check_arrivals, check_dead_letters, is_drained
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import expectations, write_shop

MEMORY_LIMIT_MB = 250
PARTITIONS = 6
_topics = count(1)


def survive(bootstrap_servers: str, topic: str, folder: Path, *, events: int, outage_s: float) -> None:
    expected = expectations(
        write_shop(bootstrap_servers, topic, events, people=events // 20, partitions=PARTITIONS)
    )
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            folder,
            bootstrap_servers=bootstrap_servers,
            topic=topic,
            base_url=sandbox.base_url,
            delivery={
                "max_open_records": 500,
                "poll_max_records": 100,
                "retry": {"initial_backoff_seconds": 0.1, "max_backoff_seconds": 2.0},
            },
        )
        sandbox.set_fault("latency", path="/api", seconds=0.3)
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(
                lambda: calls_at(sandbox) > expected.calls // 10, "some calls delivered slowly", 120
            )
            sandbox.clear_faults()
            sandbox.set_fault("refuse", seconds=outage_s)
            pipeline.wait_until(lambda: pipeline.logged("delivery_fails"), "the outage noticed")
            pipeline.wait_until(lambda: pipeline.status()["paused"], "reading paused while too much is open")
            during = group_progress(bootstrap_servers, "test-group", topic)
            assert any(each.lag for each in during), "the topic was drained before the outage began"
            pipeline.wait_until(
                lambda: pipeline.logged("delivery_recovered"), "recovered by itself", outage_s + 60
            )
            pipeline.wait_until(lambda: is_drained(bootstrap_servers, "test-group", topic), "drained", 300)
            assert pipeline.memory_mb() < MEMORY_LIMIT_MB
            assert pipeline.is_ready()
            pipeline.stop()
        check_arrivals(sandbox, expected)
        check_dead_letters(folder / "dead-letters.jsonl", expected)


@pytest.mark.full
def test_an_outage_of_the_receiver_costs_only_time(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    topic = f"outage-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    full = os.environ.get("CIO_TEST") == "all"
    survive(embedded_broker.bootstrap_servers, topic, tmp_path, events=4_000, outage_s=20 if full else 5)


@pytest.mark.kafka
@pytest.mark.full
def test_an_outage_of_twenty_seconds_on_apache_kafka(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    topic = f"outage-{next(_topics)}"
    apache_kafka.create_topic(topic, PARTITIONS)
    survive(apache_kafka.bootstrap_servers, topic, tmp_path, events=20_000, outage_s=20)
