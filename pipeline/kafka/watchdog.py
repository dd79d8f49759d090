"""Notices a partition that has something to do and gets nowhere, though nothing is reported as wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from pipeline.records import TopicPartition
from pipeline.status import PartitionStatus
from pipeline.tally import Tally

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Watched:
    """Up to where a partition was done when it last moved, since when, and whether it has been reported."""

    settled: int | None
    since: float
    stalled: bool = False


class Watchdog:
    """Looks at each assigned partition from time to time.

    A partition moves when its settled offset does; it has nothing to do when its lag is known to be zero. Time in
    which something fails does not count: what fails is reported where it does.
    """

    def __init__(self, stalled_after_s: float, tally: Tally) -> None:
        self._stalled_after_s = stalled_after_s
        self._tally = tally
        self._watched: dict[TopicPartition, _Watched] = {}
        self._failures = 0

    def look(self, partitions: Iterable[PartitionStatus], now: float, *, excused: bool) -> str | None:
        """Return what stalls, in a safe sentence, None when nothing does.

        `now` is on the clock's monotonic scale; `excused` tells that something is known to keep everything from moving.
        """
        failures = (
            self._tally.requests["retry"] + self._tally.requests["fatal"] + self._tally.commits["refused"]
        )
        excused = excused or failures != self._failures
        self._failures = failures
        before, self._watched = self._watched, {}
        stalled = []
        for partition in partitions:
            name = partition.topic_partition
            watched = before.get(name) or _Watched(partition.settled, now)
            self._watched[name] = watched
            if excused or partition.lag == 0 or partition.settled != watched.settled:
                self._moves(partition, watched, now)
            elif now - watched.since >= self._stalled_after_s:
                self._stalls(partition, watched, now)
                stalled.append(partition)
        return _told(stalled, self._stalled_after_s)

    def _moves(self, partition: PartitionStatus, watched: _Watched, now: float) -> None:
        if watched.stalled:
            _log.info(
                "partition_moves",
                partition=str(partition.topic_partition),
                after_s=round(now - watched.since),
            )
        watched.settled, watched.since, watched.stalled = partition.settled, now, False

    def _stalls(self, partition: PartitionStatus, watched: _Watched, now: float) -> None:
        if not watched.stalled:
            _log.error(
                "partition_stalled",
                partition=str(partition.topic_partition),
                for_s=round(now - watched.since),
                settled=partition.settled,
                position=partition.position,
                end=partition.end,
            )
        watched.stalled = True


def _told(stalled: list[PartitionStatus], after_s: float) -> str | None:
    if not stalled:
        return None
    first = stalled[0]
    waiting = "nothing was heard of it" if first.lag is None else f"records that wait: {first.lag:,}"
    others = f" (and so with {len(stalled) - 1} more)" if len(stalled) > 1 else ""
    return f"{first.topic_partition} has not moved for {after_s:.0f} s: {waiting}{others}"
