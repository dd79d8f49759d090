"""How a running pipeline is doing: one frozen picture for health, metrics, status page and summaries."""

from dataclasses import dataclass

from pipeline.records import TopicPartition


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far one assigned partition is; each offset is the next one, None while unknown.

    `position` is read up to, `committed` settled and told to Kafka, `end` what the partition holds.
    """

    topic_partition: TopicPartition
    position: int | None = None
    committed: int | None = None
    end: int | None = None

    @property
    def lag(self) -> int | None:
        """Records that are not settled yet, as far as Kafka knows; None while unknown."""
        done = self.position if self.committed is None else self.committed
        return None if done is None or self.end is None else max(0, self.end - done)


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The engine at one moment.

    `reasons` says in safe sentences why the engine is not ready; it is empty when it is. `held` says why delivery
    holds, None while it goes on. `waiting_calls` are made and not on their way yet. `paused` tells that reading waits
    for what is open to settle.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    partitions: tuple[PartitionStatus, ...] = ()
    open_records: int = 0
    open_bytes: int = 0
    waiting_calls: int = 0
    batches_in_flight: int = 0
    held: str | None = None
    paused: bool = False
    requests_per_second_limit: float = 0.0
    requests_in_flight_limit: int = 0
