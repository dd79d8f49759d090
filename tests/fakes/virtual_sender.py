"""The real delivery on virtual time: a sender for scenarios, in which hours pass in milliseconds."""

import asyncio
from collections.abc import Collection, Sequence
from random import Random

from pipeline.delivery.admission import Admission
from pipeline.delivery.batch import ABANDONED, Batch, BatchResult
from pipeline.delivery.concurrency import ConcurrencyLimit
from pipeline.delivery.delivery import Api, Delivery
from pipeline.delivery.rate import RateLimit
from pipeline.delivery.retry import RetryPolicy
from pipeline.ports import SendLimits
from tests.fakes.virtual_time import VirtualLoop


class VirtualClock:
    """The loop's time as a `Clock`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def now(self) -> float:
        return 1_773_480_413.0 + self._loop.time()


class VirtualSender:
    """Runs `Delivery` on a loop that only moves while the engine waits for results."""

    def __init__(
        self,
        loop: VirtualLoop,
        api: Api,
        policy: RetryPolicy,
        *,
        capacity: int = 8,
        seed: int = 1,
        rate_per_s: float = 1e6,
    ) -> None:
        self.capacity = capacity
        self._loop = loop
        self._admission = Admission(RateLimit(rate_per_s, monotonic=loop.time), ConcurrencyLimit(capacity))
        self._delivery = Delivery(
            api, policy, admission=self._admission, random=Random(seed), monotonic=loop.time
        )
        self._tasks: dict[int, asyncio.Task[BatchResult]] = {}
        self._results: list[BatchResult] = []

    def submit(self, batch: Batch) -> None:
        task = self._loop.create_task(self._delivery.deliver(batch))
        self._tasks[batch.number] = task
        task.add_done_callback(lambda done: self._finish(batch, done))

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        if not self._results:
            self.sleep(timeout_s)
        found, self._results = self._results, []
        return found

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self._loop.run_until_complete(asyncio.sleep(seconds))

    def abandon(self, batches: Collection[int]) -> None:
        for number in batches:
            if number in self._tasks:
                self._tasks[number].cancel()

    def set_share(self, share: float) -> None:
        self._admission.rate.set_share(share)

    @property
    def limits(self) -> SendLimits:
        return SendLimits(self._admission.rate.per_s, self._admission.concurrency.limit)

    @property
    def held(self) -> str | None:
        return self._delivery.hold.cause

    def close(self) -> None:
        self.abandon(list(self._tasks))
        self.sleep(0.0)
        self._loop.close()

    def _finish(self, batch: Batch, task: "asyncio.Task[BatchResult]") -> None:
        del self._tasks[batch.number]
        abandoned = BatchResult(batch, [ABANDONED] * len(batch.operations))
        self._results.append(abandoned if task.cancelled() else task.result())
