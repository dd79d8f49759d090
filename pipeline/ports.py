"""What the engine needs of the world, and nothing more.

Each port has a real implementation and a fake one that passes the same contract tests.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.deadletters.entry import DeadLetter
from pipeline.decode import SchemaPending
from pipeline.delivery.batch import Batch, BatchResult
from pipeline.delivery.open_record import OpenRecord
from pipeline.records import Record, TopicPartition
from pipeline.status import ClientStatus
from pipeline.translation import Translation


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def monotonic(self) -> float:
        """Seconds that only rise; for durations and deadlines."""
        ...

    def now(self) -> float:
        """Unix time in seconds."""
        ...


class Translator(Protocol):
    """Record in, operations out."""

    def translate(self, record: Record) -> Translation | SchemaPending:
        """Return what becomes of a record, or that its schema is being looked up; never raises."""
        ...


class AssignmentListener(Protocol):
    """Who must know that partitions come and go. Called inside `Source.poll` and `Source.close`, never elsewhere."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are ours from now on; their records come with the next polls."""
        ...

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions go to another member when this returns; until then they may be committed.

        Where `assigned` follows in the same poll they stay ours: a commit is refused then if their offsets begin anew,
        because the topic was made again.
        """
        ...

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are gone already; nothing of them may be committed."""
        ...


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What became of a commit.

    `committed` holds the offsets that Kafka has now. `refused` says in a safe sentence why the others were not taken;
    a refused commit costs redelivery, never a record, and is tried again at the next interval while the partition is
    still ours.
    """

    committed: Mapping[TopicPartition, int]
    refused: str | None = None


class Source(Protocol):
    """A Kafka consumer group member with explicit commits. One thread owns it."""

    def start(self, listener: AssignmentListener) -> None:
        """Join the group, without waiting for it.

        Raises:
            ConfigurationError: a setting is refused.
        """
        ...

    def poll(self, max_records: int, timeout_s: float) -> Sequence[Record]:
        """Return records as they come, at most `max_records`, after at most `timeout_s` seconds.

        Must be called often, also while everything is paused: group membership depends on it.
        The listener is called in here.

        Raises:
            ConfigurationError: a topic does not exist.
            RemoteRefusedError: Kafka refuses for good (authorisation, fencing, an offset that is gone).
        """
        ...

    def position(self, partition: TopicPartition) -> int | None:
        """Return the offset after everything that `poll` has returned or passed over, None when unknown."""
        ...

    def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Commit these next offsets and wait for Kafka's answer.

        Raises:
            RemoteRefusedError: the group may not commit at all.
        """
        ...

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Stop fetching these partitions. Partitions that are not ours are passed over."""
        ...

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch these partitions again. Partitions that are not ours are passed over."""
        ...

    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """Return the last known end of each assigned partition, without asking the broker."""
        ...

    @property
    def client(self) -> ClientStatus:
        """How the Kafka client is doing, as of its last statistics."""
        ...

    @property
    def share(self) -> float:
        """Our part of the partitions of all topics, between 0 and 1; 1 while the number of them is not known."""
        ...

    @property
    def trouble(self) -> str | None:
        """What keeps the consumer from its broker right now, in a safe sentence; None when nothing does."""
        ...

    def close(self) -> None:
        """Leave the group. The listener's `revoked` is called for what is still assigned."""
        ...


@dataclass(frozen=True, slots=True)
class SendLimits:
    """What bounds the requests at this moment: how many a second, and how many at once."""

    requests_per_s: float
    in_flight: int


class Sender(Protocol):
    """Turns batches into results. It touches no other state."""

    def submit(self, batch: Batch) -> None:
        """Take a batch; exactly one result will come for it."""
        ...

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        """Return the results that are there; wait at most `timeout_s` seconds for the first."""
        ...

    def abandon(self, batches: Collection[int]) -> None:
        """Give these batches up at once; their results come, abandoned where not confirmed already."""
        ...

    @property
    def capacity(self) -> int:
        """How many batches may be in flight now."""
        ...

    def set_share(self, share: float) -> None:
        """Use this part of the group's requests a second, between 0 and 1."""
        ...

    @property
    def limits(self) -> SendLimits:
        """What bounds the requests now."""
        ...

    @property
    def held(self) -> str | None:
        """Why delivery holds, in a safe sentence; None while it goes on."""
        ...

    def close(self) -> None:
        """Give up what is in flight and release every connection."""
        ...


class DeadLetterStore(Protocol):
    """Where failed calls are kept. An entry is safe when `flush` has returned its record."""

    def write(self, entry: DeadLetter, record: OpenRecord) -> None:
        """Take an entry. It is not safe yet."""
        ...

    def flush(self) -> Sequence[OpenRecord]:
        """Return the records of the entries that became safe since the last call, one for each entry.

        Raises:
            DeadLettersUnavailableError: an entry could not be made safe; it is kept and tried again at the next call.
        """
        ...

    def close(self) -> None:
        """Release the store. Entries that are not safe yet are not settled and will be made again."""
        ...
