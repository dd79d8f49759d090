"""A replay while the live pipeline reads the same topic: order per person in each, and each within its share."""

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.apache_kafka import ApacheKafka
from tests.servers.pipeline import PipelineProcess, write_configuration
from tests.servers.replay import replay
from tests.servers.sandbox import SandboxProcess
from tests.servers.shop_topic import Expected, calls_in_order, expectations, write_shop

pytestmark = pytest.mark.kafka

CAP_PER_S = 50
RECORDS = 2_000


@pytest.fixture
def sandboxes() -> Iterator[tuple[SandboxProcess, SandboxProcess]]:
    with SandboxProcess() as live, SandboxProcess() as replayed:
        yield live, replayed


def check_order(sandbox: SandboxProcess, expected: Expected) -> None:
    assert set(sandbox.event_ids()) == expected.event_ids
    arrived = calls_in_order(sandbox.arrivals())
    for person, calls in expected.calls_of.items():
        assert arrived.get(person, []) == list(dict.fromkeys(calls)), f"{person}: not in order"


def requests_per_s(sandbox: SandboxProcess) -> float:
    times = [arrival["at"] for arrival in sandbox.arrivals()]
    return float((sandbox.counts()["requests"] - 1) / (times[-1] - times[0]))


@pytest.mark.full
def test_live_and_replay_side_by_side(
    apache_kafka: ApacheKafka, sandboxes: tuple[SandboxProcess, SandboxProcess], tmp_path: Path
) -> None:
    live, replayed = sandboxes
    topic = f"beside-{uuid.uuid4().hex[:8]}"
    apache_kafka.create_topic(topic, 4)
    records = write_shop(apache_kafka.bootstrap_servers, topic, RECORDS, people=100, partitions=4)
    configurations = {}
    for name, sandbox in (("live", live), ("replayed", replayed)):
        folder = tmp_path / name
        folder.mkdir()
        configurations[name] = write_configuration(
            folder,
            bootstrap_servers=apache_kafka.bootstrap_servers,
            topic=topic,
            base_url=sandbox.base_url,
            group=topic,
            delivery={
                "commit_interval_seconds": 0.2,
                "batch_max_items": 60,
                "rate": {"requests_per_second": CAP_PER_S, "share": 0.8},
            },
        )
    expected = expectations(records)
    with PipelineProcess(configurations["live"]) as pipeline:
        choices = ("--allow-irreversible", "--include-erased", "--allow-campaigns")
        done = replay(configurations["replayed"], "--from", "earliest", *choices)
        assert done.status == 0, done.errors
        pipeline.wait_until(
            lambda: (
                set(apache_kafka.committed(topic).items()) == set(apache_kafka.end_offsets(topic).items())
            ),
            "the live pipeline is at the end",
        )
        assert pipeline.stop() == 128 + signal.SIGTERM
    check_order(live, expected)
    check_order(replayed, expected)
    # The first tenth of a second may be caught up at once, and requests are answered a little apart from their turn.
    assert requests_per_s(live) <= CAP_PER_S * 0.8 * 1.15
    assert requests_per_s(replayed) <= CAP_PER_S * 0.2 * 1.15
