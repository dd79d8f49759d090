"""Which partitions are read for people who are erased later, from where, and how often."""

from collections.abc import Callable, Collection, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import CallKind, CallSource, Identity, IdentityKind
from pipeline.erasures import Erasures
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.look_ahead import LookAhead
from pipeline.replay.plan import ranges_since
from pipeline.translation import Prepared, Translation

Ranges = Mapping[TopicPartition, ReplayRange]
Said = tuple[int, CallKind, str]
"""When a record was written, what its call is, and about whom."""

TRACK, DESTROY = CallKind.TRACK, CallKind.DESTROY
FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


class Topic:
    """A topic in memory, which notes what is read of it."""

    def __init__(self, **partitions: Sequence[Said]) -> None:
        self._stories = [partitions["first"], partitions["second"]]
        self.reads: list[Ranges] = []

    def partitions(self, topic: str) -> Sequence[int]:
        return range(len(self._stories))

    def watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        return 0, len(self._stories[partition.partition])

    def offset_at(self, partition: TopicPartition, unix_ms: int) -> int | None:
        story = self._stories[partition.partition]
        return next((offset for offset, (time_ms, _, _) in enumerate(story) if time_ms >= unix_ms), None)

    def record(self, partition: TopicPartition, offset: int) -> Record:
        time_ms, _, _ = self._stories[partition.partition][offset]
        return Record(*partition, offset, timestamp_ms=time_ms)

    def call(self, record: Record) -> Prepared:
        _, kind, who = self._stories[record.partition][record.offset]
        return Prepared(CallSource("rule", kind), Identity(IdentityKind.ID, who), b"{}", (1,))

    def translate(self, record: Record) -> Translation:
        return Translation((self.call(record),), matched=True)

    def read(self, what: str, ranges: Ranges, note: Callable[[list[Record]], None]) -> None:
        self.reads.append(ranges)
        for name, each in ranges.items():
            note([self.record(name, offset) for offset in range(each.start, each.end)])

    def since(self, partitions: Collection[TopicPartition], unix_ms: int) -> Ranges:
        return ranges_since(self, partitions, unix_ms)

    def look_ahead(self, ranges: Ranges, *, signs_of_life: bool = False) -> Erasures:
        to_ends = {name: ReplayRange(each.start, self.watermarks(name)[1]) for name, each in ranges.items()}
        erasures = Erasures()
        look_ahead = LookAhead(self.read, self.since, [self.translate], erasures)
        look_ahead.find(ranges, to_ends, [FIRST, SECOND], signs_of_life=signs_of_life)
        return erasures

    def erased(self, ranges: Ranges, *, signs_of_life: bool = False) -> dict[int, bool]:
        """Look ahead of these ranges; return for each record of the first partition whether its person is erased."""
        erasures = self.look_ahead(ranges, signs_of_life=signs_of_life)
        records = [self.record(FIRST, offset) for offset in range(self.watermarks(FIRST)[1])]
        return {record.offset: erasures.erased_after(record, self.call(record)) for record in records}

    def all(self) -> list[Record]:
        return [
            self.record(TopicPartition("t", number), offset)
            for number, story in enumerate(self._stories)
            for offset in range(len(story))
        ]


STORIES = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from([TRACK, DESTROY]), st.sampled_from("ab")), max_size=8
)


@given(data=st.data(), first=STORIES, second=STORIES)
def test_whatever_the_range_it_finds_what_a_look_at_the_whole_topic_finds(
    data: st.DataObject, first: list[Said], second: list[Said]
) -> None:
    topic, ranges = Topic(first=first, second=second), {}
    for name, story in ((FIRST, first), (SECOND, second)):
        start = data.draw(st.integers(0, len(story)))
        each = ReplayRange(
            start, data.draw(st.integers(start, len(story))), data.draw(st.none() | st.integers(1, 9))
        )
        if each.start < each.end:
            ranges[name] = each
    erasures = topic.look_ahead(ranges, signs_of_life=True)
    replayed = [each for each in topic.all() if each.topic_partition in ranges]
    for record in (each for each in replayed if ranges[each.topic_partition].holds(each)):
        call = topic.call(record)
        later = [
            topic.call(other).source.kind
            for other in topic.all()
            if is_before(record, other) and topic.call(other).identity == call.identity
        ]
        if call.source.kind is TRACK:
            assert erasures.erased_after(record, call) is (DESTROY in later)
        else:
            assert erasures.returned_after(record, call) is (TRACK in later)


