"""How late a partition is, and how long its topic keeps what waits: what is asked, and what is made of the answers."""

from collections.abc import Collection, Mapping
from typing import Any

from pipeline.kafka.age_watch import RETENTION_INTERVAL_S, UNTOLD_INTERVAL_S, AgeWatch
from pipeline.kafka.ages import NextRecord
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus

SHOP = TopicPartition("shop", 0)
NOW = 1_773_480_413.0
HOUR = 3_600.0


class ToldAges:
    """Answers from a table, and notes what it was asked."""

    def __init__(self, *found: NextRecord, retention_s: Mapping[str, float | None] | None = None) -> None:
        self._found = {record.offset: record for record in found}
        self._retention_s = {"shop": 24 * HOUR} if retention_s is None else retention_s
        self.looked: list[Mapping[TopicPartition, int]] = []
        self.asked: list[Collection[str]] = []
        self.closed = False

    def look(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, NextRecord]:
        self.looked.append(offsets)
        return {name: self._found[offset] for name, offset in offsets.items() if offset in self._found}

    def retention_s(self, topics: Collection[str]) -> Mapping[str, float | None]:
        self.asked.append(topics)
        return {topic: self._retention_s[topic] for topic in topics if topic in self._retention_s}

    def cancel(self) -> None:
        """Answers come at once."""

    def close(self) -> None:
        self.closed = True


def status(**partition: Any) -> EngineStatus:
    return EngineStatus(ready=True, partitions=(PartitionStatus(SHOP, **partition),))


def written(offset: int, seconds_ago: float) -> NextRecord:
    return NextRecord(offset, round((NOW - seconds_ago) * 1000))


def told(watch: AgeWatch, of: EngineStatus, now: float = NOW) -> tuple[float | None, float | None]:
    (partition,) = watch.applied(of, now).partitions
    return partition.lag_seconds, partition.retention_left_seconds


def looking(ages: ToldAges, of: EngineStatus, now: float = NOW) -> AgeWatch:
    watch = AgeWatch(ages, lambda: of)
    watch.look(now)
    return watch


def test_the_age_of_the_next_record_is_the_lag_and_what_is_left_of_the_retention_is_told() -> None:
    behind = status(committed=7, end=100)
    watch = looking(ToldAges(written(7, HOUR)), behind)
    assert told(watch, behind) == (HOUR, 23 * HOUR)


def test_who_stands_still_grows_later_by_the_second_without_asking_again() -> None:
    behind = status(committed=7, end=100)
    ages = ToldAges(written(7, HOUR))
    watch = looking(ages, behind)
    watch.look(NOW + 60)
    assert told(watch, behind, NOW + 60) == (HOUR + 60, 23 * HOUR - 60)
    assert len(ages.looked) == 1


def test_who_moves_on_is_as_late_as_at_the_last_look() -> None:
    ages = ToldAges(written(7, HOUR))
    watch = looking(ages, status(committed=7, end=100))
    assert told(watch, status(committed=9, end=100), NOW + 10) == (HOUR, 23 * HOUR)


def test_nothing_waits_so_nothing_is_late_and_nobody_is_asked() -> None:
    up_to_date = status(committed=100, end=100)
    ages = ToldAges()
    assert told(looking(ages, up_to_date), up_to_date) == (0.0, 24 * HOUR)
    assert ages.looked == []


def test_a_record_that_the_topic_has_deleted_leaves_no_time() -> None:
    behind = status(committed=7, end=100)
    assert told(looking(ToldAges(NextRecord(7, gone=True)), behind), behind) == (None, 0.0)


def test_a_topic_that_keeps_records_for_ever_leaves_any_time() -> None:
    behind = status(committed=7, end=100)
    watch = looking(ToldAges(written(7, HOUR), retention_s={"shop": None}), behind)
    assert told(watch, behind) == (HOUR, None)


def test_a_topic_that_may_not_be_asked_costs_only_the_time_that_is_left() -> None:
    behind = status(committed=7, end=100)
    watch = looking(ToldAges(written(7, HOUR), retention_s={}), behind)
    assert told(watch, behind) == (HOUR, None)


def test_what_no_broker_has_answered_is_not_known_rather_than_zero() -> None:
    behind = status(committed=7, end=100)
    assert told(looking(ToldAges(), behind), behind) == (None, None)
    assert told(AgeWatch(ToldAges(), lambda: behind), status()) == (None, None)


def test_before_the_first_commit_the_oldest_open_record_counts() -> None:
    holding = status(position=90, settled=7, end=100)
    assert told(looking(ToldAges(written(7, HOUR)), holding), holding) == (HOUR, 23 * HOUR)


def test_a_producer_whose_clock_runs_ahead_is_not_late() -> None:
    behind = status(committed=7, end=100)
    assert told(looking(ToldAges(written(7, -HOUR)), behind), behind) == (0.0, 24 * HOUR)


def test_topics_are_asked_rarely() -> None:
    ages = ToldAges(written(7, HOUR))
    watch = looking(ages, status(committed=7, end=100))
    watch.look(NOW + RETENTION_INTERVAL_S - 1)
    assert len(ages.asked) == 1
    watch.look(NOW + RETENTION_INTERVAL_S)
    assert len(ages.asked) == 2


def test_a_topic_that_has_not_said_is_asked_again_soon() -> None:
    ages = ToldAges(written(7, HOUR), retention_s={})
    watch = looking(ages, status(committed=7, end=100))
    watch.look(NOW + UNTOLD_INTERVAL_S - 1)
    assert len(ages.asked) == 1
    watch.look(NOW + UNTOLD_INTERVAL_S)
    assert len(ages.asked) == 2


def test_a_partition_that_is_gone_is_forgotten() -> None:
    now: list[EngineStatus] = [status(committed=7, end=100)]
    watch = AgeWatch(ToldAges(written(7, HOUR)), lambda: now[0])
    watch.look(NOW)
    now[0] = EngineStatus(ready=True)
    watch.look(NOW)
    assert told(watch, status(committed=7, end=100))[0] is None


def test_stopping_lets_the_brokers_go() -> None:
    ages = ToldAges()
    watch = AgeWatch(ages, lambda: EngineStatus(ready=True), interval_s=0.01)
    watch.start(lambda: NOW)
    watch.stop()
    assert ages.closed
