"""When offsets are committed, and which: at an interval, at a stop, and soon after what hurts most to repeat."""

from collections.abc import Iterable

import structlog

from pipeline.kafka.assignment import Assignment
from pipeline.ports import Clock, Source
from pipeline.records import TopicPartition
from pipeline.tally import Tally
from pipeline.waiting import Waiting

_log = structlog.get_logger(__name__)


class Committer:
    """Commits what is settled. `interval_s` is the time between two commits, in seconds."""

    def __init__(
        self,
        source: Source,
        assignment: Assignment,
        waiting: Waiting,
        *,
        clock: Clock,
        tally: Tally,
        interval_s: float,
    ) -> None:
        self._source = source
        self._assignment = assignment
        self._waiting = waiting
        self._clock = clock
        self._tally = tally
        self._interval_s = interval_s
        self._next_at = clock.monotonic() + interval_s
        self._refused: str | None = None

    def commit_if_due(self) -> None:
        """Commit when the interval has passed, or an urgent offset has been reached.

        Raises:
            RemoteRefusedError: the group may not commit at all.
        """
        # After a refusal even the urgent ones wait for the interval, else a rebalance would be answered with a storm.
        soon = self._refused is None and any(partition.is_commit_due for partition in self._assignment)
        if soon or self._clock.monotonic() >= self._next_at:
            self.commit(self._assignment.topic_partitions)

    def commit(self, partitions: Iterable[TopicPartition]) -> None:
        """Commit what may be committed of these partitions; a refusal is logged, and tried again at the interval.

        Raises:
            RemoteRefusedError: the group may not commit at all.
        """
        self._next_at = self._clock.monotonic() + self._interval_s
        offsets = self._assignment.uncommitted(
            {
                name: self._waiting.position(name, self._source.position(name))
                for name in partitions
                if name in self._assignment
            }
        )
        if not offsets:
            return
        result = self._source.commit(offsets)
        self._assignment.confirm(result.committed)
        self._tally.commits["refused" if result.refused else "committed"] += 1
        if result.refused and self._refused is None:
            _log.warning(
                "commit_refused", cause=result.refused, then="tried again; records may be sent again"
            )
        self._refused = result.refused
