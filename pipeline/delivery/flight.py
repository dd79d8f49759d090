"""What is on its way: lanes on one side, the sender on the other."""

from collections.abc import Collection
from typing import Protocol

from pipeline.delivery.batch import Abandoned, Batch, BatchResult, Operation, Outcome
from pipeline.delivery.lanes import Lanes
from pipeline.records import TopicPartition


class Sender(Protocol):
    """The part of `ports.Sender` that is needed here."""

    @property
    def capacity(self) -> int:
        """How many batches may be in flight now."""
        ...

    def submit(self, batch: Batch) -> None:
        """Take a batch."""
        ...

    def results(self, timeout_s: float) -> Collection[BatchResult]:
        """Return the results that are there."""
        ...

    def abandon(self, batches: Collection[int]) -> None:
        """Give these batches up."""
        ...


class Flight:
    """Hands due batches to the sender and takes results back."""

    def __init__(self, lanes: Lanes, sender: Sender) -> None:
        self._lanes = lanes
        self._sender = sender
        self._in_flight: dict[int, Batch] = {}
        self._batches = 0

    @property
    def waiting(self) -> int:
        """Operations that are not in flight."""
        return len(self._lanes)

    @property
    def blocked_lanes(self) -> int:
        """Lanes of which a call waits for the answer to an earlier one."""
        return self._lanes.blocked

    @property
    def in_flight(self) -> int:
        """Batches in flight."""
        return len(self._in_flight)

    def add(self, operation: Operation) -> None:
        """Queue an operation in its lane."""
        self._lanes.add(operation)

    def next_due_in(self, now: float) -> float | None:
        """Return the seconds until a batch is due and can go, None when nothing waits in a free lane."""
        due_at = self._lanes.due_at()
        return None if due_at is None else max(0.0, due_at - now)

    def launch(self, now: float, *, flush: bool = False) -> None:
        """Submit the batches that are due, as many as the sender takes; with `flush`, everything is due."""
        while len(self._in_flight) < self._sender.capacity:
            operations = self._lanes.take(now, flush=flush)
            if not operations:
                return
            self._batches += 1
            batch = self._in_flight[self._batches] = Batch(self._batches, operations)
            self._sender.submit(batch)

    def land(self, timeout_s: float) -> list[tuple[Operation, Outcome]]:
        """Return the calls that came to an end, waiting at most `timeout_s` seconds for the first.

        Abandoned calls go back to the head of their lane, unless their partition is gone.
        """
        landed: list[tuple[Operation, Outcome]] = []
        for result in self._sender.results(timeout_s):
            del self._in_flight[result.batch.number]
            operations = result.batch.operations
            again = []
            for operation, outcome in zip(operations, result.outcomes, strict=True):
                if type(outcome) is not Abandoned:
                    landed.append((operation, outcome))
                elif operation.record.partition.alive:
                    again.append(operation)
            self._lanes.release(operations, again)
        return landed

    def abandon(self, partitions: Collection[TopicPartition]) -> frozenset[int]:
        """Give up every batch that carries a call of these partitions; return their numbers."""
        numbers = frozenset(
            number
            for number, batch in self._in_flight.items()
            if any(operation.record.partition.topic_partition in partitions for operation in batch.operations)
        )
        if numbers:
            self._sender.abandon(numbers)
        return numbers

    def are_landed(self, numbers: frozenset[int]) -> bool:
        """Tell whether these batches have all come back."""
        return numbers.isdisjoint(self._in_flight)

    def discard_gone(self) -> None:
        """Drop waiting calls whose partition is not ours any more."""
        self._lanes.discard(lambda operation: not operation.record.partition.alive)
