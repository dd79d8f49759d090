"""What the watchdog takes for a stall, and what it does not."""

import pytest
from structlog.testing import capture_logs

from pipeline.kafka.watchdog import Watchdog
from pipeline.records import TopicPartition
from pipeline.status import PartitionStatus
from pipeline.tally import Tally

ORDERS, VISITS = TopicPartition("orders", 0), TopicPartition("visits", 1)
AFTER_S = 60.0


class Watched:
    """A watchdog on a clock of the test's own."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._watchdog = Watchdog(AFTER_S, self.tally)
        self._now = 1_000.0

    def after(self, seconds: float, *partitions: PartitionStatus, excused: bool = False) -> str | None:
        self._now += seconds
        return self._watchdog.look(partitions, self._now, excused=excused)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def at(settled: int | None, end: int | None = 100, name: TopicPartition = ORDERS) -> PartitionStatus:
    return PartitionStatus(name, position=settled, settled=settled, end=end)


def test_a_partition_that_moves_is_well(watched: Watched) -> None:
    assert [watched.after(AFTER_S, at(settled)) for settled in range(5)] == [None] * 5


def test_one_that_does_not_move_while_records_wait_is_told_with_how_many(watched: Watched) -> None:
    assert watched.after(0, at(7)) is None
    assert watched.after(AFTER_S - 1, at(7)) is None
    assert watched.after(1, at(7)) == "orders/0 has not moved for 60 s: records that wait: 93"


def test_one_that_never_began_is_told_too(watched: Watched) -> None:
    assert watched.after(0, at(None, None)) is None
    told = watched.after(AFTER_S, at(None, None))
    assert told == "orders/0 has not moved for 60 s: nothing was heard of it"


def test_one_at_its_end_has_nothing_to_do(watched: Watched) -> None:
    assert [watched.after(AFTER_S, at(100)) for _ in range(5)] == [None] * 5
    assert watched.after(1, at(100, end=101)) is None, "the wait begins with the record"


def test_others_are_counted(watched: Watched) -> None:
    partitions = [at(1), at(2, name=VISITS)]
    watched.after(0, *partitions)
    told = watched.after(AFTER_S, *partitions)
    assert told is not None
    assert told.endswith("records that wait: 99 (and so with 1 more)")


def test_time_in_which_something_fails_does_not_count(watched: Watched) -> None:
    for failing in (watched.tally.requests, watched.tally.commits, watched.tally.requests):
        failing.update(["retry", "refused"])
        assert watched.after(AFTER_S, at(7)) is None
        assert watched.after(AFTER_S, at(7), excused=True) is None
    assert watched.after(AFTER_S, at(7)) is not None


def test_one_that_was_won_back_is_watched_afresh(watched: Watched) -> None:
    watched.after(0, at(7))
    watched.after(AFTER_S - 1)
    assert watched.after(1, at(7)) is None
    assert watched.after(AFTER_S, at(7)) is not None


def test_a_stall_is_logged_once_and_so_is_its_end(watched: Watched) -> None:
    with capture_logs() as lines:
        watched.after(0, at(7))
        for _ in range(3):
            watched.after(AFTER_S, at(7))
        assert watched.after(1, at(8)) is None
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("partition_stalled", "error"),
        ("partition_moves", "info"),
    ]
    assert (lines[0]["partition"], lines[0]["settled"], lines[0]["end"]) == ("orders/0", 7, 100)
