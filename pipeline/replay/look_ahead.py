"""Reading on behind a replay's records, wherever the live pipeline reads too, to learn who is erased there."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from pipeline.decode.patience import patient
from pipeline.erasures import Erasures
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.sieve import Translate

Ranges = Mapping[TopicPartition, ReplayRange]


class Read(Protocol):
    """Reads ranges whole."""

    def __call__(self, what: str, ranges: Ranges, note: Callable[[list[Record]], None]) -> None:
        """Hand all records to `note`, some at a time; `what` says to people what for."""
        ...


Since = Callable[[Collection[TopicPartition], int], Ranges]
"""Partitions and a time in Unix milliseconds in; out come the ranges from the first record as new as that to the ends,
without those where there is none."""


class LookAhead:
    """Finds out who is erased behind the records of a replay, and who came back, and adds it to `erasures`.

    `translates` are what the records mean, each to other rules: what one of them erases is erased.
    """

    def __init__(self, read: Read, since: Since, translates: Sequence[Translate], erasures: Erasures) -> None:
        self._read, self._since, self._erasures = read, since, erasures
        self._translates = [patient(translate) for translate in translates]

    def find(
        self, ranges: Ranges, to_ends: Ranges, partitions: Collection[TopicPartition], *, signs_of_life: bool
    ) -> None:
        """Find the erasures, with signs of life of everybody only where they are asked for: that reads twice.

        `to_ends` are the replay's `ranges` extended to the ends of their partitions, `partitions` all in which a person
        of theirs may be erased: records move to another one when the topic grows, and deletions may come through a
        topic of their own. They are read from the time of the oldest record of the ranges, because between partitions
        only times tell what is later.

        Raises:
            PipelineError: the records cannot be read.
        """
        oldest_ms: int | None = None

        def note_with_time(records: list[Record]) -> None:
            nonlocal oldest_ms
            times = [each.timestamp_ms or 0 for each in records if ranges[each.topic_partition].holds(each)]
            oldest_ms = min(times if oldest_ms is None else [oldest_ms, *times], default=None)
            self._note(records)

        self._read("looking ahead for people erased later", to_ends, note_with_time)
        is_alone = len(partitions) == 1
        rest = {} if oldest_ms is None or is_alone else _without(self._since(partitions, oldest_ms), to_ends)
        if rest:
            self._read("looking for them in other partitions", rest, self._note)
        if signs_of_life and len(self._erasures) and not is_alone:
            self._read("looking for people who came back", _together(rest, to_ends), self._note)

    def _note(self, records: list[Record]) -> None:
        for record in records:
            for translate in self._translates:
                self._erasures.note(record, translate(record))


def _without(ranges: Ranges, known: Ranges) -> Ranges:
    """Return what of the ranges, which go to the ends of their partitions, stands before the known ones."""
    ends = {
        name: min(each.end, known[name].start) if name in known else each.end for name, each in ranges.items()
    }
    return {
        name: ReplayRange(each.start, ends[name]) for name, each in ranges.items() if each.start < ends[name]
    }


def _together(first: Ranges, second: Ranges) -> Ranges:
    """Return the ranges of both; in a partition that both have, the second follows the first."""
    joined = {
        name: ReplayRange(first[name].start, each.end) for name, each in second.items() if name in first
    }
    return {**first, **second, **joined}
