"""From what was asked to offsets: the ranges of a replay, or why there are none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pipeline.errors import ConfigurationError
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import TopicPartition
from pipeline.replay.bounds import AtOffset, AtTime, Bound, Bounds, Earliest, End


class Lookup(Protocol):
    """What the brokers are asked."""

    def partitions(self, topic: str) -> Sequence[int]:
        """Return the numbers of a topic's partitions; raise ConfigurationError when there is no such topic."""
        ...

    def watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset and the one after the last."""
        ...

    def offset_at(self, partition: TopicPartition, unix_ms: int) -> int | None:
        """Return the first offset whose record is as old as a time or newer, None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The ranges that a replay reads, and what every partition of the topic holds (first offset, and the end)."""

    topic: str
    ranges: Mapping[TopicPartition, ReplayRange]
    held: Mapping[TopicPartition, tuple[int, int]]


def make_plan(
    lookup: Lookup,
    topic: str,
    begin: Bounds,
    until: Bounds,
    partitions: Sequence[int] = (),
    *,
    slack_ms: int | None = None,
) -> Plan:
    """Ask the brokers where the bounds stand. `partitions` are the ones to read, all when empty.

    A moment as the beginning is exact: before the first record that is as new there are only older ones. As the end it
    tells nothing: one record from a clock that runs ahead, or the mark of a transaction's end, which has the broker's
    time, hides older ones behind it. So everything to the end of the partition is read and judged by its time, unless
    `slack_ms` says how many milliseconds records are out of order at most.

    Raises:
        ConfigurationError: a topic, a partition or an offset is not there, a partition to read has no beginning, or
            nothing is left to read.
    """
    there = lookup.partitions(topic)
    _check_partitions(topic, there, [*partitions, *begin.of, *until.of])
    chosen = sorted(set(partitions or there))
    strangers = (begin.of.keys() | until.of.keys()) - set(chosen)
    if strangers:
        raise ConfigurationError(f"partition {min(strangers)} has a bound, but is not among --partitions")
    beginnings = _beginnings(chosen, begin)
    held = {name: lookup.watermarks(name) for name in (TopicPartition(topic, number) for number in there)}
    ranges = {}
    for number, first in beginnings.items():
        name = TopicPartition(topic, number)
        each = _Resolver(lookup, name, *held[name], slack_ms).resolve(first, until.get(number))
        if each.start < each.end:
            ranges[name] = each
    if not ranges:
        raise ConfigurationError(_nothing_there(topic, begin, held))
    return Plan(topic, ranges, held)


def ranges_since(
    lookup: Lookup, partitions: Collection[TopicPartition], unix_ms: int
) -> Mapping[TopicPartition, ReplayRange]:
    """Return the ranges from the first record that is as new as a time to the ends; those without one are left out."""
    ranges = {}
    for name in partitions:
        start, (_, end) = lookup.offset_at(name, unix_ms), lookup.watermarks(name)
        if start is not None and start < end:
            ranges[name] = ReplayRange(start, end)
    return ranges


class _Resolver:
    def __init__(
        self, lookup: Lookup, name: TopicPartition, low: int, high: int, slack_ms: int | None
    ) -> None:
        self._lookup, self._name, self._low, self._high = lookup, name, low, high
        self._slack_ms = slack_ms

    def resolve(self, begin: Bound, until: Bound | None) -> ReplayRange:
        if isinstance(begin, AtTime) and isinstance(until, AtTime) and begin.unix_ms > until.unix_ms:
            raise ConfigurationError(f"--from {_moment(begin)} is after --until {_moment(until)}")
        start = self._place("--from", begin)
        end = self._high if until is None else self._end(until)
        if start > end and isinstance(begin, AtOffset) and isinstance(until, AtOffset):
            raise ConfigurationError(f"{self._name}: --from {start} is after --until {end}")
        return ReplayRange(
            start,
            end,
            begin.unix_ms if isinstance(begin, AtTime) else None,
            until.unix_ms if isinstance(until, AtTime) else None,
        )

    def _end(self, until: Bound) -> int:
        if isinstance(until, AtTime):
            until = End() if self._slack_ms is None else AtTime(until.unix_ms + self._slack_ms)
        return self._place("--until", until)

    def _place(self, option: str, bound: Bound) -> int:
        match bound:
            case Earliest():
                return self._low
            case End():
                return self._high
            case AtTime(unix_ms):
                offset = self._lookup.offset_at(self._name, unix_ms)
                return self._high if offset is None else min(offset, self._high)
            case AtOffset(offset):
                if not self._low <= offset <= self._high:
                    raise ConfigurationError(
                        f"{self._name}: {option} {offset} is out of range;"
                        f" the partition holds {_held(self._low, self._high)}"
                    )
                return offset


def _check_partitions(topic: str, there: Sequence[int], asked: Sequence[int]) -> None:
    unknown = sorted(set(asked) - set(there))
    if unknown:
        raise ConfigurationError(
            f"the topic {topic} has no partition {unknown[0]}; it has {there[0]} to {there[-1]}"
        )


def _beginnings(chosen: Sequence[int], begin: Bounds) -> Mapping[int, Bound]:
    """Return where each partition begins: one that was left out may have years of records that nobody asked for."""
    beginnings = {number: bound for number in chosen if (bound := begin.get(number)) is not None}
    without = [number for number in chosen if number not in beginnings]
    if without:
        given = ",".join(str(number) for number in sorted(begin.of))
        raise ConfigurationError(
            f"--from is given for partition {given}, and partition {without[0]} has none; read no more than that with"
            f" --partitions {given}, or say where all others begin, for example with --from earliest as well"
        )
    return beginnings


def _nothing_there(topic: str, begin: Bounds, held: Mapping[TopicPartition, tuple[int, int]]) -> str:
    contents = "; ".join(f"{name} holds {_held(low, high)}" for name, (low, high) in held.items())
    if isinstance(begin.default, AtTime):
        return f"{topic} has no record from {_moment(begin.default)} on within the range: {contents}"
    return f"the range is empty: {contents}"


def _held(low: int, high: int) -> str:
    return f"offsets {low} to {high - 1}" if high > low else f"nothing (its next offset is {high})"


def _moment(bound: AtTime) -> str:
    return datetime.fromtimestamp(bound.unix_ms / 1000, UTC).isoformat(timespec="seconds")
