"""Reading on behind a replay's records, in all partitions of the topic, to learn who is erased there."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from pipeline.decode.patience import patient
from pipeline.kafka.replay_ranges import ReplayRange
from pipeline.records import Record, TopicPartition
from pipeline.replay.erasures import Erasures
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
    """Finds out who is erased behind the records of a replay, and who came back."""

    def __init__(self, read: Read, since: Since, translate: Translate) -> None:
        self._read, self._since, self._translate = read, since, patient(translate)
        self._erasures = Erasures()

    def find(
        self, ranges: Ranges, to_ends: Ranges, others: Collection[TopicPartition], *, signs_of_life: bool
    ) -> Erasures:
        """Return the erasures, with signs of life of everybody only where they are asked for: that reads twice.

        `to_ends` are the replay's `ranges` extended to the ends of their partitions, `others` the topic's other
        partitions: a person's records may move to one of them when the topic grows. Those are read from the time of
        the oldest record of the ranges, because between partitions only times tell what is later.

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
        behind = {} if oldest_ms is None or not others else self._since(others, oldest_ms)
        if behind:
            self._read("looking for them in the other partitions", behind, self._note)
        everything = {**to_ends, **behind}
        if signs_of_life and len(self._erasures) and len(everything) > 1:
            self._read("looking for people who came back", everything, self._note)
        return self._erasures

    def _note(self, records: list[Record]) -> None:
        for record in records:
            self._erasures.note(record, self._translate(record))
