"""The keeper: what is written at once, what waits until its neighbours are well, and what a limit holds back."""

import pytest

from pipeline.calls import Reason
from pipeline.deadletters.keeper import DeadLetterKeeper, FailureLimits
from pipeline.delivery.open_record import OpenRecord
from pipeline.errors import LimitReachedError
from pipeline.kafka.assignment import AssignedPartition
from pipeline.records import Record, TopicPartition
from pipeline.tally import Tally
from tests.fakes.clock import FakeClock
from tests.fakes.dead_letters import FakeDeadLetters

WINDOW = 100


class Desk:
    """A keeper and what is around it."""

    def __init__(self, limits: FailureLimits | None = None) -> None:
        self.store = FakeDeadLetters()
        self.clock = FakeClock()
        self.keeper = DeadLetterKeeper(
            self.store, limits or FailureLimits(window=WINDOW), self.clock, Tally()
        )
        self._partition = AssignedPartition(TopicPartition("events", 0))
        self._offset = 0

    def take(self, *, failed: int, well: int = 0) -> None:
        """Take records in, those that fail first."""
        for _ in range(failed):
            self.keeper.note_unmapped()
            opened = OpenRecord(Record("events", 0, self._offset), self._partition, calls=1, weight=0)
            self._offset += 1
            self.keeper.fail(opened, Reason.MAPPING_ERROR, "a rule failed")
        self.keeper.note_mapped(well)

    def settled(self) -> list[int]:
        return [opened.record.offset for opened in self.keeper.release()]

    @property
    def written(self) -> list[int]:
        return [entry.record.offset for entry in self.store.safe]


def test_a_failure_among_good_records_is_written_and_settled() -> None:
    desk = Desk()
    desk.take(failed=1, well=10)
    assert desk.settled() == [0]
    assert desk.written == [0]
    assert desk.settled() == []


def test_while_all_fails_only_a_twentieth_of_a_window_is_written() -> None:
    desk = Desk()
    desk.take(failed=50)
    assert desk.settled() == []
    assert desk.written == [0, 1, 2, 3, 4]


def test_everything_is_settled_and_written_once_when_the_records_after_are_well() -> None:
    desk = Desk()
    desk.take(failed=30)
    desk.settled()
    desk.take(failed=0, well=40)
    assert sorted(desk.settled()) == desk.written == list(range(30))
    assert desk.settled() == []


def test_few_records_that_all_fail_are_written_in_the_end() -> None:
    desk = Desk()
    desk.take(failed=30)
    desk.settled()
    desk.clock.sleep(61.0)
    assert sorted(desk.settled()) == desk.written == list(range(30))


def test_nothing_is_settled_while_the_store_is_down_and_all_of_it_afterwards() -> None:
    desk = Desk()
    desk.store.broken = "the disk is full"
    desk.take(failed=10, well=20)
    assert desk.settled() == []
    assert desk.keeper.trouble == "the disk is full"
    desk.store.broken = None
    desk.clock.sleep(2.0)
    settled = desk.settled()
    assert sorted(settled) == sorted(desk.written) == list(range(10))
    assert desk.keeper.trouble is None


@pytest.mark.parametrize("action", ["hold", "stop"])
def test_at_the_limit_no_more_is_written_or_settled(action: str) -> None:
    desk = Desk(FailureLimits(window=WINDOW, action=action))  # type: ignore[arg-type]
    desk.take(failed=WINDOW)
    if action == "stop":
        with pytest.raises(LimitReachedError, match="100% of the last 100 records could not be mapped"):
            desk.settled()
    assert desk.settled() == []
    assert desk.keeper.trouble is not None
    assert desk.written == [0, 1, 2, 3, 4]


def test_what_is_on_probation_is_judged_anew_when_the_rules_have_changed() -> None:
    desk = Desk()
    desk.take(failed=WINDOW)
    assert desk.settled() == []
    desk.keeper.start_afresh()
    desk.take(failed=0, well=1)
    assert sorted(desk.settled()) == list(range(WINDOW))
    assert desk.keeper.trouble is None
    assert desk.written == list(range(WINDOW))
