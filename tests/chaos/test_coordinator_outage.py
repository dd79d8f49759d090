"""The broker that coordinates the group is away while all others answer: it costs time and what is sent again."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.kafka.progress import group_progress
from tests.chaos.test_killed_pipeline import PARTITIONS, check_arrivals, check_dead_letters
from tests.servers.apache_kafka import ApacheKafka, Broker
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.requirements import missing
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import expectations, write_shop

pytestmark = [pytest.mark.kafka, pytest.mark.full]

TOPIC, GROUP = "coordinated", "coordinated"
DEADLINE_S = 180.0
ONLY_ONE_KNOWS_THE_GROUP = {
    "offsets.topic.replication.factor": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",  # three brokers share a small machine
}


def coordinator(kafka: ApacheKafka) -> Broker:
    """Return the broker that keeps the only copy of what groups commit."""
    [partition] = (
        kafka.admin.list_topics("__consumer_offsets", 30).topics["__consumer_offsets"].partitions.values()
    )
    [node] = [node for node in kafka.nodes if node.number == partition.leader]
    return node


def is_drained(kafka: ApacheKafka) -> bool:
    try:
        progress = group_progress(kafka.bootstrap_servers, GROUP, TOPIC)
    except PipelineError:  # the coordinator is still coming back
        return False
    return all(each.committed == each.end for each in progress)


def survive(kafka: ApacheKafka, sandbox: SandboxProcess, folder: Path) -> None:
    kafka.create_topic(TOPIC, PARTITIONS)
    written = write_shop(kafka.bootstrap_servers, TOPIC, 2_000, people=100, partitions=PARTITIONS)
    configuration = write_configuration(
        folder,
        bootstrap_servers=kafka.bootstrap_servers,
        topic=TOPIC,
        group=GROUP,
        base_url=sandbox.base_url,
        logs={"level": "info"},
    )
    with PipelineProcess(configuration) as pipeline:
        pipeline.wait_until(lambda: sandbox.counts()["events_counted"] > 100, "some events", DEADLINE_S)
        away = coordinator(kafka)
        away.stop(kill=True)
        pipeline.wait_until(lambda: not pipeline.is_ready(), "readiness red", DEADLINE_S)
        away.start()
        kafka.wait_until_up()
        pipeline.wait_until(pipeline.is_ready, "ready again by itself", DEADLINE_S)
        pipeline.wait_until(lambda: is_drained(kafka), "drained", DEADLINE_S)
        assert pipeline.stop() == 143
    expected = expectations(written)
    check_arrivals(sandbox, expected)
    check_dead_letters(folder / "dead-letters.jsonl", expected)


def test_an_outage_of_the_coordinator_alone_costs_only_time(tmp_path: Path) -> None:
    kafka = ApacheKafka(brokers=3, heap_mb=192, properties=ONLY_ONE_KNOWS_THE_GROUP)
    try:
        with kafka, SandboxProcess() as sandbox:
            survive(kafka, sandbox, tmp_path)
    except KafkaUnavailableError as error:
        missing(str(error))
