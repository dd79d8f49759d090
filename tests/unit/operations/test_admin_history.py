"""The last minutes: what a page that is opened now is shown."""

from typing import Any

import pytest

from pipeline.operations.admin import PipelineMonitor
from pipeline.operations.admin_history import POINTS, History, point
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus
from pipeline.tally import Tally


class Engine:
    """A pipeline whose numbers a test moves, and a clock."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.status = EngineStatus(ready=True)
        self.time = 1_000.0
        self.history = History(PipelineMonitor(self.tally, lambda: self.status).status, now=lambda: self.time)

    def look(self, seconds: float = 2.0) -> None:
        self.time += seconds
        self.history.look()


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_a_point_holds_the_numbers_of_its_moment(engine: Engine) -> None:
    places = (
        PartitionStatus(TopicPartition("t", 0), committed=5, end=8),
        PartitionStatus(TopicPartition("t", 1), committed=5, end=6),
    )
    engine.status = EngineStatus(ready=True, partitions=places, open_records=7, batches_in_flight=2)
    engine.tally.records[TopicPartition("t", 0)] = 12
    engine.tally.requests["retry"] = 3
    engine.look()
    (seen,) = engine.history.since(0)
    assert (seen["time"], seen["records"], seen["lag"], seen["open_records"], seen["in_flight"]) == (
        1_002,
        12,
        4,
        7,
        2,
    )
    assert seen["requests"]["retry"] == 3
    assert seen["delays"].keys() == {"request", "read", "written"}


def test_where_no_lag_is_known_there_is_none_and_not_0(engine: Engine) -> None:
    engine.status = EngineStatus(ready=True, partitions=(PartitionStatus(TopicPartition("t", 0)),))
    engine.look()
    assert engine.history.since(0)[0]["lag"] is None


def test_a_page_asks_for_what_it_has_not_got(engine: Engine) -> None:
    for _ in range(3):
        engine.look()
    assert [each["time"] for each in engine.history.since(1_002)] == [1_004, 1_006]


def test_it_is_a_quarter_of_an_hour_and_no_more(engine: Engine) -> None:
    for _ in range(POINTS + 10):
        engine.look()
    kept = engine.history.since(0)
    assert len(kept) == POINTS
    assert kept[-1]["time"] - kept[0]["time"] == pytest.approx(15 * 60, abs=2)


def test_workers_of_which_none_has_answered_yet_are_a_point_too() -> None:
    nobody: dict[str, Any] = {"partitions": [], "open_records": 0, "open_bytes": 0, "batches_in_flight": 0}
    assert point(nobody, 5.0)["records"] == 0
