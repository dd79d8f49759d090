"""Chaos on Apache Kafka: workers killed, frozen and cut off, brokers restarted, and the accounting closes.

CIO_SEED repeats a schedule, CIO_CHAOS_SECONDS says how long it lasts.
"""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.harness.arena import Arena
from tests.chaos.harness.figures import PROPERTY, figures
from tests.chaos.harness.schedule import Chaos
from tests.servers.kafka_jars import KafkaUnavailableError
from tests.servers.requirements import missing

WORKERS = 4
RATE = 200
CONTROL_S = 10.0
LATE_REQUESTS_A_FAULT = 1
"""A fault may leave a request on the wire, or a worker that is cut off a moment in which it does not know that its
partitions are another's (docs/guarantees.md, G7). A worker that sends without right does it far more often."""

pytestmark = pytest.mark.kafka


def control(arena: Arena) -> None:
    """Let everything run without faults; a machine too slow for that proves nothing."""
    before = arena.departures()
    time.sleep(CONTROL_S)
    if arena.departures() != before:
        pytest.fail("void: workers lost their membership without any fault; the machine is too slow")


def survive(folder: Path, seconds: float, record_property: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("CIO_SEED", random.SystemRandom().randrange(2**32)))
    print(f"CIO_SEED={seed}")
    try:
        arena = Arena(folder, workers=WORKERS, rate=RATE, seconds=seconds + CONTROL_S)
        with arena:
            for worker in arena.workers:
                worker.start()
            arena.wait_until_ready(*arena.workers)
            arena.feed.start()
            arena.watch.start()
            control(arena)
            chaos = Chaos(arena, seed)
            chaos.reign(seconds)
            report = arena.finish()
    except KafkaUnavailableError as error:
        missing(str(error))
    record_property(PROPERTY, figures(report, chaos.counts, arena.watch.longest_stall_s, seed))
    print(f"late: {report.late_requests[:10]}, destroyed that differ: {report.differing_destroyed[:10]}")
    assert [fault for worker in arena.workers for fault in worker.faults] == []
    assert report.problems(LATE_REQUESTS_A_FAULT * sum(chaos.counts.values())) == []
    assert all(not worker.runs for worker in arena.workers)


@pytest.mark.full
def test_a_minute_of_chaos_loses_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    survive(tmp_path, 60.0, record_property)


@pytest.mark.slow
def test_a_quarter_of_an_hour_of_chaos_loses_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    survive(tmp_path, float(os.environ.get("CIO_CHAOS_SECONDS", "900")), record_property)
