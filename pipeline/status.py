"""How a running pipeline is doing: one frozen picture for health, metrics, status page and summaries."""

from dataclasses import dataclass

from pipeline.records import TopicPartition


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far one assigned partition is; each offset is the next one, None while unknown.

    `position` is read up to, everything below `settled` is done, `committed` is that as last told to Kafka, `end` what
    the partition holds. `lag_seconds` is the age of the next record that is not settled, `retention_left_seconds` the
    time until its topic may delete it; None where they are not known.
    """

    topic_partition: TopicPartition
    position: int | None = None
    committed: int | None = None
    end: int | None = None
    settled: int | None = None
    lag_seconds: float | None = None
    retention_left_seconds: float | None = None

    @property
    def next_offset(self) -> int | None:
        """Where a member would begin that took the partition over now; None while unknown."""
        known = (self.committed, self.settled, self.position)
        return next((offset for offset in known if offset is not None), None)

    @property
    def lag(self) -> int | None:
        """Records that are not settled yet, as far as Kafka knows; None while unknown."""
        done = self.next_offset
        return None if done is None or self.end is None else max(0, self.end - done)


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """How the Kafka client is doing, as of its last statistics.

    `queued_*` is fetched and not read yet. `throttled_seconds` is the longest wait that a broker's quota has asked for,
    `coordinator_seconds` the mean round trip to the group's coordinator; both are of the last interval.
    """

    queued_records: int = 0
    queued_bytes: int = 0
    brokers_up: int = 0
    throttled_seconds: float = 0.0
    coordinator_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The engine at one moment.

    `reasons` says in safe sentences why the engine is not ready; it is empty when it is. `held` says why delivery
    holds, None while it goes on. `waiting_calls` are made and not on their way yet; of `blocked_lanes` a call waits for
    the answer to an earlier one. `paused` tells that reading waits for what is open to settle.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    partitions: tuple[PartitionStatus, ...] = ()
    open_records: int = 0
    open_bytes: int = 0
    waiting_calls: int = 0
    blocked_lanes: int = 0
    batches_in_flight: int = 0
    held: str | None = None
    paused: bool = False
    requests_per_second_limit: float = 0.0
    requests_in_flight_limit: int = 0
    client: ClientStatus = ClientStatus()
