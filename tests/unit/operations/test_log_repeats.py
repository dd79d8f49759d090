"""Equal warnings do not fill a disk: a few are written, then one that tells how many were not."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from pipeline.operations.log_repeats import MOST_KEYS, PER_WINDOW, WINDOW_S, RepeatLimit
from pipeline.operations.logs import configure_logs
from tests.fakes.clock import FakeClock


def written(limit: RepeatLimit, method: str, times: int, **fields: Any) -> list[Any]:
    lines = []
    for _ in range(times):
        try:
            lines.append(limit(None, method, {"event": "start_not_found", **fields}))
        except structlog.DropEvent:
            continue
    return lines


@pytest.mark.parametrize("method", ["warning", "error", "exception"])
def test_only_so_many_equal_lines_are_written_a_minute(method: str) -> None:
    clock = FakeClock()
    limit = RepeatLimit(clock.monotonic)
    assert len(written(limit, method, 100, cause="timed out")) == PER_WINDOW
    clock.sleep(WINDOW_S)
    (first, *_) = written(limit, method, 2, cause="timed out")
    assert first["repeated"] == 100 - PER_WINDOW


def test_lines_that_differ_in_anything_are_all_written() -> None:
    limit = RepeatLimit(FakeClock().monotonic)
    assert [len(written(limit, "warning", 1, partition=number)) for number in range(20)] == [1] * 20


@pytest.mark.parametrize("method", ["info", "debug"])
def test_what_happens_is_always_told(method: str) -> None:
    assert len(written(RepeatLimit(FakeClock().monotonic), method, 100)) == 100


def test_what_is_remembered_is_bounded() -> None:
    limit = RepeatLimit(FakeClock().monotonic)
    for number in range(3 * MOST_KEYS):
        limit.admit(number)
    assert limit.admit("new") == 0


def test_it_is_in_force_for_the_program_and_for_libraries() -> None:
    stream = io.StringIO()
    configure_logs("json", "info", stream)
    for _ in range(50):
        structlog.get_logger().warning("start_not_found", cause="timed out")
        logging.getLogger("asyncio").warning("slow callback")
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert {event: events.count(event) for event in events} == {
        "start_not_found": PER_WINDOW,
        "slow callback": PER_WINDOW,
    }
