"""The offset tracker against a naive model: whatever happens, nothing open is ever passed."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.kafka.offsets import OffsetTracker


class OffsetTrackerMachine(RuleBasedStateMachine):
    """Records arrive with gaps, repeats and rewinds, and settle in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = OffsetTracker()
        self.open: set[int] = set()
        self.position = 0

    @rule(gap=st.integers(0, 3), has_calls=st.booleans())
    def a_record_is_read(self, gap: int, has_calls: bool) -> None:
        offset = self.position + gap
        self.position = offset + 1
        if has_calls:
            assert self.tracker.open(offset)
            self.open.add(offset)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def an_open_record_is_read_again(self, data: st.DataObject) -> None:
        assert not self.tracker.open(data.draw(st.sampled_from(sorted(self.open))))

    @precondition(lambda self: self.position > 0)
    @rule(data=st.data())
    def the_partition_is_rewound(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, self.position - 1))
        assert self.tracker.open(offset) is (offset not in self.open)
        self.open.add(offset)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def a_record_settles(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.open)))
        self.tracker.settle(offset)
        self.open.discard(offset)

    @rule(offset=st.integers(0, 1_000))
    def something_unknown_settles(self, offset: int) -> None:
        if offset not in self.open:
            self.tracker.settle(offset)

    @invariant()
    def the_lowest_open_offset_is_committable(self) -> None:
        expected = min(self.open, default=self.position)
        assert self.tracker.committable(self.position) == expected
        assert len(self.tracker) == len(self.open)


TestOffsetTracker = OffsetTrackerMachine.TestCase


def test_without_a_known_position_and_nothing_open_there_is_nothing_to_commit() -> None:
    assert OffsetTracker().committable(None) is None
