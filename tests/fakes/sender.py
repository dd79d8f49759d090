"""A sender without a network: batches are answered by a function, after a time on the fake clock."""

from collections.abc import Callable, Collection, Sequence

from pipeline.delivery.batch import ABANDONED, CONFIRMED, Batch, BatchResult, Outcome
from pipeline.ports import SendLimits
from tests.fakes.clock import FakeClock

Answer = Callable[[Batch], Sequence[Outcome] | None]


def confirm_all(batch: Batch) -> Sequence[Outcome]:
    return [CONFIRMED] * len(batch.operations)


def never(batch: Batch) -> None:
    """Leave a batch in flight until it is abandoned."""
    return


class FakeSender:
    """Takes `latency_s` on the clock for each batch; `answer` gives the outcomes, None for no answer ever."""

    def __init__(
        self, clock: FakeClock, answer: Answer = confirm_all, *, latency_s: float = 0.0, capacity: int = 4
    ) -> None:
        self.answer = answer
        self.latency_s = latency_s
        self.capacity = capacity
        self.held: str | None = None
        self.sent: list[Batch] = []
        self.closed = False
        self.share = 1.0
        self._clock = clock
        self._in_flight: dict[int, tuple[float, Batch]] = {}
        self._results: list[BatchResult] = []

    def submit(self, batch: Batch) -> None:
        self.sent.append(batch)
        self._in_flight[batch.number] = (self._clock.monotonic() + self.latency_s, batch)

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        self._answer_due()
        if not self._results and timeout_s > 0:
            self._clock.sleep(timeout_s)
            self._answer_due()
        found, self._results = self._results, []
        return found

    def abandon(self, batches: Collection[int]) -> None:
        for number in batches:
            if number in self._in_flight:
                _, batch = self._in_flight.pop(number)
                self._results.append(BatchResult(batch, [ABANDONED] * len(batch.operations)))

    def set_share(self, share: float) -> None:
        self.share = share

    @property
    def limits(self) -> SendLimits:
        return SendLimits(1e9, self.capacity)

    def close(self) -> None:
        self.closed = True

    def _answer_due(self) -> None:
        for number, (due_at, batch) in list(self._in_flight.items()):
            outcomes = self.answer(batch) if due_at <= self._clock.monotonic() else None
            if outcomes is not None:
                del self._in_flight[number]
                self._results.append(BatchResult(batch, outcomes))
