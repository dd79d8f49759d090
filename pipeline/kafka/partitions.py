"""What the source knows of each partition that is assigned: where it stands, whether it is paused, how it is doing."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pipeline.records import TopicPartition


@dataclass(slots=True)
class PartitionState:
    """One partition during one assignment.

    `reached` is an offset that is known to be next without a record having told so: the start that was
    chosen, or the end of the partition behind control records. `alive` becomes true when reading has begun;
    until then
    `quiet_since` tells since when nothing has been heard, on the clock's monotonic scale. `put_elsewhere` is true from
    a start that is not what was committed or read before, to the first commit behind it.
    """

    quiet_since: float
    reached: int | None = None
    paused: bool = False
    wants_start: bool = False
    alive: bool = False
    put_elsewhere: bool = False


class Partitions:
    """The partitions that are ours now."""

    def __init__(self) -> None:
        self._states: dict[TopicPartition, PartitionState] = {}

    def add(self, partitions: Iterable[TopicPartition], now: float) -> None:
        """Take partitions on; nothing of an older assignment is carried over."""
        self._states.update((partition, PartitionState(now)) for partition in partitions)

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Let partitions go; unknown ones are passed over."""
        for partition in partitions:
            self._states.pop(partition, None)

    def get(self, partition: TopicPartition) -> PartitionState | None:
        """Return the state of a partition, None when it is not ours."""
        return self._states.get(partition)

    def set_paused(self, partitions: Collection[TopicPartition], paused: bool) -> list[TopicPartition]:
        """Mark those that are ours and return them."""
        ours = [partition for partition in partitions if partition in self._states]
        for partition in ours:
            self._states[partition].paused = paused
        return ours

    def wanting_start(self) -> list[TopicPartition]:
        """Return the partitions whose start is to be found."""
        return [partition for partition, state in self._states.items() if state.wants_start]

    def states(self) -> list[tuple[TopicPartition, PartitionState]]:
        """Return every partition with its state."""
        return list(self._states.items())

    def __iter__(self) -> Iterator[TopicPartition]:
        return iter(tuple(self._states))

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, partition: object) -> bool:
        return partition in self._states
