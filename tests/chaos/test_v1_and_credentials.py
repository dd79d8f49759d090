"""The same guarantees one call a request (v1), and a key that is rotated while the pipeline runs."""

from itertools import count
from pathlib import Path

import pytest

from tests.chaos.test_killed_pipeline import calls_at, check_arrivals, check_dead_letters, is_drained
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.sandbox import API_KEY, SandboxProcess
from tests.servers.shop_topic import expectations, write_shop

PARTITIONS = 4
_topics = count(1)


@pytest.mark.full
def test_one_call_a_request_keeps_every_promise(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    topic = f"v1-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    servers = embedded_broker.bootstrap_servers
    expected = expectations(write_shop(servers, topic, 600, people=40, partitions=PARTITIONS))
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=servers,
            topic=topic,
            base_url=sandbox.base_url,
            customerio={"api": "v1"},
            delivery={"max_in_flight_requests": 16},
        )
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(lambda: calls_at(sandbox) > expected.calls // 3, "some calls delivered", 120)
            pipeline.kill()
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(lambda: is_drained(servers, "test-group", topic), "drained", 120)
            assert pipeline.stop() == 143
        check_arrivals(sandbox, expected)
        check_dead_letters(tmp_path / "dead-letters.jsonl", expected)


def test_a_wrong_key_holds_until_its_file_is_mended(
    embedded_broker: EmbeddedBrokerProcess, tmp_path: Path
) -> None:
    topic = f"key-{next(_topics)}"
    embedded_broker.create_topic(topic, PARTITIONS)
    servers = embedded_broker.bootstrap_servers
    expected = expectations(write_shop(servers, topic, 300, people=20, partitions=PARTITIONS))
    key = tmp_path / "api-key"
    key.write_text("yesterday's key")
    with SandboxProcess() as sandbox:
        configuration = write_configuration(
            tmp_path,
            bootstrap_servers=servers,
            topic=topic,
            base_url=sandbox.base_url,
            customerio={"api_key": None, "api_key_file": str(key)},
            delivery={"retry": {"max_backoff_seconds": 1.0}},
        )
        with PipelineProcess(configuration) as pipeline:
            pipeline.wait_until(lambda: pipeline.logged("delivery_holds"), "delivery holds")
            pipeline.wait_until(lambda: not pipeline.is_ready(), "readiness red")
            assert "yesterday" not in pipeline.output
            key.write_text(API_KEY)
            pipeline.wait_until(
                lambda: is_drained(servers, "test-group", topic), "drained after the rotation", 60
            )
            pipeline.wait_until(pipeline.is_ready, "readiness green")
            pipeline.stop()
        check_arrivals(sandbox, expected)
