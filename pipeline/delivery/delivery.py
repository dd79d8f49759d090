"""One batch to its end: attempts, waits, and the splitting that makes a bad call cost only itself (G4)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Protocol

import structlog
from tenacity import AsyncRetrying, retry_if_result

from pipeline.calls import Reason
from pipeline.customerio.verdicts import (
    Delivered,
    Fatal,
    PartlyDelivered,
    Refusal,
    Refused,
    Retry,
    TooLarge,
    Verdict,
)
from pipeline.delivery.admission import Admission
from pipeline.delivery.batch import (
    ABANDONED,
    CONFIRMED,
    Batch,
    BatchResult,
    Confirmed,
    Failed,
    Operation,
    Outcome,
)
from pipeline.delivery.hold import Hold
from pipeline.delivery.raw_retries import RawRetries, raw_retries
from pipeline.delivery.retry import RetryPolicy, StopWhenExhausted, WaitByVerdict, last_verdict

_log = structlog.get_logger(__name__)

SUSPICIOUS_BATCH_ITEMS = 20
"""When every call of a batch of at least this many is refused, the cause is not the calls: delivery holds."""


class Api(Protocol):
    """The remote side, seen from a batch: an attempt in, a verdict out, never an exception."""

    async def send_batch(self, payloads: Sequence[bytes]) -> Verdict:
        """Make one attempt to deliver these operations, a single one in the way that takes it."""
        ...


class Delivery:
    """Brings batches to their end, each in its own task of one loop.

    `sleep` and `random` are passed in so that tests need neither wait nor luck. `admission` lets a request go when it
    may be made. `may_send` is asked right before each attempt. `observe` is told of each attempt: its verdict, the
    bytes of its calls and the seconds it took.
    """

    def __init__(
        self,
        api: Api,
        policy: RetryPolicy,
        *,
        admission: Admission,
        random: Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        may_send: Callable[[], bool] = lambda: True,
        monotonic: Callable[[], float] = time.monotonic,
        observe: Callable[[Verdict, int, float], None] = lambda _verdict, _bytes, _seconds: None,
    ) -> None:
        self.hold = Hold()
        self._api = api
        self._policy = policy
        self.admission = admission
        self._random = random
        self._sleep = sleep
        self._may_send = may_send
        self._monotonic = monotonic
        self._observe = observe
        self._wait = WaitByVerdict(policy, random)
        self._retrying = AsyncRetrying(
            retry=retry_if_result(lambda verdict: isinstance(verdict, Retry | Fatal)),
            wait=self._wait,
            retry_error_callback=last_verdict,
            sleep=sleep,
        )
        self._failing: str | None = None

    async def deliver(self, batch: Batch) -> BatchResult:
        """Return one outcome for each operation. Cancelled, it abandons what is not confirmed and returns."""
        journey = _Journey(batch)
        try:
            await self._deliver(journey)
        except (asyncio.CancelledError, LeaseLapsedError):
            pass  # what has no outcome by now stays abandoned
        finally:
            self.hold.leave(batch.number)
        return BatchResult(batch, tuple(journey.outcomes))

    async def _deliver(self, journey: "_Journey") -> None:
        everything = range(len(journey.outcomes))
        await self._settle(journey, everything)
        held = 0
        while journey.is_refused_throughout:
            held += 1
            journey.forget_outcomes()
            self.hold.begin(journey.batch.number, _all_refused(len(everything)))
            await self._sleep(self._policy.backoff_s(held, self._random))
            await self._settle(journey, everything)
        if held:
            self.hold.end()

    async def _settle(self, journey: "_Journey", indexes: Sequence[int]) -> None:
        """Give each of these operations its outcome, in their order."""
        if not indexes:
            return
        own = raw_retries(journey.batch.operations[indexes[0]], self._wait) if len(indexes) == 1 else None
        verdict = await self._decide(journey, indexes, own)
        match verdict:
            case Delivered(status):
                journey.confirm(indexes, status)
            case PartlyDelivered(refused, unplaced, status):
                journey.refuse({indexes[place]: refusal for place, refusal in refused.items()})
                rest = [index for place, index in enumerate(indexes) if place not in refused]
                if not unplaced:
                    journey.confirm(rest, status)
                elif refused:
                    await self._settle(journey, rest)
                else:
                    await self._narrow(journey, indexes, unplaced[0])
            case Refused(refusals):
                refusal = refusals[0] if refusals else Refusal("no reason was given")
                reason = Reason.REJECTED if own is None else own.refused_reason
                await self._narrow(journey, indexes, refusal, reason)
            case TooLarge(refusal):
                await self._narrow(journey, indexes, refusal, Reason.TOO_LARGE)
            case Retry(cause):
                journey.exhaust(indexes, cause)
            case _:
                raise AssertionError(f"no verdict about the calls: {type(verdict).__name__}")

    async def _narrow(
        self, journey: "_Journey", indexes: Sequence[int], refusal: Refusal, reason: Reason = Reason.REJECTED
    ) -> None:
        """Find the culprits by sending halves, the first half first so that order is kept."""
        if len(indexes) == 1:
            journey.refuse({indexes[0]: refusal}, reason)
            return
        middle = len(indexes) // 2
        await self._settle(journey, indexes[:middle])
        await self._settle(journey, indexes[middle:])

    async def _decide(self, journey: "_Journey", indexes: Sequence[int], own: RawRetries | None) -> Verdict:
        """Attempt until there is a verdict about the calls themselves, or the retries are exhausted."""
        operations = [journey.batch.operations[index] for index in indexes]
        began: float | None = None  # when the first attempt was made since delivery last held

        def elapsed_s() -> float:
            return 0.0 if began is None else self._monotonic() - began

        async def attempt() -> Verdict:
            nonlocal began
            if await self.hold.pass_or_probe(journey.batch.number):
                began = None
            verdict = await self.admission.run(send)
            if isinstance(verdict, Fatal):
                began = None
            if own is None or not isinstance(verdict, Retry):
                self._note(journey.batch.number, verdict, len(indexes), elapsed_s())
            return verdict

        async def send() -> Verdict:
            nonlocal began
            if not self._may_send():
                raise LeaseLapsedError
            for index in indexes:
                journey.attempts[index] += 1
            started = self._monotonic()
            if began is None:
                began = started
            verdict = await self._api.send_batch([operation.payload for operation in operations])
            size = sum(len(operation.payload) for operation in operations)
            self._observe(verdict, size, self._monotonic() - started)
            return verdict

        if own is not None:
            return await self._retrying.copy(retry=own.again, wait=own.wait, stop=own.stop)(attempt)
        return await self._retrying.copy(stop=StopWhenExhausted(self._policy, elapsed_s))(attempt)

    def _note(self, batch: int, verdict: Verdict, calls: int, elapsed_s: float) -> None:
        """Log when trouble begins and ends, not at each attempt."""
        if isinstance(verdict, Fatal):
            self.hold.begin(batch, verdict)
            return
        if isinstance(verdict, Retry):
            if self._failing is None:
                _log.warning("delivery_fails", cause=verdict.cause, then="retrying until it succeeds")
            self._failing = verdict.cause
            if self._policy.on_exhausted == "hold" and self._policy.is_exhausted(elapsed_s):
                self.hold.begin(batch, _exhausted(verdict))
            return
        if self._failing is not None:
            _log.info("delivery_recovered", after=self._failing)
            self._failing = None
        accepted = isinstance(verdict, Delivered) or (
            isinstance(verdict, PartlyDelivered) and len(verdict.refused) < calls and not verdict.unplaced
        )
        if accepted:
            self.hold.end()


class LeaseLapsedError(Exception):
    """The engine has not polled for so long that the partitions may be another's: nothing more may be sent."""


