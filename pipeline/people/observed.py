"""A sender whose outcomes are told to others before they are given back."""

from collections.abc import Callable, Collection, Sequence

from pipeline.delivery.batch import Batch, BatchResult, Operation, Outcome
from pipeline.ports import Sender, SendLimits

Observer = Callable[[Operation, Outcome], None]


class ObservedSender:
    """A `Sender` that tells the observers what became of each call, in the thread that asks for results."""

    def __init__(self, sender: Sender, observers: Sequence[Observer]) -> None:
        self._sender = sender
        self._observers = tuple(observers)

    def submit(self, batch: Batch) -> None:
        """See `Sender.submit`."""
        self._sender.submit(batch)

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        """See `Sender.results`."""
        results = self._sender.results(timeout_s)
        for result in results:
            for operation, outcome in zip(result.batch.operations, result.outcomes, strict=True):
                for observe in self._observers:
                    observe(operation, outcome)
        return results

    def abandon(self, batches: Collection[int]) -> None:
        """See `Sender.abandon`."""
        self._sender.abandon(batches)

    @property
    def capacity(self) -> int:
        """See `Sender.capacity`."""
        return self._sender.capacity

    def set_share(self, share: float) -> None:
        """See `Sender.set_share`."""
        self._sender.set_share(share)

    @property
    def limits(self) -> SendLimits:
        """See `Sender.limits`."""
        return self._sender.limits

    @property
    def held(self) -> str | None:
        """See `Sender.held`."""
        return self._sender.held

    def close(self) -> None:
        """See `Sender.close`."""
        self._sender.close()
