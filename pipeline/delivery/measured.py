"""Delays and fill of batches, measured a few times a batch and never for each call."""

from collections.abc import Callable

from pipeline.delivery.batch import Batch, BatchResult, Confirmed, Operation
from pipeline.delivery.sender import Courier
from pipeline.measures import DeliveryMeasures


class MeasuredCourier:
    """Delivers as `courier` does and measures what a batch tells.

    `monotonic` is the clock of `Operation.queued_at`, `now` Unix time.
    """

    def __init__(
        self,
        courier: Courier,
        measures: DeliveryMeasures,
        *,
        max_items: int,
        monotonic: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self.hold = courier.hold
        self.admission = courier.admission
        self._courier = courier
        self._measures = measures
        self._max_items = max_items
        self._monotonic = monotonic
        self._now = now

    async def deliver(self, batch: Batch) -> BatchResult:
        """See `Courier.deliver`."""
        self._measures.items_fill.observe(len(batch.operations) / self._max_items)
        result = await self._courier.deliver(batch)
        ends = {0, len(batch.operations) - 1}
        for place in sorted(ends):
            if type(result.outcomes[place]) is Confirmed:
                self._note_delay(batch.operations[place])
        return result

    def _note_delay(self, operation: Operation) -> None:
        self._measures.since_read.observe(max(0.0, self._monotonic() - operation.queued_at))
        written_ms = operation.record.record.timestamp_ms
        if written_ms is not None:
            self._measures.since_written.observe(max(0.0, self._now() - written_ms / 1000))
