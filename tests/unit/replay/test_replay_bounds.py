"""What a person may write for a bound, and where it stands in a topic."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.bounds import AtOffset, AtTime, Bounds, Earliest, End, parse_bounds, parse_duration_s
from pipeline.replay.plan import Plan, make_plan

NOW = 1_000_000.0


class Topic:
    """Two partitions as lists of times, one record an offset, after records that retention has deleted."""

    def __init__(self, times: Mapping[int, Sequence[int]], low: int = 0) -> None:
        self._times = times
        self._low = low

    def partitions(self, topic: str) -> Sequence[int]:
        return sorted(self._times)

    def watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        return self._low, self._low + len(self._times[partition.partition])

    def offset_at(self, partition: TopicPartition, unix_ms: int) -> int | None:
        times = self._times[partition.partition]
        return next((self._low + n for n, time in enumerate(times) if time >= unix_ms), None)


def plan(
    topic: Topic, begin: Sequence[str], until: Sequence[str] = (), partitions: Sequence[int] = ()
) -> Plan:
    return make_plan(
        topic, "t", parse_bounds("--from", begin, NOW), parse_bounds("--until", until, NOW), partitions
    )


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("earliest", Earliest()),
        ("now", End()),
        ("1200", AtOffset(1200)),
        ("1h", AtTime(int((NOW - 3_600) * 1000))),
        ("1970-01-12T00:00:00Z", AtTime(950_400_000)),
        ("1970-01-12T01:00:00+01:00", AtTime(950_400_000)),
    ],
)
def test_a_bound_is_an_offset_a_time_a_time_ago_or_an_end(text: str, bound: object) -> None:
    assert parse_bounds("--from", [text], NOW) == Bounds(bound, {})  # type: ignore[arg-type]
    assert parse_bounds("--from", [f"3:{text}"], NOW) == Bounds(None, {3: bound})  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["", "72", "h", "-1h", "1y", "1 h", "one hour"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a length of time"):
        parse_duration_s(text)


def test_two_bounds_for_one_partition_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="given twice for partition 0"):
        parse_bounds("--from", ["0:1", "0:2"], NOW)
    with pytest.raises(ConfigurationError, match="given twice for all partitions"):
        parse_bounds("--from", ["1", "2"], NOW)


def test_a_bound_of_one_partition_goes_before_that_of_all() -> None:
    topic = Topic({0: [1] * 10, 1: [1] * 10})
    ranges = plan(topic, ["2", "1:5"], ["0:4"]).ranges
    assert ranges[TopicPartition("t", 0)] == ReplayRange(2, 4)
    assert ranges[TopicPartition("t", 1)] == ReplayRange(5, 10)


@pytest.mark.parametrize("partitions", [(), (0, 1)])
def test_a_partition_of_which_no_beginning_is_given_is_not_read_from_its_first_record(
    partitions: Sequence[int],
) -> None:
    topic = Topic({0: [1] * 10, 1: [1] * 10, 2: [1] * 10})
    complaint = r"given for partition 1,2, and partition 0 has none; .* --partitions 1,2, .* --from earliest"
    with pytest.raises(ConfigurationError, match=complaint):
        plan(topic, ["1:5", "2:5"], partitions=partitions and (*partitions, 2))


def test_beginnings_of_all_that_is_read_need_no_general_one() -> None:
    topic = Topic({0: [1] * 10, 1: [1] * 10})
    assert plan(topic, ["1:5"], partitions=[1]).ranges == {TopicPartition("t", 1): ReplayRange(5, 10)}
    assert len(plan(topic, ["0:5", "1:5"]).ranges) == 2


@pytest.mark.parametrize("text", ["08:00", "00:30", "08:00:00"])
def test_a_time_of_day_is_not_taken_for_an_offset_of_a_partition(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is none of: .* such as 2026-01-31T08:00:00Z"):
        parse_bounds("--from", [text], NOW)


def test_partitions_with_nothing_in_the_range_are_left_out() -> None:
    topic = Topic({0: [1] * 10, 1: []})
    assert list(plan(topic, ["earliest"]).ranges) == [TopicPartition("t", 0)]


def test_an_offset_that_retention_has_deleted_is_refused_with_what_is_there() -> None:
    with pytest.raises(ConfigurationError, match=r"t/0: --from 3 is out of range; .* offsets 100 to 109"):
        plan(Topic({0: [1] * 10}, low=100), ["3"])


def test_a_time_behind_the_last_record_is_refused_with_what_is_there() -> None:
    with pytest.raises(ConfigurationError, match=r"t has no record from .* on within the range: t/0 holds"):
        plan(Topic({0: [1, 2, 3]}), ["1970-01-12T00:00:00Z"])


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is after --until"):
        plan(Topic({0: [1, 2, 3]}), ["1h"], ["2h"])


@given(
    times=st.lists(st.integers(0, 50), max_size=30),
    since=st.integers(0, 50),
    length=st.integers(0, 50),
    low=st.integers(0, 5),
)
def test_a_range_of_times_holds_exactly_the_records_of_these_times(
    times: list[int], since: int, length: int, low: int
) -> None:
    topic, before = Topic({0: times}, low), since + length
    begin, until = Bounds(AtTime(since), {}), Bounds(AtTime(before), {})
    expected = [low + n for n, time in enumerate(times) if since <= time < before]
    try:
        ranges = make_plan(topic, "t", begin, until).ranges
    except ConfigurationError:
        assert expected == []
        return
    each = ranges[TopicPartition("t", 0)]
    records = [Record("t", 0, low + n, timestamp_ms=time) for n, time in enumerate(times)]
    assert [record.offset for record in records if each.holds(record)] == expected