def is_before(record: Record, other: Record) -> bool:
    if record.partition == other.partition:
        return record.offset < other.offset
    return (record.timestamp_ms or 0) < (other.timestamp_ms or 0)


def test_the_other_partitions_are_read_from_the_time_of_the_oldest_record_of_the_range() -> None:
    topic = Topic(
        first=[(10, TRACK, "a"), (80, TRACK, "a"), (70, TRACK, "b"), (90, TRACK, "c")],
        second=[(60, DESTROY, "b"), (75, DESTROY, "c"), (85, DESTROY, "a")],
    )
    assert topic.erased({FIRST: ReplayRange(1, 4)}) == {0: True, 1: True, 2: False, 3: False}
    assert topic.reads == [{FIRST: ReplayRange(1, 4)}, {SECOND: ReplayRange(1, 3)}]


def test_the_range_is_read_on_to_the_end_of_its_partition() -> None:
    topic = Topic(first=[(10, TRACK, "a"), (20, TRACK, "b"), (30, DESTROY, "a")], second=[])
    assert topic.erased({FIRST: ReplayRange(0, 1)}) == {0: True, 1: False, 2: False}


def test_records_outside_the_times_of_the_range_do_not_make_others_be_read_from_further_back() -> None:
    topic = Topic(first=[(80, TRACK, "a"), (1, TRACK, "b")], second=[(5, TRACK, "c"), (85, DESTROY, "a")])
    erased = topic.erased({FIRST: ReplayRange(0, 2, since_ms=50)})
    assert erased[0] is True
    assert topic.reads[1] == {SECOND: ReplayRange(1, 2)}


def test_a_later_erasure_counts_although_it_stands_before_the_range_of_its_partition() -> None:
    topic = Topic(
        first=[(10, TRACK, "a"), (25, TRACK, "a")],
        second=[(5, TRACK, "c"), (20, DESTROY, "a"), (30, TRACK, "b"), (40, TRACK, "b")],
    )
    ranges = {FIRST: ReplayRange(0, 2), SECOND: ReplayRange(3, 4)}
    assert topic.erased(ranges, signs_of_life=True) == {0: True, 1: False}
    assert topic.reads[1] == {SECOND: ReplayRange(1, 3)}
    assert topic.reads[2] == {FIRST: ReplayRange(0, 2), SECOND: ReplayRange(1, 4)}


def test_a_partition_with_nothing_as_new_is_not_read() -> None:
    topic = Topic(first=[(80, TRACK, "a")], second=[(5, DESTROY, "a")])
    assert topic.erased({FIRST: ReplayRange(0, 1)}) == {0: False}
    assert len(topic.reads) == 1


def test_signs_of_life_cost_a_second_read_only_where_somebody_is_erased() -> None:
    nobody = Topic(first=[(10, TRACK, "a")], second=[(20, TRACK, "a")])
    nobody.erased({FIRST: ReplayRange(0, 1)}, signs_of_life=True)
    assert len(nobody.reads) == 2
    somebody = Topic(first=[(10, TRACK, "a")], second=[(20, DESTROY, "a")])
    somebody.erased({FIRST: ReplayRange(0, 1)}, signs_of_life=True)
    assert len(somebody.reads) == 3
    assert somebody.reads[2] == {FIRST: ReplayRange(0, 1), SECOND: ReplayRange(0, 1)}
