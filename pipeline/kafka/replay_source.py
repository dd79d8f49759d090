"""Ranges of partitions behind the `Source` port: no group, no rebalance, an end, and progress under a name."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from pipeline.kafka.replay_reader import RangeReader
from pipeline.ports import AssignmentListener, CommitResult
from pipeline.records import Record, TopicPartition
from pipeline.status import ClientStatus


class Progress(Protocol):
    """Where a replay's progress is kept."""

    def keep(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Keep these next offsets.

        Raises:
            RemoteRefusedError: the replay is another's now.
        """
        ...

    def beat(self) -> None:
        """Show that somebody is at work, if it is time to do so again."""
        ...

    def release(self) -> None:
        """Let go: whoever comes next may go on at once."""
        ...


class ReplaySource:
    """See `Source`. `exhausted` tells when everything has been handed out."""

    share = 1.0

    client = ClientStatus()

    def __init__(self, reader: RangeReader, progress: Progress) -> None:
        self._reader = reader
        self._progress = progress
        self._listener: AssignmentListener | None = None

    @property
    def exhausted(self) -> bool:
        """Whether every range has been read to its end."""
        return self._reader.exhausted

    @property
    def trouble(self) -> str | None:
        """See `Source.trouble`."""
        return self._reader.trouble

    def start(self, listener: AssignmentListener) -> None:
        """See `Source.start`. All ranges are ours from the start to the end."""
        self._listener = listener
        listener.assigned(tuple(self._reader.ranges))

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        """See `Source.poll`."""
        if self.trouble is None:
            self._progress.beat()
        return self._reader.poll(max_records, timeout_s)

    def position(self, partition: TopicPartition) -> int | None:
        """See `Source.position`."""
        return self._reader.position(partition)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """See `Source.commit`. The offsets go to the replay's own name, never to the live group.

        Brokers that are known to be out of reach are not asked: the client would wait for them.
        """
        if self.trouble is not None:
            return CommitResult({}, self.trouble)
        return self._progress.keep(offsets)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.pause`."""
        self._reader.pause(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """See `Source.resume`."""
        self._reader.resume(partitions)

    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """See `Source.end_offsets`: the ends of the ranges."""
        return {name: each.end for name, each in self._reader.ranges.items()}

    def close(self) -> None:
        """See `Source.close`."""
        try:
            if self._listener is not None:
                self._listener.revoked(tuple(self._reader.ranges))
        finally:
            try:
                if self.trouble is None:
                    self._progress.release()
            finally:
                self._reader.close()
