"""The sender: one asyncio loop in a thread of its own. Batches go in, results come out, nothing else is shared."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from pipeline.delivery.admission import Admission
from pipeline.delivery.batch import ABANDONED, Batch, BatchResult
from pipeline.delivery.hold import Hold
from pipeline.ports import SendLimits


class Courier(Protocol):
    """Who brings one batch to its end; `delivery.Delivery` is one."""

    hold: Hold
    admission: Admission

    async def deliver(self, batch: Batch) -> BatchResult:
        """Return one outcome for each operation, also when cancelled."""
        ...


class ThreadedSender:
    """Runs a courier in a thread.

    `open_courier` is called on the loop and returns the courier and what releases its connections at the end.
    """

    def __init__(
        self,
        open_courier: Callable[[], Awaitable[tuple[Courier, Callable[[], Awaitable[None]]]]],
        *,
        max_in_flight: int,
    ) -> None:
        self._open_courier = open_courier
        self._max_in_flight = max_in_flight
        self._results: SimpleQueue[BatchResult | BaseException] = SimpleQueue()
        self._tasks: dict[int, asyncio.Task[BatchResult]] = {}
        self._courier: Courier | None = None
        self._loop = _new_loop()
        self._stopping = asyncio.Event()
        self._opened: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()
        error = self._opened.get()
        if error is not None:
            self._thread.join()
            raise error

    @property
    def capacity(self) -> int:
        """How many batches may be in flight."""
        return self._max_in_flight

    def set_share(self, share: float) -> None:
        """Use this part of the group's requests a second."""
        if self._courier is not None:
            self._loop.call_soon_threadsafe(self._courier.admission.rate.set_share, share)

    @property
    def limits(self) -> SendLimits:
        """What bounds the requests now."""
        if self._courier is None:
            return SendLimits(0.0, 0)
        admission = self._courier.admission
        return SendLimits(admission.rate.per_s, admission.concurrency.limit)

    @property
    def held(self) -> str | None:
        """Why delivery holds."""
        return None if self._courier is None else self._courier.hold.cause

    def submit(self, batch: Batch) -> None:
        """Take a batch; exactly one result will come for it."""
        self._loop.call_soon_threadsafe(self._start, batch)

    def results(self, timeout_s: float) -> Sequence[BatchResult]:
        """Return the results that are there; wait at most `timeout_s` seconds for the first."""
        found: list[BatchResult] = []
        with contextlib.suppress(Empty):
            found.append(
                _result(self._results.get(timeout=timeout_s) if timeout_s > 0 else self._results.get_nowait())
            )
            while True:
                found.append(_result(self._results.get_nowait()))
        return found

    def abandon(self, batches: Collection[int]) -> None:
        """Give batches up; those that are unknown or done already are passed over."""
        self._loop.call_soon_threadsafe(self._cancel, tuple(batches))

    def close(self) -> None:
        """Give up what is in flight, release the connections, end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        try:
            self._courier, release = await self._open_courier()
        except BaseException as error:  # handed to the thread that waits for the start
            self._opened.put(error)
            return
        self._opened.put(None)
        await self._stopping.wait()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await release()

    def _start(self, batch: Batch) -> None:
        if self._courier is None or self._stopping.is_set():
            self._results.put(_abandoned(batch))
            return
        task = self._loop.create_task(self._courier.deliver(batch))
        self._tasks[batch.number] = task
        task.add_done_callback(lambda done: self._finish(batch, done))

    def _finish(self, batch: Batch, task: "asyncio.Task[BatchResult]") -> None:
        del self._tasks[batch.number]
        if task.cancelled():  # before its first step
            self._results.put(_abandoned(batch))
        else:
            self._results.put(task.exception() or task.result())

    def _cancel(self, batches: Sequence[int]) -> None:
        for number in batches:
            if number in self._tasks:
                self._tasks[number].cancel()


def _abandoned(batch: Batch) -> BatchResult:
    return BatchResult(batch, (ABANDONED,) * len(batch.operations))


def _result(found: BatchResult | BaseException) -> BatchResult:
    """Raise in the engine what went wrong in the sender: it is a bug, not an outcome."""
    if isinstance(found, BaseException):
        raise found
    return found


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
