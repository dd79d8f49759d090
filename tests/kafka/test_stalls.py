"""A partition that has something to do and does not move is told by readiness and the log, from end to end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from pipeline.kafka.embedded import ApiKey
from tests.servers.embedded import EmbeddedBrokerProcess, skip_without_native_interface
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import SandboxProcess

pytestmark = pytest.mark.full

STALLED_AFTER_S = 2
SIGNED_UP = {
    "type": "user.signed_up",
    "occurred_at": "2026-03-14T09:26:53Z",
    "user": {"id": "ann", "email": "a@b.c"},
}


@pytest.fixture
def broker() -> Iterator[EmbeddedBrokerProcess]:
    """A broker of the test's own, with one record in one partition."""
    skip_without_native_interface()
    with EmbeddedBrokerProcess() as broker:
        broker.create_topic("events", 1)
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("events", json.dumps(SIGNED_UP).encode(), timestamp=1_790_000_000_000)
        assert producer.flush(10) == 0
        yield broker


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as sandbox:
        yield sandbox


def configured(folder: Path, broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, **sections: Any) -> Path:
    return write_configuration(
        folder,
        bootstrap_servers=broker.bootstrap_servers,
        topic="events",
        base_url=sandbox.base_url,
        kafka={"stalled_after_seconds": STALLED_AFTER_S},
        **sections,
    )


def reasons(pipeline: PipelineProcess) -> str:
    return str(pipeline.get("/readyz").json())


def test_a_request_that_is_never_answered_is_told_and_its_end_too(
    broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    sandbox.set_fault("latency", path="/api", seconds=8)
    configuration = configured(tmp_path, broker, sandbox, customerio={"request_timeout_seconds": 60})
    with PipelineProcess(configuration) as pipeline:
        pipeline.wait_until(
            lambda: "events/0 has not moved for 2 s: records that wait: 1" in reasons(pipeline), "told"
        )
        assert not pipeline.is_ready()
        assert pipeline.logged("partition_stalled")
        pipeline.wait_until(lambda: pipeline.logged("partition_moves"), "moving again")
        pipeline.wait_until(pipeline.is_ready, "ready")
        assert pipeline.stop() == 143


def test_a_partition_that_never_begins_is_told(
    broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Known bug 6: the client leaves a partition alone for good when its committed offset could not be fetched."""
    broker.push_errors(ApiKey.OFFSET_FETCH, [KafkaError.UNKNOWN] * 50)
    with PipelineProcess(configured(tmp_path, broker, sandbox)) as pipeline:
        pipeline.wait_until(lambda: "nothing was heard of it" in reasons(pipeline), "told")
        broker.clear_errors(ApiKey.OFFSET_FETCH)
        pipeline.wait_until(lambda: pipeline.logged("partitions_stuck"), "assigned anew")
        pipeline.wait_until(pipeline.is_ready, "ready")
        assert pipeline.stop() == 143


def test_an_outage_is_told_as_what_it_is(
    broker: EmbeddedBrokerProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    sandbox.set_fault("status", path="/api", status=503)
    delivery = {"retry": {"initial_backoff_seconds": 0.1, "max_backoff_seconds": 0.5}}
    with PipelineProcess(configured(tmp_path, broker, sandbox, delivery=delivery)) as pipeline:
        pipeline.wait_until(lambda: pipeline.logged("delivery_fails"), "the outage noticed")
        tried = sandbox.counts()["requests"]
        pipeline.wait_until(lambda: sandbox.faults()[0]["struck"] > tried + 12, "tried for a while")
        assert not pipeline.logged("partition_stalled")
        assert pipeline.stop() == 143