class _Journey:
    """What is known about each operation of a batch so far."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.outcomes: list[Outcome] = [ABANDONED] * len(batch.operations)
        self.attempts = [0] * len(batch.operations)

    def confirm(self, indexes: Iterable[int], status: int) -> None:
        confirmed = CONFIRMED if status == CONFIRMED.status else Confirmed(status)
        for index in indexes:
            self.outcomes[index] = confirmed

    def refuse(self, refusals: dict[int, Refusal], reason: Reason = Reason.REJECTED) -> None:
        for index, refusal in refusals.items():
            operation: Operation = self.batch.operations[index]
            self.outcomes[index] = Failed(
                reason,
                text=f"Customer.io refused the {operation.kind} call"
                + (f" because of {refusal.field}" if refusal.field else ""),
                field=refusal.field,
                status=refusal.status,
                answer=refusal.text,
                attempts=self.attempts[index],
            )

    def exhaust(self, indexes: Iterable[int], cause: str) -> None:
        for index in indexes:
            attempts = self.attempts[index]
            self.outcomes[index] = Failed(
                Reason.RETRIES_EXHAUSTED,
                text=f"given up after {attempts} attempts: {cause}",
                attempts=attempts,
            )

    @property
    def is_refused_throughout(self) -> bool:
        return len(self.outcomes) >= SUSPICIOUS_BATCH_ITEMS and all(
            isinstance(outcome, Failed) and outcome.reason is Reason.REJECTED for outcome in self.outcomes
        )

    def forget_outcomes(self) -> None:
        self.outcomes = [ABANDONED] * len(self.outcomes)


def _exhausted(verdict: Retry) -> Fatal:
    return Fatal(
        cause=f"calls cannot be delivered for too long ({verdict.cause})",
        advice="look at Customer.io's status and at the network; delivery goes on by itself when a call is accepted",
    )


def _all_refused(count: int) -> Fatal:
    return Fatal(
        cause=f"every one of {count} calls of a batch was refused",
        advice="compare the mapping and the workspace's settings; delivery goes on by itself when a call is accepted",
    )
