"""A Kafka group member in memory: a real implementation of the `Source` port for the engine's tests.

It passes the same contract tests as the consumer of Apache Kafka (tests/contract/test_source_contract.py).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from pipeline.errors import PipelineError, RemoteRefusedError
from pipeline.ports import AssignmentListener, CommitResult
from pipeline.records import Record, TopicPartition
from pipeline.status import ClientStatus
from tests.fakes.kafka_log import FakeLog


class FakeSource:
    """Reads a `FakeLog`.

    `idle` is called with the poll's timeout when a poll has nothing to give: a fake clock can move there.
    Rebalances come from the log (`take_away`, `give_back`, another source that starts or closes) and from
    `lose` and `bounce`; all of them are carried out inside the next `poll`.
    """

    def __init__(
        self,
        log: FakeLog,
        start: Literal["earliest", "latest"] = "earliest",
        out_of_range: Literal["fail", "earliest", "latest"] = "fail",
        idle: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._start = start
        self._out_of_range = out_of_range
        self._idle = idle
        self._listener: AssignmentListener | None = None
        self._fetch: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._losing: list[TopicPartition] = []
        self._bouncing: list[TopicPartition] = []
        self._failures: list[PipelineError] = []
        self._refusals: list[str] = []
        self._in_lost = False
        self.paused: set[TopicPartition] = set()
        self.polls = 0
        self.closed = False
        self.trouble_now: str | None = None

    # What a test makes happen.

    def lose(self, *partitions: TopicPartition) -> None:
        """Let the next poll find that these are lost; the group hands them out again in the poll after."""
        self._losing.extend(partitions)

    def bounce(self, *partitions: TopicPartition) -> None:
        """Let the next poll revoke these and assign them again at once, as an eager rebalance does."""
        self._bouncing.extend(partitions)

    def fail(self, error: PipelineError) -> None:
        """Let the next poll raise."""
        self._failures.append(error)

    def refuse_commits(self, reason: str, times: int = 1) -> None:
        """Let the next commits be refused."""
        self._refusals.extend([reason] * times)

    def crash(self) -> None:
        """End as a killed process does: no callback, no commit, the partitions are free."""
        self._log.leave(self)
        self._fetch.clear()
        self.closed = True

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that are ours."""
        return frozenset(self._fetch)

    # The port.

    def start(self, listener: AssignmentListener) -> None:
        """See `Source.start`."""
        self._listener = listener
        self._log.join(self)

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        """See `Source.poll`. It never waits: `idle` is called instead."""
        self.polls += 1
        self._rebalance()
        if self._failures:
            raise self._failures.pop(0)
        records = self._take(max_records)
        if not records:
            self._idle(timeout_s)
        return records

    def position(self, partition: TopicPartition) -> int | None:
        """See `Source.position`."""
        return self._positions.get(partition)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """See `Source.commit`. An offset below the committed one leaves that as it is."""
        if self._in_lost:
            return CommitResult({}, "the assignment was lost")
        if self._refusals:
            return CommitResult({}, self._refusals.pop(0))
        ours = {p: o for p, o in offsets.items() if p in self._fetch}
        newer = {p: o for p, o in ours.items() if o > self._log.committed.get(p, -1)}
        if newer:
            self._log.commit(newer)
        refused = None if len(ours) == len(offsets) else "a partition is not assigned to this member"
        return CommitResult({p: self._log.committed[p] for p in ours}, refused)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        self.paused |= set(partitions) & self._fetch.keys()

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`."""
        self.paused -= set(partitions)

    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """See `Source.end_offsets`."""
        return {p: self._log.partitions[p].high for p in self._fetch}

    @property
    def client(self) -> ClientStatus:
        """See `Source.client`."""
        return ClientStatus()

    @property
    def share(self) -> float:
        """See `Source.share`."""
        return len(self._fetch) / len(self._log.partitions)

    @property
    def trouble(self) -> str | None:
        """See `Source.trouble`; a test sets `trouble_now`."""
        return self.trouble_now

    def close(self) -> None:
        """See `Source.close`."""
        if self.closed:
            return
        self.closed = True
        self._revoke(list(self._fetch))
        self._log.leave(self)

    # The group.

    def _rebalance(self) -> None:
        target = self._log.target(self)
        lost, bouncing = list(dict.fromkeys(self._losing)), self._bouncing
        self._losing, self._bouncing = [], []
        self._lose([p for p in lost if p in self._fetch])
        self._revoke([p for p in self._fetch if p not in target or p in bouncing])
        gained = [p for p in self._log.acquire(self) if p not in lost]
        self._log.release(self, lost)
        if gained:
            self._assign(gained)

    def _assign(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._fetch[partition] = self._start_offset(partition)
        self._tell().assigned(partitions)

    def _revoke(self, partitions: list[TopicPartition]) -> None:
        if partitions:
            try:
                self._tell().revoked(partitions)
            finally:  # the group takes them away whatever the listener raises
                self._forget(partitions)

    def _lose(self, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._in_lost = True
            try:
                self._tell().lost(partitions)
            finally:
                self._in_lost = False
                self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            del self._fetch[partition]
            self._positions.pop(partition, None)
        self.paused.difference_update(partitions)
        self._log.release(self, partitions)

    def _tell(self) -> AssignmentListener:
        if self._listener is None:
            raise AssertionError("poll was called before start")
        return self._listener

    def _start_offset(self, partition: TopicPartition) -> int:
        log = self._log.partitions[partition]
        committed = self._log.committed.get(partition)
        policy: str = self._start
        if committed is not None:
            if log.low <= committed <= log.high:
                return committed
            policy = self._out_of_range
        if policy == "fail":
            raise RemoteRefusedError(f"{partition}: the committed offset {committed} is not there any more")
        return log.low if policy == "earliest" else log.high

    def _take(self, max_records: int) -> list[Record]:
        records: list[Record] = []
        for partition in self._fetch:
            while partition not in self.paused and len(records) < max_records:
                record = self._log.partitions[partition].next_record(self._fetch[partition])
                if record is None:
                    self._reach_end(partition)
                    break
                records.append(record)
                self._positions[partition] = self._fetch[partition] = record.offset + 1
        return records

    def _reach_end(self, partition: TopicPartition) -> None:
        high = self._log.partitions[partition].high
        self._positions[partition] = self._fetch[partition] = high
