"""Watches how long the records that wait have waited, and how long their topics will keep them, beside the engine."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Protocol

import structlog
from confluent_kafka import KafkaException

from pipeline.kafka.ages import NextRecord
from pipeline.records import TopicPartition
from pipeline.status import EngineStatus, PartitionStatus

_log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 15.0
RETENTION_INTERVAL_S = 600.0
"""How often topics are asked how long they keep records."""
UNTOLD_INTERVAL_S = 30.0
"""When a topic is asked again that has not said."""
STOP_WAIT_S = 10.0


class Ages(Protocol):
    """Who asks the brokers; `RecordAges` is one."""

    def look(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, NextRecord]:
        """Return the next record of each partition."""
        ...

    def retention_s(self, topics: Collection[str]) -> Mapping[str, float | None]:
        """Return how long topics keep records, None for ever; those that may not be asked are left out."""
        ...

    def cancel(self) -> None:
        """Let what is being asked end at once."""
        ...

    def close(self) -> None:
        """Let the brokers go."""
        ...


def look_once(ages: Ages, partitions: Sequence[PartitionStatus], now: float) -> Sequence[PartitionStatus]:
    """Return partitions with their ages, for a group of which nothing runs; `now` is Unix time."""
    status = EngineStatus(ready=False, partitions=tuple(partitions))
    watch = AgeWatch(ages, lambda: status)
    watch.look(now)
    return watch.applied(status, now).partitions


@dataclass(frozen=True, slots=True)
class _Seen:
    """A next record, and when it was looked at in Unix time."""

    record: NextRecord
    at: float


class AgeWatch:
    """Looks at the next record of each partition that lags, again and again, in a thread of its own.

    A partition that stands still is not asked again: its record only grows older. `status` is the engine's.
    """

    def __init__(
        self, ages: Ages, status: Callable[[], EngineStatus], *, interval_s: float = LOOK_INTERVAL_S
    ) -> None:
        self._ages = ages
        self._status = status
        self._interval_s = interval_s
        self._seen: dict[TopicPartition, _Seen] = {}
        self._retention_s: dict[str, float | None] = {}
        self._ask_at: dict[str, float] = {}
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self, now: Callable[[], float]) -> None:
        """Begin to look; `now` gives Unix time."""
        self._thread = Thread(target=self._run, args=(now,), name="ages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that is under way is cut short."""
        self._stopping.set()
        self._ages.cancel()
        if self._thread is not None:
            self._thread.join(STOP_WAIT_S)

    def look(self, now: float) -> None:
        """Ask for what is not known yet."""
        partitions = self._status().partitions
        ours = {each.topic_partition for each in partitions}
        self._seen = {name: seen for name, seen in self._seen.items() if name in ours}
        wanted = {
            each.topic_partition: offset
            for each in partitions
            if each.lag and (offset := each.next_offset) is not None
            if not self._knows(each.topic_partition, offset)
        }
        if wanted:
            found = self._ages.look(wanted)
            self._seen = self._seen | {name: _Seen(record, now) for name, record in found.items()}
        self._ask_retention({each.topic for each in ours}, now)

    def applied(self, status: EngineStatus, now: float) -> EngineStatus:
        """Return a status with the ages of this moment, as far as they are known."""
        return replace(status, partitions=tuple(self._aged(each, now) for each in status.partitions))

    def _run(self, now: Callable[[], float]) -> None:
        reported: set[str] = set()
        try:
            while not self._stopping.wait(self._interval_s if self._seen else min(1.0, self._interval_s)):
                try:
                    self.look(now())
                except KafkaException as error:
                    _log.debug("ages_not_told", cause=error.args[0].str())
                for topic in sorted(self._ask_at.keys() - self._retention_s.keys() - reported):
                    _log.info("retention_unknown", topic=topic, then="the time that is left is not told")
                    reported.add(topic)
        finally:
            self._ages.close()

    def _knows(self, partition: TopicPartition, offset: int) -> bool:
        seen = self._seen.get(partition)
        return seen is not None and seen.record.offset == offset and seen.record.timestamp_ms is not None

    def _ask_retention(self, topics: set[str], now: float) -> None:
        due = sorted(topic for topic in topics if now >= self._ask_at.get(topic, now))
        if not due:
            return
        told = self._ages.retention_s(due)
        for topic in due:
            self._ask_at[topic] = now + (RETENTION_INTERVAL_S if topic in told else UNTOLD_INTERVAL_S)
        self._retention_s = {**self._retention_s, **told}

    def _aged(self, partition: PartitionStatus, now: float) -> PartitionStatus:
        retention_s = self._retention_s.get(partition.topic_partition.topic)
        if partition.lag == 0:
            return replace(partition, lag_seconds=0.0, retention_left_seconds=retention_s)
        seen = self._seen.get(partition.topic_partition)
        if partition.lag is None or seen is None:
            return partition
        if seen.record.gone:
            return replace(partition, retention_left_seconds=0.0)
        if seen.record.timestamp_ms is None:
            return partition
        # Who moves on is as late as at the last look; who stands still grows later by the second.
        at = now if seen.record.offset == partition.next_offset else seen.at
        age_s = max(0.0, at - seen.record.timestamp_ms / 1000)
        left_s = None if retention_s is None else max(0.0, retention_s - age_s)
        return replace(partition, lag_seconds=age_s, retention_left_seconds=left_s)
