"""Alarms and board in Prometheus itself: the alarms ring when they should, the board's queries find data."""

import json
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from tests.packaging.test_queries import panels
from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.prometheus import Prometheus, tool
from tests.servers.sandbox import SandboxThread

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.full

EVENTS = [
    {"type": "user.signed_up", "occurred_at": "2026-03-14T09:26:53Z", "user": {"id": "u", "email": "a@b.cd"}},
    {"type": "user.updated", "occurred_at": "2026-03-14T09:26:53Z", "user": {"id": "u", "email": "a@b.cd"}},
    {"type": "cart.updated", "user": {"id": "u"}},
    {"type": "internal.ping"},
    {"type": "user.updated", "occurred_at": "yesterday", "user": {"id": "u"}},
]


def test_promtool_accepts_the_alarms_and_each_rings_when_it_should_and_not_before() -> None:
    for command in (
        ["check", "rules", str(PROJECT / "docker/prometheus/alerts.yml")],
        ["test", "rules", str(Path(__file__).with_name("alerts_test.yml"))],
        ["check", "config", "--syntax-only", str(PROJECT / "docker/prometheus/prometheus.yml")],
    ):
        done = subprocess.run([tool("promtool"), *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def board_queries() -> dict[str, str]:
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in panels()
        for target in panel["targets"]
    }


@pytest.mark.kafka
def test_every_query_of_the_board_finds_data_of_a_running_pipeline(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    topic, servers = f"board-{uuid4().hex[:8]}", apache_kafka.bootstrap_servers
    apache_kafka.create_topic(topic, 2, retention_ms="604800000")
    producer = Producer({"bootstrap.servers": servers})
    with SandboxThread() as sandbox:
        path = write_configuration(
            tmp_path, bootstrap_servers=servers, topic=topic, base_url=sandbox.base_url, group=topic
        )
        with PipelineProcess(path) as pipeline:
            pipeline.wait_until(pipeline.is_ready, "ready")
            address = pipeline.admin.removeprefix("http://")
            with Prometheus(tmp_path, address, rules=PROJECT / "docker/prometheus/alerts.yml") as prometheus:
                found: dict[str, bool] = {}

                def look() -> bool:
                    for number, event in enumerate(EVENTS * 4):
                        producer.produce(topic, value=json.dumps(event).encode(), partition=number % 2)
                    producer.flush(30)
                    time.sleep(1)  # so often Prometheus asks; one answer more changes the rates
                    found.update({name: bool(prometheus.ask(query)) for name, query in queries.items()})
                    return all(found.values())

                queries = board_queries()
                pipeline.process.send_signal(signal.SIGHUP)
                try:
                    pipeline.wait_until(look, "data for every query", 120)
                except AssertionError as error:
                    pytest.fail(f"{error}: nothing for {[name for name, has in found.items() if not has]}")
                assert prometheus.ask('ALERTS{alertname="CioPipelineDeadLetters", alertstate="firing"}')
                assert not prometheus.ask('ALERTS{alertname=~"CioPipeline(Down|Held|Stuck|Retention)"}')
