"""From one worker to four and back under load, with each way of sharing partitions out: nothing is lost."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.harness.arena import Arena
from tests.chaos.harness.figures import PROPERTY, figures
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.requirements import missing

pytestmark = [pytest.mark.kafka, pytest.mark.full]

RATE = 200
WORKERS = 4
SETTLE_S = 4.0


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param({}, id="cooperative-sticky"),
        pytest.param({"partition.assignment.strategy": "range"}, id="range"),
        pytest.param(
            {"partition.assignment.strategy": "roundrobin"}, id="roundrobin", marks=pytest.mark.slow
        ),
        pytest.param({"group.protocol": "consumer"}, id="consumer-protocol", marks=pytest.mark.slow),
    ],
)
def test_scaling_to_four_workers_and_back_loses_nothing(
    tmp_path: Path, properties: dict[str, str], record_property: Callable[[str, object], None]
) -> None:
    try:
        with Arena(
            tmp_path, workers=WORKERS, rate=RATE, seconds=120, brokers=1, properties=properties
        ) as arena:
            first, *others = arena.workers
            first.start()
            arena.wait_until_ready(first)
            arena.feed.start()
            arena.watch.start()
            for worker in others:
                worker.start()
                arena.wait_until_ready(worker)
                time.sleep(SETTLE_S)  # load goes through each size of the group
            for worker in others:
                worker.stop()
                time.sleep(SETTLE_S)
            report = arena.finish()
    except KafkaUnavailableError as error:
        missing(str(error))
    record_property(PROPERTY, figures(report, {}, arena.watch.longest_stall_s))
    assert [fault for worker in arena.workers for fault in worker.faults] == []
    assert report.problems() == []
